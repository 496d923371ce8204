"""Adjusting points as a member of staff: at once within one's limit, above it after a second person has approved."""

import dataclasses
import datetime
import uuid
from decimal import Decimal
from typing import Any

import orjson
from django.contrib.auth.models import User
from django.db import transaction

from cards import membership
from loyalty import errors, idempotency, names, retry
from loyalty.models import Program
from points import ledger
from points.models import AccountRef, PointAccount, PointTransaction
from staff import audit, limits
from staff.audit import Action
from staff.models import REQUEST_DAYS, AdjustmentReason, AdjustmentRequest, AdjustmentSettings

APPROVE = "staff.approve_adjustment"

_ACTIONS = {
    AdjustmentRequest.State.APPROVED: Action.APPROVED,
    AdjustmentRequest.State.REFUSED: Action.REFUSED,
    AdjustmentRequest.State.CANCELLED: Action.WITHDRAWN,
}


class RequestDecided(errors.Refusal):
    """Somebody has decided on it before."""

    code = "REQUEST_DECIDED"
    status = 409

    def __init__(self, request: AdjustmentRequest) -> None:
        assert request.decided_by is not None
        super().__init__(f"{names.shown(request.decided_by)} was faster: {request.get_state_display().lower()}.")


class RequestExpired(errors.Refusal):
    """Nobody decided in time."""

    code = "REQUEST_EXPIRED"
    status = 409
    message = "The request has expired. Ask for the adjustment again."


class OwnRequest(errors.Refusal):
    """Whoever asked for it is not the second person."""

    code = "OWN_REQUEST"
    status = 403
    message = "A second person has to decide: it is your own request."


class NotAsker(errors.Refusal):
    """Only whoever asked for it withdraws it."""

    code = "NOT_ASKER"
    status = 403
    message = "Only whoever asked for it can withdraw it."


class MayNotApprove(errors.Refusal):
    """The member of staff lacks the permission."""

    code = "MAY_NOT_APPROVE"
    status = 403
    message = "You may not approve adjustments."


class AboveLimit(errors.Refusal):
    """The points are more than the second person may adjust, at once or today."""

    code = "ABOVE_LIMIT"
    status = 403
    message = "It is above your own limit. Somebody with a higher one has to approve it."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What a member of staff wants to adjust, and why: by a code where the programme has some."""

    account: AccountRef
    points: Decimal
    reason: str
    code: AdjustmentReason | None = None
    reference: str | None = None

    @property
    def told(self) -> str:
        """What the entry gives as the reason."""
        if self.code is None:
            return self.reason
        return f"{self.code.name}: {self.reason}" if self.reason else self.code.name


@dataclasses.dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a wish: an adjustment with the balance after it, or a request."""

    points: Decimal
    balance: Decimal | None = None
    request_id: uuid.UUID | None = None


def adjust(*, wish: Wish, by: User, key: idempotency.Key, at: datetime.datetime) -> Done:
    """This will adjust points, or above the limit of the member of staff ask for the approval of a second person.

    Raises:
        ledger.InsufficientPoints and what else `ledger.adjust` raises; errors.IdempotencyKeyReused, errors.Unavailable.
    """
    program = wish.account.program

    def work() -> idempotency.Answer | errors.Refusal:
        limit = limits.of(by, program)
        tally = limits.lock(by, program, at=at)
        if not limit.allows(wish.points, used=tally.points):
            return _answer(points=wish.points, request_id=_ask(wish, by=by, at=at).pk)
        metadata = {"reason_code": wish.code.code} if wish.code else None
        note = ledger.Note(
            reason=wish.told,
            actor=names.actor(by),
            staff_member=names.shown(by),
            reference=wish.reference,
            metadata=metadata,
        )
        try:
            outcome = ledger.adjust(account=wish.account, points=wish.points, note=note, at=at)
        except errors.Refusal as refusal:
            # Answered, not raised: what was due in the account stays settled.
            return refusal
        limits.count(tally, wish.points)
        assert outcome.entry is not None
        told: dict[str, Any] = {"points": wish.points, "entry": outcome.entry.pk, **(metadata or {})}
        account = PointAccount(pk=outcome.entry.account_id)
        audit.record(action=Action.ADJUSTED, by=by, about=account, program=program, facts=told, at=at)
        return _answer(points=wish.points, balance=outcome.balance)

    told = orjson.loads(idempotency.answer_once(owner_id=program.pk, key=key, work=work).body)
    return Done(
        points=Decimal(told["points"]),
        balance=None if told["balance"] is None else Decimal(told["balance"]),
        request_id=None if told["request_id"] is None else uuid.UUID(told["request_id"]),
    )


def approve(*, request_id: uuid.UUID, by: User, at: datetime.datetime) -> AdjustmentRequest:
    """This will post what was asked for. Approved by the same person before, it answers the same.

    Raises:
        RequestDecided, RequestExpired, OwnRequest, MayNotApprove, AboveLimit: it is not theirs to approve any more.
        cards.membership.CustomerNotFound: the customer was erased.
        ledger.InsufficientPoints and what else `ledger.adjust` raises; it goes on waiting then.
    """

    def once() -> AdjustmentRequest | errors.Refusal:
        with transaction.atomic():
            request = _lock(request_id)
            if request.state == AdjustmentRequest.State.APPROVED and request.decided_by == by:
                return request
            _check_open(request, at=at)
            _check_second(request, by=by)
            tally = limits.lock(by, request.program, at=at)
            if not limits.of(by, request.program).allows(request.points, used=tally.points):
                raise AboveLimit
            try:
                entry = _post(request, by=by, at=at)
            except errors.Refusal as refusal:
                return refusal
            limits.count(tally, request.points)
            return _decide(
                request,
                AdjustmentRequest.State.APPROVED,
                by=by,
                at=at,
                entry_id=entry.pk,
                account_id=entry.account_id,
            )

    decided = retry.run(once)
    if isinstance(decided, errors.Refusal):
        raise decided
    return decided


