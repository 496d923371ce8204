"""Reversing an entry as a member of staff, within the same limit as an adjustment: there is no way round that one."""

import datetime
from decimal import Decimal

import orjson
from django.contrib.auth.models import User

from loyalty import errors, idempotency, names
from points import ledger
from points.models import AccountRef, PointTransaction
from rewards import redemptions
from staff import audit, limits
from staff.adjusting import AboveLimit
from staff.audit import Action


def reverse(
    *,
    entry: PointTransaction,
    points: Decimal | None,
    reason: str,
    by: User,
    key: idempotency.Key,
    at: datetime.datetime,
) -> Decimal:
    """This will undo an entry, or `points` of it, and answer the signed points that this changed.

    Raises:
        AboveLimit: it is more than the member of staff may adjust, at once or today; nothing is posted.
        ledger.AlreadyReversed, ledger.NotReversible, ledger.InsufficientPoints and what else `ledger.reverse` raises.
        errors.IdempotencyKeyReused, errors.Unavailable.
    """
    program = entry.program
    account = AccountRef(program=program, definition=entry.account.definition, customer_id=entry.account.customer_id)

    def work() -> idempotency.Answer | errors.Refusal:
        limit, tally = limits.of(by, program), limits.lock(by, program, at=at)
        note = ledger.Note(reason=reason, actor=names.actor(by), staff_member=names.shown(by), card_id=entry.card_id)
        try:
            posted = ledger.reverse(
                account=account,
                transaction_id=entry.pk,
                points=points,
                ends_code=redemptions.is_over(program=program, entry=entry, at=at),
                note=note,
                at=at,
            ).entry
        except errors.Refusal as refusal:
            # Answered, not raised: what was due in the account stays settled.
            return refusal
        assert posted is not None
        if not limit.allows(posted.points, used=tally.points):
            # How much it is, is known now that it is posted: it is rolled back.
            raise AboveLimit
        limits.count(tally, posted.points)
        told = {"points": posted.points, "entry": posted.pk, "reverses": entry.pk}
        audit.record(action=Action.REVERSED, by=by, about=entry.account, program=program, facts=told, at=at)
        return idempotency.Answer(status=201, body=orjson.dumps({"points": str(posted.points)}))

    answer = idempotency.answer_once(owner_id=program.pk, key=key, work=work)
    return Decimal(orjson.loads(answer.body)["points"])
