"""Writing down that nobody used a code in time.

Time decides, not this: from its end on a code is expired in every read. What becomes of its points is what its reward
said when it was redeemed: they are given back, once, or stay forfeited. It is written by whoever comes to the code or
its customer next, and by a job where nobody comes.
"""

import contextlib
import dataclasses
import datetime
import functools
import uuid
from collections.abc import Iterable, Iterator, Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from cards.membership import CustomerNotFound
from events import outbox
from events.models import EventType
from loyalty import errors, pace, retry
from points import ledger, reasons
from rewards import returns
from rewards.models import Lapse, Redemption, RedemptionEvent

# As many are read at once, and at most written at once. Reversals read what they undo one by one: a sweep begins with
# few.
BATCH = 100
FIRST = 4
ACTOR = "lapse"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What there was to do: codes that lapsed, those of them whose points were given back."""

    lapsed: int = 0
    returned: int = 0


def is_due(redemption: Redemption, *, at: datetime.datetime) -> bool:
    """This will tell whether a code has lapsed and it is not written yet."""
    return redemption.lapsed_at is None and redemption.state(at) == Redemption.State.EXPIRED


def of_customers(customer_ids: Iterable[uuid.UUID], *, at: datetime.datetime) -> None:
    """This will write down which codes of customers have lapsed, a batch of them, the first ones first: what they gave
    back counts then. Not in a transaction that holds accounts: rewards are locked before those.

    Raises:
        errors.Unavailable: the database did not answer in time.
    """
    due = list(_due(at).filter(customer_id__in=list(customer_ids))[:BATCH])
    if due:
        write(due, at=at)


def settle(*, at: datetime.datetime) -> Tally:
    """This will write down which codes of all programmes have lapsed by `at`, a batch in each transaction.

    It can be repeated and two may run at once: what is written already is not due any more.

    Raises:
        errors.Unavailable: the database did not answer in time. The batches before are written.
    """
    lapsed = returned = 0
    for batch in pace.batches(_all_due(at), first=FIRST):
        tally = write(batch, at=at)
        lapsed += tally.lapsed
        returned += tally.returned
    return Tally(lapsed=lapsed, returned=returned)


def write(due: Sequence[Redemption], *, at: datetime.datetime) -> Tally:
    """This will write down, in one transaction, that these codes have lapsed, those that meanwhile ended otherwise left
    out. A code whose points its account has no room for stays as it is, expired by the clock.

    Raises:
        errors.Unavailable: the database did not answer in time.
    """
    while True:
        with contextlib.suppress(returns.Moved):
            return retry.run(functools.partial(_write, due, at=at))
        due = list(_due(at).filter(pk__in=[redemption.pk for redemption in due]))


def _write(due: Sequence[Redemption], *, at: datetime.datetime) -> Tally:
    with transaction.atomic():
        returning = [redemption for redemption in due if redemption.lapse == Lapse.RETURN]
        returns.lock_rewards(returning)
        if returning:
            ledger.lock([returns.account_of(redemption) for redemption in returning])
        locked = returns.lock(due)
        lapsing = [locked[redemption.pk] for redemption in due if is_due(locked[redemption.pk], at=at)]
        outcomes = _give_back([redemption for redemption in lapsing if redemption.lapse == Lapse.RETURN])
        stuck = {key for key, outcome in outcomes.items() if isinstance(outcome.refusal, errors.InvalidPoints)}
        entries = {key: outcome.entry.id for key, outcome in outcomes.items() if outcome.entry is not None}
        _end([redemption for redemption in lapsing if redemption.pk not in stuck], entries, at=at)
        return Tally(lapsed=len(lapsing) - len(stuck), returned=len(entries))


def _give_back(redemptions: Sequence[Redemption]) -> dict[uuid.UUID, ledger.Outcome]:
    """This will post the points of codes back, each at the moment of its end, and answer by code what became of it: an
    entry; no room for the points; or nobody to give them to, the customer being erased."""
    postings = []
    for redemption in redemptions:
        assert redemption.expires_at is not None
        postings.append(returns.posting(redemption, reason=reasons.CODE_LAPSED, actor=ACTOR, at=redemption.expires_at))
    outcomes = ledger.post_many(postings)
    for outcome in outcomes:
        if not isinstance(outcome.refusal, errors.InvalidPoints | CustomerNotFound | None):
            raise outcome.refusal
    return {redemption.pk: outcome for redemption, outcome in zip(redemptions, outcomes, strict=True)}


def _end(redemptions: Sequence[Redemption], entries: dict[uuid.UUID, uuid.UUID], *, at: datetime.datetime) -> None:
    returns.restock([redemption for redemption in redemptions if redemption.lapse == Lapse.RETURN])
    Redemption.objects.filter(pk__in=[redemption.pk for redemption in redemptions]).update(lapsed_at=at)
    for program in dict.fromkeys(redemption.program for redemption in redemptions):
        ended = [redemption for redemption in redemptions if redemption.program == program]
        outbox.record(EventType.REDEMPTION_EXPIRED, ended, program=program)
    RedemptionEvent.objects.bulk_create(
        returns.event(redemption, RedemptionEvent.Kind.LAPSED, actor=ACTOR, at=at, entry_id=entries.get(redemption.pk))
        for redemption in redemptions
    )


def _due(at: datetime.datetime) -> QuerySet[Redemption]:
    """This will answer the codes that have lapsed by `at`, as the index of them has it."""
    due = Redemption.objects.filter(
        used_at=None, cancelled_at=None, lapsed_at=None, expires_at__isnull=False, expires_at__lte=at
    )
    return due.select_related("program", "definition").order_by("expires_at", "pk")


def _all_due(at: datetime.datetime) -> Iterator[Redemption]:
    due = _due(at)
    page = list(due[:BATCH])
    while page:
        yield from page
        # Goes on behind the last one: one that stays as it is would come again and again.
        last = page[-1]
        after = Q(expires_at=last.expires_at, pk__gt=last.pk) | Q(expires_at__gt=last.expires_at)
        page = list(due.filter(after)[:BATCH])
