"""Where a customer stands: the tier, how far it is to the next and to keep it, and how it came about."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from loyalty import console, in_place
from points import rules
from points.admin import rows, words
from points.models import AccountRef, PointAccount, PointTransaction, TierChange
from points.statements import Statement
from tiers.ladder import Basis, Progress, Standing

MOST_CHANGES = 20
FIGURES = ["Definition", "Balance", "Pending", "Held", "Earned", "Redeemed", "Expired"]
HEADERS = ["When", "From", "To", "Points that counted", "By entry"]


def balances(
    refs: Sequence[AccountRef],
    told: Mapping[uuid.UUID, Statement],
    known: Mapping[uuid.UUID, PointAccount],
    deeds: Mapping[uuid.UUID, Sequence[in_place.Deed]],
) -> dict[str, Any]:
    """This will answer the table of what there is of each kind of points, and of what can be done to it."""
    table = {"headers": FIGURES, "rows": [_figures(ref, told[ref.id], known.get(ref.id)) for ref in refs]}
    return {"title": "Points", "table": in_place.with_deeds(table, [deeds.get(ref.id, ()) for ref in refs])}


def section(account: AccountRef, statement: Statement) -> dict[str, Any] | None:
    """This will answer what a page shows of an account's tier; None where its points do not count for tiers."""
    if statement.tier is None or statement.progress is None:
        return None
    shown = _standing(account, statement.tier, statement.progress)
    if changes := _changes(account):
        shown["table"] = {"headers": HEADERS, "rows": changes}
    return shown


def _figures(ref: AccountRef, told: Statement, account: PointAccount | None) -> list[Any]:
    figures = (
        told.balance,
        told.pending,
        told.held,
        told.lifetime_earned,
        told.lifetime_redeemed,
        told.lifetime_expired,
    )
    return [
        console.link(account, ref.definition) if account else f"{ref.definition} (nothing posted yet)",
        *(console.amount(figure, places=ref.definition.decimal_places) for figure in figures),
    ]


def _standing(account: AccountRef, held: Standing, progress: Progress) -> dict[str, Any]:
    program, places = account.program, account.definition.decimal_places
    facts: list[tuple[str, Any]] = [("Points that count", console.amount(progress.points, places=places))]
    if held.rung is not None and held.since is not None:
        facts.append(("Since", console.moment(held.since, program)))
    if held.rung is not None:
        ends = f"{console.moment(held.until, program)}, if nothing more is earned" if held.until else "No end"
        facts.append(("Until", ends))
    if progress.following is not None and progress.points_to_next is not None:
        missing = console.amount(progress.points_to_next, places=places)
        facts.append(
            (f"To reach {progress.following.name}", f"{missing} more points, {progress.percentage}% of the way")
        )
    if held.rung is not None and progress.points_to_keep > 0:
        facts.append((f"To keep {held.rung.name}", _to_keep(progress.points_to_keep, places, progress.projected)))
    return {
        "name": words.swatch(held.rung.color, held.rung.name) if held.rung else "No tier yet",
        "color": held.rung.color if held.rung else None,
        "following": progress.following.name if progress.following else None,
        "percentage": progress.percentage,
        "facts": facts,
    }


def _to_keep(points: Decimal, places: int, projected: Any) -> str:
    otherwise = projected.name if projected else "no tier"
    return f"{console.amount(points, places=places)} more points before it ends, or else {otherwise}"


def _changes(account: AccountRef) -> list[list[Any]]:
    found = TierChange.objects.filter(account_id=account.id).select_related("from_tier", "to_tier")
    # Ids are drawn in order of time.
    changes = list(found.order_by("-id")[:MOST_CHANGES])
    versions = _versions(account, changes)
    places = account.definition.decimal_places
    return [
        [
            console.moment(change.effective_at, account.program),
            change.from_tier or console.NOTHING,
            change.to_tier or console.NOTHING,
            console.amount(change.points, places=places),
            rows.number(versions[change.entry_id], change.entry_id) if change.entry_id else _by_no_entry(account),
        ]
        for change in changes
    ]


def _by_no_entry(account: AccountRef) -> str:
    ladder = rules.of(account.program).ladder
    return "The rules changed" if ladder and ladder.basis == Basis.LIFETIME else "Time passed, or the rules changed"


def _versions(account: AccountRef, changes: Iterable[TierChange]) -> dict[Any, int]:
    entry_ids = [change.entry_id for change in changes if change.entry_id is not None]
    found = PointTransaction.objects.filter(account_id=account.id, id__in=entry_ids)
    return dict(found.values_list("id", "version"))
