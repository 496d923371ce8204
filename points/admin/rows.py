"""Entries and lots as the rows of tables: what happened, which lot paid, what is left. A page reads a page's rows."""

import datetime
import uuid
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from loyalty import console
from loyalty.models import Program
from points import descriptions, expiry
from points.models import EntryType, LotUse, PointAccount, PointLot, PointTransaction

MOST_ENTRIES = 25
MOST_LOTS = 10
# Of an entry that a thousand lots paid, a list names the first few; the entry's own page goes through all.
MOST_USES = 5

ENTRY_HEADERS = ["No.", "When", "What", "Points", "Balance", "From which lots", "Reason", "Reference", "By"]
LOT_HEADERS = ["Lot", "Points", "Left", "State", "Counts from", "Ends"]


def entries(account: PointAccount, *, before: int | None) -> QuerySet[PointTransaction]:
    """This will answer the account's entries below a version, newest first, one more than fits on a page."""
    found = PointTransaction.objects.filter(account_id=account.pk).order_by("-version")
    return (found if before is None else found.filter(version__lt=before))[: MOST_ENTRIES + 1]


def lots(account: PointAccount, *, is_open: bool, page: int) -> QuerySet[PointLot]:
    """This will answer lots, one more than fits on a page: the open ones by their end, or all of them, newest first."""
    found = PointLot.objects.filter(account_id=account.pk)
    if is_open:
        found = found.filter(is_open=True).order_by(F("expires_at").asc(nulls_last=True), "version")
    else:
        found = found.order_by("-version")
    start = (page - 1) * MOST_LOTS
    return found[start : start + MOST_LOTS + 1]


def reason(entry: PointTransaction, program: Program) -> str:
    """This will answer an entry's reason as people read it: texts in the place of description codes."""
    if not descriptions.has_code(entry.told_reason):
        return entry.told_reason
    return descriptions.told(entry.told_reason, descriptions.texts(program, settings.LANGUAGE_CODE))


def changed(entry: PointTransaction) -> Decimal:
    """This will answer the points that people see an entry change: those owned; of a hold, the available ones."""
    is_of_a_hold = entry.type in (EntryType.HOLD, EntryType.RELEASE)
    return entry.balance_after - entry.balance_before if is_of_a_hold else entry.points


def entry_table(account: PointAccount, shown: Sequence[PointTransaction]) -> dict[str, Any]:
    """This will write entries as a table, each with the lots that it took from or gave back to."""
    places, paid, sides = account.definition.decimal_places, _uses(account, shown), others(shown)
    rows = [
        [
            number(entry.version, entry.pk),
            console.moment(entry.effective_at, account.program),
            format_html("{} {}", entry.get_type_display(), sides[entry.pk])
            if entry.pk in sides
            else entry.get_type_display(),
            console.amount(changed(entry), places=places, is_signed=True),
            console.amount(entry.balance_after, places=places),
            format_html_join(", ", "{}", ((text,) for text in paid.get(entry.pk, [console.NOTHING]))),
            reason(entry, account.program),
            entry.reference or console.NOTHING,
            entry.staff_member or entry.actor,
        ]
        for entry in shown
    ]
    return {"headers": ENTRY_HEADERS, "rows": rows}


def lot_table(account: PointAccount, shown: Iterable[PointLot], *, at: datetime.datetime) -> dict[str, Any]:
    """This will write lots as a table; where some came from other accounts, it says from which."""
    places, program, shown = account.definition.decimal_places, account.program, list(shown)
    origins = _origins(account, [lot for lot in shown if lot.origin_id is not None])
    rows = [
        [
            number(lot.version, lot.entry_id),
            console.amount(lot.points, places=places),
            console.amount(lot.remaining, places=places),
            _state(lot, at),
            console.moment(lot.active_from, program) if lot.active_from else "At once",
            end(lot, account),
            *([origins.get(lot.entry_id, console.NOTHING)] if origins else []),
        ]
        for lot in shown
    ]
    return {"headers": [*LOT_HEADERS, "Came"] if origins else LOT_HEADERS, "rows": rows}


def use_table(account: PointAccount, shown: Iterable[LotUse]) -> dict[str, Any]:
    """This will write what an entry did to lots as a table."""
    shown = list(shown)
    lots = _lots(account, shown)
    rows = [[_word(use, lots, account.definition.decimal_places)] for use in shown]
    return {"headers": ["In this order"], "rows": rows}


