"""Lists of a programme's cards, by what they are and by what their customers have."""

import datetime
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.models import Case, F, FilteredRelation, Func, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest, Least, Lower
from django_filters import Filter, FilterSet

from cards.models import Card
from loyalty.models import Program
from points import definitions, tier_lists
from points.models import PointLot, points_field


class CardFilters(FilterSet):
    """Which cards of a list are wanted, by values that have been read. `created_before` is exclusive."""

    status = Filter(method="in_status")
    customer_email = Filter(method="of_customer")
    tier = Filter(method="in_tier")
    created_after = Filter("created_at", "gte")
    created_before = Filter("created_at", "lt")

    def __init__(
        self, selected: Mapping[str, Any], *, queryset: QuerySet[Card], program: Program, at: datetime.datetime
    ) -> None:
        super().__init__(selected, queryset=queryset)
        self.program = program
        self.at = at

    def in_status(self, cards: QuerySet[Card], _: str, status: str) -> QuerySet[Card]:
        """This will answer the cards that are in a state by the clock."""
        has_ended = Q(expires_at__lte=self.at)
        match status:
            case "expired":
                return cards.filter(has_ended, status=Card.Status.ACTIVE)
            case "active":
                return cards.filter(~has_ended | Q(expires_at=None), status=Card.Status.ACTIVE)
        return cards.filter(status=status)

    def of_customer(self, cards: QuerySet[Card], _: str, email: str) -> QuerySet[Card]:
        """This will answer the cards of the customer with that address, in whatever case."""
        return cards.alias(email=Lower("customer__email")).filter(email=Lower(Value(email)))

    def in_tier(self, cards: QuerySet[Card], _: str, tier: str) -> QuerySet[Card]:
        """This will answer the cards whose customers hold the tier of that code."""
        return tier_lists.in_tier(cards, program=self.program, code=tier, at=self.at)


def cards(*, program: Program, at: datetime.datetime, selected: Mapping[str, Any], sort: str) -> QuerySet[Card]:
    """This will answer the programme's cards, `selected` as the filters name it, their customers with them.

    They are sorted by `created_at`, `points_balance` or `last_activity`, then `:asc` or `:desc`. Cards without a
    posting come last by activity.
    """
    listed = CardFilters(selected, queryset=program.cards.select_related("customer"), program=program, at=at).qs
    name, _, direction = sort.partition(":")
    if name == "created_at":
        key = F("created_at")
    else:
        kind = definitions.find(program, None)
        mine = FilteredRelation("customer__accounts", condition=Q(customer__accounts__definition=kind))
        listed = listed.alias(account=mine)
        if name == "points_balance":
            listed = listed.alias(points_balance=_balance(program, at))
            key = F("points_balance")
        else:
            key = F("account__last_activity_at")
    if direction == "asc":
        return listed.order_by(key.asc(), "pk")
    return listed.order_by(key.desc(nulls_last=True), "-pk")


def _balance(program: Program, at: datetime.datetime) -> Coalesce:
    """This will say in SQL what an account has by the clock; where something is due, what its lots have, less debt."""
    moment = models.DateTimeField()
    ends_at = Func(
        Greatest(OuterRef("account__last_activity_at"), F("active_from")),
        F("inactivity_months"),
        Value(program.timezone),
        function="points_months_after",
        output_field=moment,
    )
    lots = (
        PointLot.objects.filter(account_id=OuterRef("account__id"), is_open=True)
        .alias(ends_at=Coalesce("expires_at", ends_at))
        .filter(Q(active_from=None) | Q(active_from__lte=at), Q(ends_at=None) | Q(ends_at__gt=at))
        .values("account_id")
        .values(total=Sum("remaining"))
    )
    zero = Value(0, output_field=points_field())
    free = Coalesce(Subquery(lots, output_field=points_field()), zero)
    back = Coalesce(_CameBack(F("account__id"), at=at, zone=program.timezone), zero)
    settled = Case(
        When(account__next_due_at__lte=at, then=free + back + Least(F("account__balance"), zero)),
        default=F("account__balance"),
        output_field=points_field(),
    )
    return Coalesce(settled, zero)


class _CameBack(Func):
    """What holds of an account have given back by the clock, and has not ended since, although no posting says so."""

    output_field = points_field()
    template = """(
        SELECT SUM((p.pin ->> 1)::numeric)
        FROM points_hold h, jsonb_array_elements(h.pins) AS p (pin), points_pointlot l, points_pointaccount a
        WHERE h.account_id = %(expressions)s AND h.status = 'active' AND h.expires_at <= %%s
        AND a.id = h.account_id AND l.account_id = h.account_id AND l.id = (p.pin ->> 0)::uuid
        AND COALESCE(l.expires_at, points_months_after(
            GREATEST(a.last_activity_at, l.active_from), l.inactivity_months, %%s
        ), 'infinity') > %%s
    )"""

    def __init__(self, account_id: F, *, at: datetime.datetime, zone: str, **extra: Any) -> None:
        super().__init__(account_id, **extra)
        self.known = [at, zone, at]

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> tuple[str, Any]:
        """This will answer the SQL and what goes into it."""
        sql, parameters = super().as_sql(compiler, connection, *args, **context)
        return sql, [*parameters, *self.known]
