"""The ledger: entries, lots and what was taken of them, holds, tiers as they were reached, events."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from events import log
from exchange.exports import base
from exchange.exports.base import Export, Range, Row
from loyalty import ids
from loyalty.models import Program
from points import histories
from points.models import Hold, LotUse, PointLot, TierChange


def _entries(program: Program, dates: Range) -> Iterator[Row]:
    entries = histories.of_program(program=program).select_related("account__customer", "account__definition", "card")
    for entry in base.in_order(entries, dates):
        yield [
            ids.public("txn", entry.pk),
            entry.created_at,
            entry.effective_at,
            entry.transaction_date,
            *base.named(entry.account.customer),
            entry.account.definition.code,
            entry.version,
            entry.type,
            entry.points,
            entry.balance_before,
            entry.balance_after,
            entry.pending_after,
            entry.held_after,
            entry.shortfall,
            entry.valid_from,
            entry.expires_at,
            entry.told_reason,
            entry.reference,
            entry.source,
            entry.line_item_id,
            entry.staff_member,
            entry.actor,
            entry.card.number if entry.card else None,
            ids.public("txn", entry.reverses_id) if entry.reverses_id else None,
            entry.metadata,
        ]


def _lots(program: Program, _: Range) -> Iterator[Row]:
    for lot, whose in _of_accounts(program, PointLot.objects.order_by("account_id", "version", "id")):
        yield [
            *whose,
            ids.public("txn", lot.entry_id),
            lot.points,
            lot.remaining,
            lot.active_from,
            lot.expires_at,
            lot.inactivity_months,
            lot.pk,
        ]


def _uses(program: Program, _: Range) -> Iterator[Row]:
    for use, whose in _of_accounts(program, LotUse.objects.order_by("account_id", "entry_id", "position")):
        yield [*whose, ids.public("txn", use.entry_id), use.lot_id, use.points, use.pays_debt, use.is_held]


def _holds(program: Program, dates: Range) -> Iterator[Row]:
    for hold, whose in _of_accounts(program, Hold.objects.order_by("account_id", "id")):
        if dates.holds(hold.created_at):
            yield [
                ids.public("hld", hold.id),
                *whose,
                hold.points,
                hold.captured_points,
                hold.status,
                hold.reference,
                hold.created_at,
                hold.expires_at,
                hold.resolved_at,
                ids.public("txn", hold.resolved_by_id) if hold.resolved_by_id else None,
                hold.metadata,
            ]


def _tier_changes(program: Program, dates: Range) -> Iterator[Row]:
    changes = TierChange.objects.select_related("from_tier", "to_tier").order_by("account_id", "id")
    for change, whose in _of_accounts(program, changes):
        if dates.holds(change.effective_at):
            yield [
                *whose,
                change.from_tier.code if change.from_tier else None,
                change.to_tier.code if change.to_tier else None,
                change.points,
                change.effective_at,
                ids.public("txn", change.entry_id) if change.entry_id else None,
            ]


def _of_accounts(program: Program, rows: QuerySet[Any]) -> Iterator[tuple[Any, Row]]:
    """This will answer rows of the programme's accounts, each with whose it is and the code of its kind of points."""
    for customers in base.all_customers(program, base.FEW):
        accounts = {account.pk: account for account in base.accounts_of(program, customers)}
        for row in rows.filter(account_id__in=list(accounts)).iterator(chunk_size=base.PAGE):
            account = accounts[row.account_id]
            yield row, [*base.named(customers[account.customer_id]), account.definition.code]


def _events(program: Program, dates: Range) -> Iterator[Row]:
    for event in base.in_order(log.of_program(program=program), dates):
        yield [
            ids.public("evt", event.pk),
            event.created_at,
            event.type,
            ids.public("cus", event.customer_id),
            event.sequence,
            ids.public("txn", event.subject_id) if event.sequence is not None else None,
            event.data,
        ]


EXPORTS = {
    "entries": Export(
        title="Ledger entries",
        columns=(
            *("id", "created_at", "effective_at", "transaction_date", *base.WHOSE, "definition", "version", "type"),
            *("points", "balance_before", "balance_after", "pending_after", "held_after", "shortfall", "valid_from"),
            *("expires_at", "reason", "reference", "source", "line_item_id", "staff_member", "actor", "card_number"),
            *("reverses", "metadata"),
        ),
        rows=_entries,
    ),
    "lots": Export(
        title="Lots",
        columns=(
            *base.WHOSE,
            *("definition", "entry_id", "points", "remaining", "active_from", "expires_at", "inactivity_months"),
            "lot_id",
        ),
        rows=_lots,
        has_dates=False,
    ),
    "uses": Export(
        title="What was taken of lots",
        columns=(*base.WHOSE, "definition", "entry_id", "lot_id", "points", "pays_debt", "is_held"),
        rows=_uses,
        has_dates=False,
    ),
    "holds": Export(
        title="Holds",
        columns=(
            *("id", *base.WHOSE, "definition", "points", "captured_points", "status", "reference", "created_at"),
            *("expires_at", "resolved_at", "resolved_by", "metadata"),
        ),
        rows=_holds,
    ),
    "tier_changes": Export(
        title="Changes of tier",
        columns=(*base.WHOSE, "definition", "from_tier", "to_tier", "points", "effective_at", "entry_id"),
        rows=_tier_changes,
    ),
    "events": Export(
        title="Events",
        columns=("id", "created_at", "type", "customer_id", "sequence", "entry_id", "data"),
        rows=_events,
    ),
}
