"""What becomes of a code that points were redeemed for: it is found, used at the till, or cancelled.

Locks are taken in the order of the whole service: the caller's record, rewards by id, accounts, redemptions by id.
"""

import contextlib
import datetime
import re
import uuid
from collections.abc import Callable, Iterable

from django.db import connection, transaction

from events import outbox
from events.models import EventType
from loyalty import errors, ids
from loyalty.models import Program
from points import ledger, reasons
from points.entering import VOUCHER
from points.models import EntryType, PointTransaction
from rewards import lapses, returns
from rewards.models import Redemption, RedemptionEvent

_PREFIX, _LETTERS = "REDEEM-", 6
_CODE = re.compile(f"{_PREFIX}[{ids.LETTERS}]{{{_LETTERS}}}")


class RedemptionNotFound(errors.NotFound):
    """There is no such redemption in the programme."""

    code = "REDEMPTION_NOT_FOUND"
    message = "There is no such redemption."


class AlreadyUsed(errors.Refusal):
    """The code was used."""

    code = "ALREADY_USED"
    status = 409
    message = "The code was used already."


class RedemptionCancelled(errors.Refusal):
    """The code was cancelled."""

    code = "REDEMPTION_CANCELLED"
    status = 409
    message = "The code was cancelled."


class RedemptionExpired(errors.Refusal):
    """Nobody used the code in time."""

    code = "REDEMPTION_EXPIRED"
    status = 409
    message = "The code has expired."


_REFUSALS: dict[Redemption.State, type[errors.Refusal]] = {
    Redemption.State.USED: AlreadyUsed,
    Redemption.State.CANCELLED: RedemptionCancelled,
    Redemption.State.EXPIRED: RedemptionExpired,
}


def draw_code() -> str:
    """This will draw a code that nobody can guess and people can read out: `REDEEM-7GQ4XN`."""
    return f"{_PREFIX}{ids.draw_letters(_LETTERS)}"


def find(*, program: Program, reference: str, at: datetime.datetime) -> Redemption:
    """This will answer the programme's redemption of that id, or of that code in any case; that nobody used it in time
    is written down first.

    Raises:
        RedemptionNotFound: there is none.
        errors.Unavailable: the database did not answer in time.
    """
    redemption = _read(program, reference)
    if not lapses.is_due(redemption, at=at):
        return redemption
    lapses.write([redemption], at=at)
    return _read(program, reference)


def is_over(*, program: Program, entry: PointTransaction, at: datetime.datetime) -> bool:
    """This will tell whether an entry paid for a code that can be used no more, for ever: its points may be given back
    like those of any redemption.

    Raises:
        errors.Unavailable: the database did not answer in time.
    """
    if entry.type != EntryType.REDEEM or entry.source != VOUCHER or entry.reference is None:
        return False
    try:
        redemption = find(program=program, reference=entry.reference, at=at)
    except RedemptionNotFound:
        return False
    return redemption.entry_id == entry.pk and redemption.state(at) != Redemption.State.ACTIVE


def use(*, program: Program, reference: str, actor: str, at: datetime.datetime) -> Redemption:
    """This will take a code at the till, once.

    Raises:
        RedemptionNotFound, AlreadyUsed, RedemptionCancelled, RedemptionExpired.
        errors.Unavailable: the database did not answer in time.
    """

    def deed(redemption: Redemption) -> Redemption:
        with transaction.atomic():
            redemption = _locked(redemption, at)
            redemption.used_at = at
            redemption.save(update_fields=["used_at"])
            returns.event(redemption, RedemptionEvent.Kind.USED, actor=actor, at=at).save(force_insert=True)
            outbox.record(EventType.REDEMPTION_USED, [redemption], program=program)
        return redemption

    return _ended(program, reference, at, deed)


def cancel(*, program: Program, reference: str, actor: str, at: datetime.datetime) -> Redemption:
    """This will end a code that nobody used: its points go back to the lots that paid, with their end, and its reward
    back into stock.

    Raises:
        RedemptionNotFound, AlreadyUsed, RedemptionCancelled, RedemptionExpired.
        cards.membership.CustomerNotFound: the customer was erased.
        errors.InvalidPoints: the account has no room for the points.
        ledger.TransactionLimitExceeded, errors.Unavailable.
    """

    def deed(redemption: Redemption) -> Redemption:
        account = returns.account_of(redemption)
        posting = returns.posting(redemption, reason=reasons.CODE_CANCELLED, actor=actor, at=at)
        try:
            with transaction.atomic():
                returns.lock_rewards([redemption])
                ledger.lock([account])
                redemption = _locked(redemption, at)
                redemption.cancelled_at = at
                redemption.save(update_fields=["cancelled_at"])
                returns.event(
                    redemption, RedemptionEvent.Kind.CANCELLED, actor=actor, at=at, entry_id=posting.entry_id
                ).save(force_insert=True)
                returns.restock([redemption])
                ledger.post(posting)
                outbox.record(EventType.REDEMPTION_CANCELLED, [redemption], program=program)
        except (ledger.TransactionLimitExceeded, errors.InvalidPoints):
            # What was due stays written.
            ledger.settle([account], at=at)
            raise
        return redemption

    return _ended(program, reference, at, deed)


def move(*, account_ids: Iterable[uuid.UUID]) -> None:
    """This will bring the codes of accounts to those that they were merged into, in the transaction that merged them:
    they are the other customer's then, and count towards that one's limits."""
    with connection.cursor() as cursor:
        for account_id in account_ids:
            cursor.execute("SELECT rewards_move_codes(%s)", [account_id])


def _ended(
    program: Program, reference: str, at: datetime.datetime, deed: Callable[[Redemption], Redemption]
) -> Redemption:
    """This will do what ends a code, and answer the code then; again where it went to another customer meanwhile."""
    while True:
        redemption = find(program=program, reference=reference, at=at)
        # What has ended stays so: nothing need be locked to say it.
        _require_active(redemption, at)
        with contextlib.suppress(returns.Moved):
            return deed(redemption)


def _read(program: Program, reference: str) -> Redemption:
    named = reference.strip()
    found = program.redemptions.select_related("definition")
    if key := ids.parse("red", named):
        redemption = found.filter(pk=key).first()
    elif _CODE.fullmatch(code := named.upper()):
        redemption = found.filter(code=code).first()
    else:
        redemption = None
    if redemption is None:
        raise RedemptionNotFound
    return redemption


def _locked(redemption: Redemption, at: datetime.datetime) -> Redemption:
    """This will lock a code that can be used, until the transaction ends.

    Raises:
        AlreadyUsed, RedemptionCancelled, RedemptionExpired: another was faster, or time was.
    """
    now = returns.lock([redemption])[redemption.pk]
    _require_active(now, at)
    return now


def _require_active(redemption: Redemption, at: datetime.datetime) -> None:
    if refusal := _REFUSALS.get(redemption.state(at)):
        raise refusal