def story_table(account: PointAccount, lot: PointLot) -> dict[str, Any]:
    """This will write the first entries that took from a lot, or gave back to it, as a table."""
    places = account.definition.decimal_places
    # The account is named twice, because entries are keyed by it.
    found = LotUse.objects.filter(account_id=account.pk, entry__account_id=account.pk, lot_id=lot.pk)
    uses = list(found.order_by("entry__version", "position")[:MOST_LOTS])
    entries_by_id = PointTransaction.objects.filter(account_id=account.pk).in_bulk({use.entry_id for use in uses})
    rows = [
        [
            number(entries_by_id[use.entry_id].version, use.entry_id),
            console.moment(entries_by_id[use.entry_id].effective_at, account.program),
            entries_by_id[use.entry_id].get_type_display(),
            console.amount(-use.points, places=places, is_signed=True),
            entries_by_id[use.entry_id].told_reason,
        ]
        for use in uses
    ]
    return {"headers": ["No.", "When", "What", "Of the lot", "Reason"], "rows": rows}


def number(version: int, entry_id: uuid.UUID) -> SafeString:
    """This will write the number of an entry, or of the lot that it made, as a link to the entry."""
    address = reverse("admin:points_pointtransaction_change", args=[entry_id])
    return format_html('<a href="{}" class="text-link">#{}</a>', address, version)


def others(shown: Iterable[PointTransaction]) -> dict[uuid.UUID, SafeString]:
    """This will answer, by entry, the customer whose points these were or are, and the entry there, of those that
    brought points from another account or to one."""
    two_sided = [entry for entry in shown if entry.other_entry_id is not None]
    found = PointTransaction.objects.filter(
        account_id__in={entry.other_account_id for entry in two_sided},
        id__in=[entry.other_entry_id for entry in two_sided],
    ).select_related("account__customer")
    sides = {entry.pk: entry for entry in found} if two_sided else {}
    return {
        entry.pk: format_html(
            "{} {} {}",
            _direction(entry),
            sides[entry.other_entry_id].account.customer,
            number(sides[entry.other_entry_id].version, entry.other_entry_id),
        )
        for entry in two_sided
        if entry.other_entry_id in sides
    }


def _direction(entry: PointTransaction) -> str:
    if not entry.points:
        return "with"
    if entry.points > 0:
        return "from"
    return "into" if entry.type == EntryType.MERGE else "to"


def _origins(account: PointAccount, lots: Sequence[PointLot]) -> dict[uuid.UUID, SafeString]:
    """This will answer, by the entry that made a lot, from which account it came."""
    if not lots:
        return {}
    made_by = {lot.entry_id for lot in lots}
    return others(PointTransaction.objects.filter(account_id=account.pk, id__in=made_by))


def end(lot: PointLot, account: PointAccount) -> str:
    """This will write when a lot ends, for one that ends by inactivity as things are now."""
    if lot.inactivity_months is None:
        return console.moment(lot.expires_at, account.program) if lot.expires_at else "Never"
    assert lot.active_from is not None
    ends_at = expiry.inactivity_end(
        last_activity_at=account.last_activity_at,
        starts_at=lot.active_from,
        months=lot.inactivity_months,
        zone=ZoneInfo(account.program.timezone),
    )
    return f"{console.moment(ends_at, account.program)}, unless there is activity"


def _state(lot: PointLot, at: datetime.datetime) -> str:
    if not lot.remaining:
        return "Used up"
    return "Pending" if lot.active_from is not None and lot.active_from > at else "Active"


def _uses(account: PointAccount, shown: Sequence[PointTransaction]) -> dict[uuid.UUID, list[Any]]:
    found = LotUse.objects.filter(
        account_id=account.pk, entry_id__in=[entry.pk for entry in shown], position__lte=MOST_USES
    )
    uses = list(found.order_by("entry_id", "position"))
    lots = _lots(account, uses)
    words: dict[uuid.UUID, list[Any]] = {}
    for use in uses:
        is_over = use.position == MOST_USES
        word = "…" if is_over else _word(use, lots, account.definition.decimal_places)
        words.setdefault(use.entry_id, []).append(word)
    return words


def _lots(account: PointAccount, uses: Iterable[LotUse]) -> dict[uuid.UUID, SafeString]:
    """This will write the numbers of the lots that the uses name."""
    lot_ids = {use.lot_id for use in uses if use.lot_id is not None}
    found = PointLot.objects.filter(account_id=account.pk, id__in=lot_ids)
    return {lot.pk: number(lot.version, lot.entry_id) for lot in found}


def _word(use: LotUse, lots: dict[uuid.UUID, SafeString], places: int) -> SafeString | str:
    points = console.amount(abs(use.points), places=places)
    if use.lot_id is None:
        return f"{points} owed" if use.points > 0 else f"{points} of the debt paid"
    lot = lots[use.lot_id]
    if use.is_held:
        return format_html("{} of {} {}", points, lot, "set aside" if use.points > 0 else "not set aside any more")
    if not use.points:
        return format_html("{} became active", lot)
    if use.pays_debt:
        return format_html("{} {} {} for a debt", points, "from" if use.points > 0 else "back to", lot)
    return format_html("{} {} {}", points, "from" if use.points > 0 else "back to", lot)
