"""Lists of a programme's cards, by what they are and by what their customers have."""

import dataclasses
import datetime

from django.db import models
from django.db.models import Case, F, FilteredRelation, Func, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest, Least, Lower

from cards.models import Card
from loyalty.models import Program
from points import definitions
from points.models import PointLot, points_field


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which cards of a list are wanted; None: whatever. `until` is exclusive."""

    status: str | None = None
    email: str | None = None
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


def cards(*, program: Program, at: datetime.datetime, selection: Selection, sort: str) -> QuerySet[Card]:
    """This will answer the programme's cards, their customers with them, by `sort`: `created_at`, `points_balance` or
    `last_activity`, then `:asc` or `:desc`. Cards without a posting come last by activity."""
    listed = _selected(program.cards.select_related("customer"), selection, at)
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


def _selected(listed: QuerySet[Card], selection: Selection, at: datetime.datetime) -> QuerySet[Card]:
    has_ended = Q(expires_at__lte=at)
    match selection.status:
        case "expired":
            listed = listed.filter(has_ended, status=Card.Status.ACTIVE)
        case "active":
            listed = listed.filter(~has_ended | Q(expires_at=None), status=Card.Status.ACTIVE)
        case str(status):
            listed = listed.filter(status=status)
    if selection.email is not None:
        listed = listed.alias(email=Lower("customer__email")).filter(email=Lower(Value(selection.email)))
    if selection.since is not None:
        listed = listed.filter(created_at__gte=selection.since)
    if selection.until is not None:
        listed = listed.filter(created_at__lt=selection.until)
    return listed


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
    settled = Case(
        When(account__next_due_at__lte=at, then=free + Least(F("account__balance"), zero)),
        default=F("account__balance"),
        output_field=points_field(),
    )
    return Coalesce(settled, zero)
