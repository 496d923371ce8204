"""Giving back what a code took: its points to the lots that paid, its reward into stock.

Locks are taken in the order of the whole service: rewards by id, then accounts, then redemptions by id.
"""

import datetime
import uuid
from collections import Counter
from collections.abc import Iterable

from django.db import connection

from points import ledger
from points.models import AccountRef, EntryType
from rewards.models import Redemption, RedemptionEvent, Reward


class Moved(Exception):
    """Unwinds a transaction: a code is another account's by now, which has to be locked before it."""


def account_of(redemption: Redemption) -> AccountRef:
    """This will answer the account that paid."""
    return AccountRef(program=redemption.program, definition=redemption.definition, customer_id=redemption.customer_id)


def posting(redemption: Redemption, *, reason: str, actor: str, at: datetime.datetime) -> ledger.Posting:
    """This will answer what is to be posted when a code ends unused and its points go back."""
    return ledger.Posting(
        type=EntryType.REVERSE,
        account=account_of(redemption),
        points=None,
        at=at,
        note=ledger.Note(reason=reason, actor=actor, reference=redemption.code),
        reverses_id=redemption.entry_id,
        ends_code=True,
    )


def lock_rewards(redemptions: Iterable[Redemption]) -> None:
    """This will lock the rewards that come back into stock with these codes, before any account is locked."""
    if taken := _taken(redemptions):
        list(Reward.objects.select_for_update(no_key=True).filter(pk__in=taken).order_by("pk").values_list("pk"))


def lock(redemptions: Iterable[Redemption]) -> dict[uuid.UUID, Redemption]:
    """This will lock codes until the transaction ends, and answer by id what they are now.

    Raises:
        Moved: an account was merged into another since its code was read.
    """
    known = {redemption.pk: redemption for redemption in redemptions}
    found = list(Redemption.objects.select_for_update(no_key=True).filter(pk__in=known).order_by("pk"))
    for redemption in found:
        before = known[redemption.pk]
        if redemption.account_id != before.account_id:
            raise Moved
        redemption.program, redemption.definition = before.program, before.definition
    return {redemption.pk: redemption for redemption in found}


def restock(redemptions: Iterable[Redemption]) -> None:
    """This will put the rewards of these codes back into stock, where they have one; their rows are locked."""
    taken = _taken(redemptions)
    if not taken:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE rewards_reward r SET stock = r.stock + n.count FROM unnest(%s::uuid[], %s::integer[])"
            " AS n (id, count) WHERE r.id = n.id AND r.stock IS NOT NULL",
            [list(taken), list(taken.values())],
        )


def event(
    redemption: Redemption,
    kind: RedemptionEvent.Kind,
    *,
    actor: str,
    at: datetime.datetime,
    entry_id: uuid.UUID | None = None,
) -> RedemptionEvent:
    """This will answer the record of what happened to a code, still to be written."""
    return RedemptionEvent(redemption=redemption, kind=kind, actor=actor, entry_id=entry_id, created_at=at)


def _taken(redemptions: Iterable[Redemption]) -> Counter[uuid.UUID]:
    """This will count by reward how many of it these codes took off its stock."""
    return Counter(one.reward_id for one in redemptions if one.took_stock and one.reward_id is not None)
