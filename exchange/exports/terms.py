"""What a programme says: its kinds of points, its tiers, and every version of its rules."""

from collections.abc import Iterator

from exchange.exports.base import Export, Range, Row
from loyalty.models import Program


def _definitions(program: Program, _: Range) -> Iterator[Row]:
    for kind in program.definitions.order_by("number"):
        yield [
            kind.number,
            kind.code,
            kind.name,
            kind.description,
            kind.decimal_places,
            kind.expiry_policy,
            kind.expiry_count,
            kind.expiry_month,
            kind.expiry_day,
            kind.may_go_negative,
            kind.clawback,
            kind.point_value,
            kind.is_default,
            kind.counts_for_tiers,
            kind.created_at,
        ]


def _tiers(program: Program, _: Range) -> Iterator[Row]:
    for tier in program.tiers.order_by("threshold"):
        yield [tier.code, tier.name, tier.threshold, tier.multiplier, tier.benefits, tier.color]


def _rulebooks(program: Program, dates: Range) -> Iterator[Row]:
    for book in program.rulebooks.order_by("version").iterator():
        if dates.holds(book.published_at):
            yield [book.version, book.published_at, book.published_by, book.content]


EXPORTS = {
    "definitions": Export(
        title="Point definitions",
        columns=(
            *("number", "code", "name", "description", "decimal_places", "expiry_policy", "expiry_count"),
            *("expiry_month", "expiry_day", "may_go_negative", "clawback", "point_value", "is_default"),
            *("counts_for_tiers", "created_at"),
        ),
        rows=_definitions,
        has_dates=False,
    ),
    "tiers": Export(
        title="Tiers",
        columns=("code", "name", "threshold", "multiplier", "benefits", "color"),
        rows=_tiers,
        has_dates=False,
    ),
    "rulebooks": Export(
        title="Versions of the rules",
        columns=("version", "published_at", "published_by", "content"),
        rows=_rulebooks,
    ),
}
