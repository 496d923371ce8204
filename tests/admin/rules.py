"""What a form of tiers, rules and campaigns sends, and what is published of it."""

from typing import Any

from loyalty.models import Program
from points.models import Rulebook


def tier(program: Program, **said: Any) -> dict[str, Any]:
    values = {"program": program.pk, "name": "Ruby", "code": "ruby", "color": "#cc0033", "benefits": ""}
    return values | {"threshold": "2500", "multiplier": "1.75"} | said


def rule(program: Program, **said: Any) -> dict[str, Any]:
    values = {"program": program.pk, "name": "Newsletter", "is_active": "on", "kind": "activity", "priority": "0"}
    return values | {"activity": "newsletter", "points": "15"} | said


def campaign(program: Program, **said: Any) -> dict[str, Any]:
    values = {"program": program.pk, "name": "Double days", "code": "double", "is_active": "on", "priority": "0"}
    return values | {"kind": "purchase", "effect": "multiply", "factor": "2"} | said


def newest(program: Program) -> Rulebook:
    """This will answer the version that holds, which the programme must name."""
    rulebook = Rulebook.objects.filter(program=program).latest("version")
    assert rulebook.version == Program.objects.get(pk=program.pk).rules_version
    return rulebook


def published(program: Program, part: str) -> dict[str, dict[str, Any]]:
    """This will answer the rows of a part of the version that holds, by code or name."""
    return {row.get("code") or row["name"]: row for row in newest(program).content[part]}
