"""Which customers of a list hold a tier, by the clock."""

import datetime
import uuid
from collections.abc import Iterator

from django.db import models
from django.db.models import Case, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from cards.models import Card
from loyalty.models import Program
from points import rules, statements
from points.models import AccountRef, PointAccount, PointDefinition, PointLot
from tiers.ladder import Basis, Earned, Ladder, Rung

_BATCH = 1_000

_amount = models.DecimalField(max_digits=20, decimal_places=2)


def in_tier(cards: QuerySet[Card], *, program: Program, code: str, at: datetime.datetime) -> QuerySet[Card]:
    """This will answer those of the programme's cards whose customers hold the tier of that code; none where there is
    no such tier."""
    ladder = rules.of(program).ladder
    rung = next((rung for rung in ladder.rungs if rung.code == code), None) if ladder else None
    kind = program.definitions.filter(counts_for_tiers=True).first()
    if ladder is None or rung is None or kind is None:
        return cards.none()
    # A customer without an account stays in the list, with nothing earned.
    mine = FilteredRelation("customer__accounts", condition=Q(customer__accounts__definition=kind))
    cards = cards.alias(standing=mine)
    if ladder.basis == Basis.LIFETIME:
        return _by_lifetime(cards, ladder, rung, at)
    return cards.filter(_by_window(program, kind, ladder, rung, at))


def _by_lifetime(cards: QuerySet[Card], ladder: Ladder, rung: Rung, at: datetime.datetime) -> QuerySet[Card]:
    """By what was earned, not by what is written: staff may have moved a threshold since."""
    started = (
        PointLot.objects.filter(
            account_id=OuterRef("standing__id"),
            is_open=True,
            active_from__gt=OuterRef("standing__effective_at"),
            active_from__lte=at,
        )
        .values("account_id")
        .values(total=Sum("remaining"))
    )
    zero = Value(0, output_field=_amount)
    unsettled = Case(
        When(standing__next_due_at__lte=at, then=Coalesce(Subquery(started, output_field=_amount), zero)),
        default=zero,
        output_field=_amount,
    )
    cards = cards.alias(earned=Coalesce(F("standing__lifetime_earned"), zero) + unsettled)
    cards = cards.filter(earned__gte=rung.threshold)
    higher = min((other.threshold for other in ladder.rungs if other.threshold > rung.threshold), default=None)
    return cards if higher is None else cards.filter(earned__lt=higher)


def _by_window(program: Program, kind: PointDefinition, ladder: Ladder, rung: Rung, at: datetime.datetime) -> Q:
    """By what is written, where it still holds; the others' tier is worked out as for a balance, one batch at a time.

    They are many only where `review_tiers` and `settle_due` have not run.
    """
    accounts = PointAccount.objects.filter(definition=kind)
    moved = [account.customer_id for account in _moved(program, kind, rung, at, accounts.filter(_is_stale("", at)))]
    written = Q(standing__tier_id=rung.id)
    if ladder.reached(ladder.points(Earned(), ladder.month(at))) == rung:
        written |= Q(standing__tier_id=None, standing__tier_since=None)
    return (written & ~_is_stale("standing__", at)) | Q(customer_id__in=moved)


def _is_stale(account: str, at: datetime.datetime) -> Q:
    """What is written may not hold any more: the tier's end has come, or that of a lot, which may have started; or
    points were earned before there were tiers."""
    has_ended = Q(**{f"{account}tier_until__isnull": False, f"{account}tier_until__lte": at})
    has_moved = Q(**{f"{account}next_due_at__isnull": False, f"{account}next_due_at__lte": at})
    is_new = Q(
        **{f"{account}tier__isnull": True, f"{account}tier_since__isnull": True, f"{account}lifetime_earned__gt": 0}
    )
    return has_ended | has_moved | is_new


def _moved(
    program: Program, kind: PointDefinition, rung: Rung, at: datetime.datetime, stale: QuerySet[PointAccount]
) -> Iterator[AccountRef]:
    """This will answer those of the accounts that hold the tier by the clock."""
    last = uuid.UUID(int=0)
    while found := list(stale.order_by("id").filter(id__gt=last).values_list("id", "customer_id")[:_BATCH]):
        refs = [AccountRef(program=program, definition=kind, customer_id=customer_id) for _, customer_id in found]
        told = statements.balances(accounts=refs, at=at)
        for ref in refs:
            tier = told[ref.id].tier
            if tier is not None and tier.rung == rung:
                yield ref
        last = found[-1][0]
