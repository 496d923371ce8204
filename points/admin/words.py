"""Rules and campaigns in plain words, whether they are rows or what was published of them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from loyalty import console
from loyalty.models import Program
from points.terms import Effect, Kind

_DEEDS = {
    Kind.PURCHASE: "purchases",
    Kind.BONUS: "bonuses",
    Kind.REFERRAL: "referrals",
    Kind.ACTIVITY: "activities",
    Kind.MANUAL: "manual awards",
}
_LIMITS = {
    "most_per_transaction": "at once",
    "most_per_day": "a day",
    "most_per_month": "a month",
    "most_per_customer": "for each customer",
    "most_in_all": "in all",
}


def number(value: Decimal) -> str:
    """This will write a number without the zeros at its end."""
    return f"{value.normalize():,f}"


def points(value: Decimal) -> str:
    """This will write so many points."""
    return f"{number(value)} point{'' if value == 1 else 's'}"


def swatch(color: str, name: str) -> SafeString:
    """This will write the name of a tier beside its colour."""
    return format_html('<span><span class="console-swatch" style="background: {}"></span>{}</span>', color, name)


def times(factor: Decimal) -> str:
    """This will write what points are multiplied by."""
    return f"{number(factor)} ×"  # noqa: RUF001  # a sign of arithmetic


def earned(rule: Any, program: Program) -> str:
    """This will say what a rule gives."""
    if rule.rate is not None:
        return f"{points(rule.rate)} for each {program.currency}"
    if rule.points is not None:
        return f"{points(rule.points)} for {rule.activity or _DEEDS[Kind(rule.kind)]}"
    return "The points that are sent"


def effect(campaign: Any) -> str:
    """This will say what a campaign does."""
    deeds = _DEEDS[Kind(campaign.kind)]
    if campaign.effect == Effect.ADD:
        return f"+{points(campaign.points or Decimal(0))} for {deeds}"
    return f"{times(campaign.factor or Decimal(1))} the points of {deeds}"


def period(terms: Any, program: Program) -> str:
    """This will say from when until when something holds."""
    starts = console.moment(terms.starts_at, program) if terms.starts_at else ""
    ends = console.moment(terms.ends_at, program) if terms.ends_at else ""
    if starts and ends:
        return f"{starts} to {ends}"
    if starts:
        return f"From {starts}"
    return f"Until {ends}" if ends else "Always"


def limits(terms: Any) -> str:
    """This will say what the most is that something gives."""
    known = ((getattr(terms, name, None), unit) for name, unit in _LIMITS.items())
    return _joined(f"{number(most)} {unit}" for most, unit in known if most is not None)


def conditions(terms: Any, program: Program) -> str:
    """This will say what must be true for a rule or a campaign to hold."""
    found = []
    if terms.smallest_purchase:
        found.append(f"from {number(terms.smallest_purchase)} {program.currency}")
    named = ((name, getattr(terms, name, ())) for name in ("shops", "categories", "tiers"))
    found += [f"{name}: {', '.join(values)}" for name, values in named if values]
    if getattr(terms, "first_purchase_only", False):
        found.append("first purchase only")
    return _joined(found)


def _joined(found: Iterable[str]) -> str:
    text = "; ".join(found)
    return text[:1].upper() + text[1:] or console.NOTHING