def refuse(*, request_id: uuid.UUID, by: User, why: str, at: datetime.datetime) -> AdjustmentRequest:
    """This will refuse what was asked for, and say why.

    Raises:
        RequestDecided, RequestExpired, OwnRequest, MayNotApprove, errors.Unavailable.
    """

    def once() -> AdjustmentRequest:
        with transaction.atomic():
            request = _lock(request_id)
            if request.state == AdjustmentRequest.State.REFUSED and request.decided_by == by:
                return request
            _check_open(request, at=at)
            _check_second(request, by=by)
            return _decide(request, AdjustmentRequest.State.REFUSED, by=by, at=at, decision=why)

    return retry.run(once)


def withdraw(*, request_id: uuid.UUID, by: User, at: datetime.datetime) -> AdjustmentRequest:
    """This will take one's own request back.

    Raises:
        RequestDecided, RequestExpired, NotAsker, errors.Unavailable.
    """

    def once() -> AdjustmentRequest:
        with transaction.atomic():
            request = _lock(request_id)
            if request.asked_by != by:
                raise NotAsker
            if request.state == AdjustmentRequest.State.CANCELLED:
                return request
            _check_open(request, at=at)
            return _decide(request, AdjustmentRequest.State.CANCELLED, by=by, at=at)

    return retry.run(once)


def state(request: AdjustmentRequest, *, at: datetime.datetime) -> str:
    """This will answer what became of a request by now, in a word."""
    if request.state == AdjustmentRequest.State.REQUESTED and request.expires_at <= at:
        return AdjustmentRequest.EXPIRED
    return AdjustmentRequest.State(request.state).label


def waiting(*, by: User, at: datetime.datetime, most: int) -> int:
    """This will count the requests that wait for a member of staff, those of others, no further than `most`."""
    rows = AdjustmentRequest.objects.filter(state=AdjustmentRequest.State.REQUESTED, expires_at__gt=at)
    return rows.exclude(asked_by=by)[:most].count()


def request_days(program: Program) -> int:
    """This will answer for how many days a programme's requests wait."""
    row = AdjustmentSettings.objects.filter(program=program).first()
    return REQUEST_DAYS if row is None else row.request_days


def _ask(wish: Wish, *, by: User, at: datetime.datetime) -> AdjustmentRequest:
    program = wish.account.program
    made = AdjustmentRequest.objects.create(
        program=program,
        definition=wish.account.definition,
        customer_id=wish.account.customer_id,
        points=wish.points,
        reason_code=wish.code.code if wish.code else "",
        reason=wish.told,
        reference=wish.reference,
        asked_by=by,
        asked_at=at,
        expires_at=at + datetime.timedelta(days=request_days(program)),
    )
    audit.record(action=Action.REQUESTED, by=by, about=made, facts={"points": made.points}, at=at)
    return made


def _lock(request_id: uuid.UUID) -> AdjustmentRequest:
    rows = AdjustmentRequest.objects.filter(pk=request_id)
    rows.select_for_update(no_key=True).values_list("pk").get()
    # A statement of its own: one that waits for the lock reads what it joins as it was before.
    return rows.select_related("program", "definition", "customer__merged_into", "asked_by", "decided_by").get()


def _check_open(request: AdjustmentRequest, *, at: datetime.datetime) -> None:
    if request.state != AdjustmentRequest.State.REQUESTED:
        raise RequestDecided(request)
    if request.expires_at <= at:
        raise RequestExpired


def _check_second(request: AdjustmentRequest, *, by: User) -> None:
    if request.asked_by == by:
        raise OwnRequest
    if not by.has_perm(APPROVE):
        raise MayNotApprove


def _post(request: AdjustmentRequest, *, by: User, at: datetime.datetime) -> PointTransaction:
    customer = membership.of_today(request.customer)
    account = AccountRef(program=request.program, definition=request.definition, customer_id=customer.pk)
    metadata = {
        "adjustment_request": str(request.pk),
        "asked_by": request.asked_by.get_username(),
        "approved_by": by.get_username(),
    }
    if request.reason_code:
        metadata["reason_code"] = request.reason_code
    assert request.reason is not None
    note = ledger.Note(
        reason=request.reason,
        actor=names.actor(by),
        staff_member=names.shown(request.asked_by),
        reference=request.reference,
        metadata=metadata,
    )
    entry = ledger.adjust(account=account, points=request.points, note=note, at=at).entry
    assert entry is not None
    return entry


def _decide(
    request: AdjustmentRequest, state: AdjustmentRequest.State, *, by: User, at: datetime.datetime, **facts: Any
) -> AdjustmentRequest:
    # The clock of another server may have been ahead when it was asked for.
    changes = {"state": state, "decided_by": by, "decided_at": max(at, request.asked_at), **facts}
    for name, value in changes.items():
        setattr(request, name, value)
    request.save(update_fields=changes)
    told: dict[str, Any] = {"points": request.points, "asked_by": request.asked_by.get_username()}
    if request.entry_id is not None:
        told["entry"] = request.entry_id
    audit.record(action=_ACTIONS[state], by=by, about=request, facts=told, at=at)
    return request


def _answer(
    *, points: Decimal, balance: Decimal | None = None, request_id: uuid.UUID | None = None
) -> idempotency.Answer:
    told = {
        "points": str(points),
        "balance": None if balance is None else str(balance),
        "request_id": None if request_id is None else str(request_id),
    }
    return idempotency.Answer(status=201 if request_id is None else 202, body=orjson.dumps(told))
