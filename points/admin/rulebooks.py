"""The versions of a programme's rules: what held when, who published it, and what was different before."""

import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from loyalty import console
from loyalty.models import Program
from points import rules
from points.admin import words
from points.models import Campaign, EarningRule, EarningScheme, Rulebook
from tiers.ladder import Basis, Fall, Ladder
from tiers.models import Tier, TierScheme

# Parts of the content that are lists of rows, and those that are a row; what staff call each.
_LISTS: Mapping[str, tuple[str, type[models.Model]]] = {
    "tiers": ("Tier", Tier),
    "rules": ("Earning rule", EarningRule),
    "campaigns": ("Campaign", Campaign),
}
_SINGLES: Mapping[str, tuple[str, type[models.Model]]] = {
    "scheme": ("Tiers", TierScheme),
    "earning": ("Earning", EarningScheme),
}


@admin.register(Rulebook)
class RulebookAdmin(console.ReadOnlyAdmin):
    list_display = ("version", "program", "published", "published_by", "is_newest")
    list_select_related = ("program",)
    list_filter = ("program",)
    ordering = ("program__name", "program", "-version")
    fields = (("program", "version"), ("published", "published_by"))
    change_form_outer_after_template = "admin/tables.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        rulebook = self.get_object(request, object_id)
        sections = {} if rulebook is None or not self.has_view_permission(request) else _sections(rulebook)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    @display(description="Published")
    def published(self, rulebook: Rulebook) -> str:
        return console.moment(rulebook.published_at, rulebook.program)

    @display(description="Holds now", boolean=True)
    def is_newest(self, rulebook: Rulebook) -> bool:
        return rulebook.version == rulebook.program.rules_version


def _sections(rulebook: Rulebook) -> dict[str, Any]:
    """This will answer what a version said, after what it changed."""
    program = rulebook.program
    title = f"Version {rulebook.version} of the rules of {program}"
    tables = [_difference(rulebook), *_content(rules.edition(program=program, version=rulebook.version), program)]
    return {"original": console.Titled(rulebook, title), "title": title, "tables": tables}


def _content(book: rules.Book, program: Program) -> Iterator[dict[str, Any]]:
    if book.ladder is not None:
        yield {"title": _measured(book.ladder), "table": _tiers(book.ladder)}
    earning = book.earning
    rows: list[list[Any]] = [
        [
            rule.name,
            words.earned(rule, program),
            words.limits(rule),
            words.period(rule, program),
            words.conditions(rule, program),
            rule.priority,
        ]
        for rule in earning.rules
    ]
    headers = ["Rule", "Gives", "At most", "Holds", "Asks for", "Priority"]
    yield {"title": "Earning rules", "table": _table(headers, rows, otherwise="There are none.")}
    rows = [
        [
            campaign.code,
            words.effect(campaign),
            words.limits(campaign),
            words.period(campaign, program),
            words.conditions(campaign, program),
            campaign.priority,
        ]
        for campaign in earning.campaigns
    ]
    headers = ["Campaign", "Does", "At most", "Holds", "Asks for", "Priority"]
    yield {"title": "Campaigns", "table": _table(headers, rows, otherwise="There are none.")}
    rows = [
        ["Several campaigns at once", earning.combination.label],
        ["Purchases earn on", earning.spend_basis.label],
        ["Categories that earn nothing", ", ".join(earning.excluded_categories) or console.NOTHING],
    ]
    yield {"title": "All rules", "table": {"headers": ["What", "How"], "rows": rows}}


def _measured(ladder: Ladder) -> str:
    match ladder.basis:
        case Basis.LIFETIME:
            return "Tiers, by all points ever earned"
        case Basis.ROLLING:
            basis = f"by the points of the last {ladder.window_months} months"
        case _:
            basis = "by the points of a calendar year"
    falls = "one tier at a review" if ladder.fall == Fall.STEP else "to what is reached"
    return f"Tiers, {basis}; they fall {falls}, {ladder.grace_days} days later"


def _tiers(ladder: Ladder) -> dict[str, Any]:
    rows = [
        [
            words.swatch(rung.color, rung.name),
            rung.code,
            words.points(rung.threshold),
            words.times(rung.multiplier),
            "; ".join(rung.benefits) or console.NOTHING,
        ]
        for rung in ladder.rungs
    ]
    return {"headers": ["Tier", "Code", "From", "Purchases earn", "Benefits"], "rows": rows}


def _difference(rulebook: Rulebook) -> dict[str, Any]:
    before = Rulebook.objects.filter(program=rulebook.program, version=rulebook.version - 1).first()
    if before is None:
        return {"title": "The first version", "table": _table([], [], otherwise="There was none before it.")}
    rows = list(_changes(before.content, rulebook.content, rulebook.program))
    headers = ["What", "Which", f"In version {before.version}", f"In version {rulebook.version}"]
    table = _table(headers, rows, otherwise="Nothing.")
    return {"title": f"What is different from version {before.version}", "table": table}


def _table(headers: list[str], rows: list[list[Any]], *, otherwise: str) -> dict[str, Any]:
    return {"headers": headers, "rows": rows} if rows else {"headers": [], "rows": [[otherwise]]}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], program: Program) -> Iterator[list[Any]]:
    for part, (word, model) in _LISTS.items():
        olds = {row["id"]: row for row in old[part]}
        news = {row["id"]: row for row in new[part]}
        for key in olds | news:
            name = f"{word} {_named(news.get(key) or olds[key])}"
            if key not in olds:
                yield [name, console.NOTHING, console.NOTHING, "New"]
            elif key not in news:
                yield [name, console.NOTHING, "There", "Gone"]
            else:
                yield from _fields(name, model, olds[key], news[key], program)
    for part, (word, model) in _SINGLES.items():
        yield from _fields(word, model, old[part], new[part], program)


def _fields(
    name: str, model: type[models.Model], old: Mapping[str, Any], new: Mapping[str, Any], program: Program
) -> Iterator[list[Any]]:
    for field in new:
        before, after = (_shown(model, field, row.get(field), program) for row in (old, new))
        if before != after:
            verbose = str(model._meta.get_field(field).verbose_name)  # type: ignore[union-attr]
            yield [name, verbose[:1].upper() + verbose[1:], before, after]


def _named(row: Mapping[str, Any]) -> str:
    return row.get("name") or row["code"]


def _shown(model: type[models.Model], name: str, value: Any, program: Program) -> str:
    """This will write what the content has of a field as a person reads it."""
    if value in (None, "", []):
        return console.NOTHING
    if isinstance(value, list):
        return ", ".join(value)
    field = model._meta.get_field(name)
    match field:
        case models.DecimalField():
            return words.number(Decimal(value))
        case models.DateTimeField():
            return console.moment(datetime.datetime.fromisoformat(value), program)
        case models.BooleanField():
            return "Yes" if value else "No"
        case models.Field() if field.choices:
            return str(dict(field.flatchoices).get(value, value))
    return str(value)
