"""One transaction of postings: which accounts are locked, made or followed, what is read, and what is tried again.

The order is the ledger's: campaigns, then accounts; then settle, replay, refuse, post.
"""

import datetime
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db import transaction

from loyalty import garbage, retry
from points import heirs, rules, store
from points.counter import Counter, Desk
from points.lots import ZERO, Snapshot
from points.models import AccountRef, EntryType, PointTransaction
from points.postings import Outcome, Posting, Render, most_lots_pay


class _AccountMerged(Exception):
    """Unwinds a transaction that locked accounts of which some have become others: those are locked instead."""

    def __init__(self, account_ids: Iterable[uuid.UUID]) -> None:
        self.account_ids = list(account_ids)


class _AccountMissing(Exception):
    """Unwinds a transaction that locked some of its accounts: the others must be made before any is locked."""


def run(postings: Sequence[Posting], *, render: Render | None, **options) -> list[Outcome]:
    """This will do postings one after another in one transaction, and answer what became of each, as
    `ledger.post_many` says.

    Raises:
        errors.Unavailable: the database did not answer in time.
        ValueError: there is a key, and no answer to keep under it.
    """
    if render is None and any(posting.key is not None for posting in postings):
        raise ValueError("a key without an answer to keep would not stop a repetition")
    for program in {posting.account.program.pk: posting.account.program for posting in postings}.values():
        # Before anything is locked: the first posting under new rules reads them.
        rules.of(program)
    tried: list[Outcome] = []

    def once() -> list[Outcome]:
        asked = postings
        while True:
            try:
                return _attempt(asked, tried, render=render, **options)
            except _AccountMerged as merged:
                customers = heirs.of(merged.account_ids)
                asked = [posting.moved(customers) for posting in asked]

    with garbage.left_alone():
        return retry.run(once)


def _attempt(postings: Sequence[Posting], tried: list[Outcome], **options) -> list[Outcome]:
    """This will post in a transaction of its own, or in another one where accounts have to be made first.

    Raises:
        _AccountMerged: accounts have become others.
    """
    refs = {account.id: account for posting in postings for account in posting.accounts}
    try:
        with transaction.atomic():
            given = _given(postings)
            rows = store.lock(refs)
            if rows and len(rows) < len(refs):
                raise _AccountMissing
            return _post(postings, refs, rows or _made(refs), tried, given=given, **options)
    except _AccountMissing:
        with transaction.atomic():
            given = _given(postings)
            return _post(postings, refs, _made(refs), tried, given=given, **options)


def _given(postings: Sequence[Posting]) -> dict[str, Decimal]:
    """This will lock the campaigns with a limit in all that may give, and answer what they have given."""
    campaigns = {
        campaign.id
        for posting in postings
        if posting.deed is not None
        for campaign in rules.of(posting.account.program).earning.limited_in_all(posting.deed)
    }
    return store.budgets(campaigns) if campaigns else {}


def _made(refs: dict[uuid.UUID, AccountRef]) -> dict[uuid.UUID, Snapshot]:
    """This will make the accounts that are not there and lock all of them; none of them is locked yet."""
    store.create(refs.values())
    return store.lock(refs)


def _needs(
    postings: Sequence[Posting], rows: dict[uuid.UUID, Snapshot], clocks: dict[uuid.UUID, datetime.datetime]
) -> dict[uuid.UUID, Decimal]:
    """This will answer how many points of lots the postings may take at most, by account."""
    if all(posting.type == EntryType.AWARD for posting in postings):
        return {}
    needs = dict.fromkeys(rows, ZERO)
    # Points that start or come back from a hold by now may be among those that are taken.
    most = {
        row.id: row.balance + (row.pending + row.held if store.is_due(row, clocks[row.id]) else ZERO)
        for row in rows.values()
    }
    for posting in postings:
        account_id = posting.account.id
        needs[account_id] += most_lots_pay(posting, most=most[account_id])
        most[account_id] += max(posting.points or ZERO, ZERO)
    return needs


def _facts(postings: Sequence[Posting], *, is_answered: bool) -> list[store.Facts]:
    """This will answer what decides on each posting. Nothing does where all are named, have neither key nor card, and
    are answered to nobody: the number of an entry is drawn as it is written."""
    if not is_answered and all(p.is_named and p.key is None and p.note.card_id is None for p in postings):
        return [store.Facts()] * len(postings)
    return store.facts([(p.account.id, p.key.key if p.key else None, p.note.card_id) for p in postings])


def _named(postings: Sequence[Posting]) -> dict[tuple[uuid.UUID, uuid.UUID], PointTransaction]:
    """This will answer the entries that named postings made before, also in accounts that were merged into theirs."""
    named = store.entries([name for p in postings if p.is_named for name in p.names])
    others = [
        (p, p.note.external) for p in postings if p.is_named and p.note.external and not named.keys() & set(p.names)
    ]
    before = heirs.named([(p.account.id, p.account.program.pk, external.id) for p, external in others])
    for p, external in others:
        if (entry := before.get((p.account.id, external.id))) is not None:
            named[p.account.id, p.entry_id] = entry
    return named


def _post(
    postings: Sequence[Posting],
    refs: dict[uuid.UUID, AccountRef],
    rows: dict[uuid.UUID, Snapshot],
    tried: list[Outcome],
    *,
    render: Render | None,
    given: dict[str, Decimal],
    is_counted: bool = False,
    is_atomic: bool = False,
    is_trial: bool = False,
) -> list[Outcome]:
    """This will post under the locks that are held. `tried` keeps the outcomes for a retry after a lost COMMIT."""
    if merged := [row.id for row in rows.values() if row.merged_into_id is not None]:
        raise _AccountMerged(merged)
    # Not by a named one: its entry may be another's, and says nothing about the rest. Those are looked up one by one.
    lost = next((outcome for outcome in tried if outcome.entry is not None and not outcome.posting.is_named), None)
    if lost is not None and store.entry(lost.posting.account.id, lost.posting.entry_id) is not None:
        return tried
    facts = _facts(postings, is_answered=render is not None)
    named = _named(postings)
    clocks: dict[uuid.UUID, datetime.datetime] = {}
    for posting in postings:
        clock = max(rows[account.id].clock(posting.at) for account in posting.accounts)
        for account in posting.accounts:
            clocks[account.id] = max(clock, clocks.get(account.id, clock))
    holding = {posting.account.id for posting in postings if posting.type == EntryType.HOLD}
    desk = Desk(rows, refs, clocks=clocks, needs=_needs(postings, rows, clocks), holding=holding)
    books = desk.open()
    counter = Counter(books, named=named, render=render, is_counted=is_counted, given=given)
    tried[:] = [counter.serve(posting, fact) for posting, fact in zip(postings, facts, strict=True)]
    if is_trial:
        # Also what a posting had to write before it could go on, and accounts that were made for it.
        transaction.set_rollback(True)
        return tried
    if is_atomic and any(outcome.refusal for outcome in tried):
        for outcome in tried:
            outcome.entry = outcome.answer = None
        store.write(desk.settled())
        return tried
    store.write(books.values(), counter.records, counter.giving)
    return tried
