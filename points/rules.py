"""The rulebook of a programme: its tiers and what earns, in versions that never change.

Staff edit rows; publishing makes the next version of them. The programme's row names the newest one, and comes with the
caller's key, so that no posting has to ask which rules hold.
"""

import dataclasses
import functools
import itertools
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models, transaction

from loyalty.models import Program
from points.models import CampaignBudget, EarningRule, EarningScheme, Rulebook
from points.terms import Campaign, Combination, Effect, Kind, Rule, Rules, SpendBasis
from tiers.ladder import Basis, Fall, Ladder, Rung
from tiers.models import Tier, TierScheme


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Book:
    """What holds since it was published: the ladder of tiers, if there are any, and what earns."""

    ladder: Ladder | None = None
    earning: Rules = dataclasses.field(default_factory=Rules)
    published_at: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Epoch:
    """Until when a ladder is looked at, and whether another has taken its place by now."""

    until: datetime
    ladder: Ladder | None
    is_over: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Ladders:
    """The ladders of a programme, each in its own time. Before the first one was published the one of today holds: an
    import posts the past by the rules that there are."""

    program: Program

    @property
    def newest(self) -> Ladder | None:
        """The ladder of today."""
        return of(self.program).ladder

    def at(self, moment: datetime) -> Epoch:
        """This will answer the ladder that holds at a moment."""
        newest = of(self.program)
        if newest.published_at is None or moment >= newest.published_at:
            return Epoch(moment, newest.ladder, is_over=False)
        held = [version for version, since in self._versions() if since <= moment]
        if not held:
            return Epoch(moment, newest.ladder, is_over=False)
        return Epoch(moment, edition(program=self.program, version=held[-1]).ladder, is_over=True)

    def between(self, after: datetime | None, until: datetime) -> list[Epoch]:
        """This will answer the ladders that held one after another from `after` on, the last one at `until`."""
        newest = of(self.program)
        if after is None or newest.published_at is None or after >= newest.published_at:
            return [self.at(until)]
        versions = self._versions()
        (_, first_at), *_ = versions
        before = [Epoch(first_at, newest.ladder, is_over=True)] if after < first_at else []
        replaced = [
            Epoch(replaced_at, edition(program=self.program, version=version).ladder, is_over=True)
            for (version, _), (_, replaced_at) in itertools.pairwise(versions)
            if after < replaced_at
        ]
        return [*(epoch for epoch in before + replaced if epoch.until <= until), self.at(until)]

    def _versions(self) -> tuple[tuple[int, datetime], ...]:
        return _versions(self.program.pk, self.program.rules_version)


_NONE = Book()

_TIER = ("id", "code", "name", "threshold", "multiplier", "benefits", "color")
_SCHEME = ("basis", "window_months", "grace_days", "fall")
_TERMS = ("id", "kind", "priority", "starts_at", "ends_at", "smallest_purchase", "shops", "categories")
_RULE = (*_TERMS, "name", "activity", "rate", "points", "most_per_transaction", "most_per_day", "most_per_month")
_CAMPAIGN = (
    *_TERMS,
    "code",
    "effect",
    "factor",
    "points",
    "tiers",
    "first_purchase_only",
    "most_per_customer",
    "most_in_all",
    "expires_after_days",
)
_EARNING = ("combination", "spend_basis", "excluded_categories")

_DEFAULT_TIERS = (
    ("bronze", "Bronze", 0, "1", "#a97142", ["Points on every purchase"]),
    ("silver", "Silver", 500, "1.25", "#8d9aa5", ["25% more points"]),
    ("gold", "Gold", 1500, "1.5", "#c9a227", ["50% more points"]),
    ("platinum", "Platinum", 5000, "2", "#5b6b8c", ["Twice the points"]),
)
_DEFAULT_ACTIVITIES = {"check_in": 5, "review": 10, "social_share": 3, "app_download": 25}


def of(program: Program) -> Book:
    """This will answer what holds in the programme, as the row says that was read of it."""
    return _read(program.pk, program.rules_version, program.timezone) if program.rules_version else _NONE


def edition(*, program: Program, version: int) -> Book:
    """This will answer what held in the programme by a version."""
    return _read(program.pk, version, program.timezone)


def publish(*, program: Program, by: str, at: datetime | None = None) -> int:
    """This will make the rows, as they are now, the programme's next version, and answer its number. It holds from `at`
    on, which is now unless it is told."""
    with transaction.atomic():
        # The programme's row is what two that publish at once wait for.
        locked = Program.objects.select_for_update(no_key=True).get(pk=program.pk)
        version = locked.rules_version + 1
        rulebook = Rulebook(program=locked, version=version, content=_content(locked), published_by=by)
        if at is not None:
            rulebook.published_at = at
        rulebook.save(force_insert=True)
        for campaign in locked.campaigns.filter(most_in_all__isnull=False):
            CampaignBudget.objects.get_or_create(campaign=campaign)
        locked.rules_version = version
        locked.save(update_fields=["rules_version"])
    program.rules_version = version
    return version


def give_defaults(*, program: Program, by: str, at: datetime | None = None) -> None:
    """This will give a new programme four tiers, and rules for purchases and some activities, from `at` on."""
    with transaction.atomic():
        TierScheme.objects.create(program=program)
        EarningScheme.objects.create(program=program)
        for code, name, threshold, multiplier, color, benefits in _DEFAULT_TIERS:
            Tier.objects.create(
                program=program,
                code=code,
                name=name,
                threshold=Decimal(threshold),
                multiplier=Decimal(multiplier),
                color=color,
                benefits=benefits,
            )
        EarningRule.objects.create(
            program=program,
            name="Purchases",
            kind=Kind.PURCHASE,
            rate=Decimal(2),
            smallest_purchase=Decimal("0.01"),
            most_per_transaction=Decimal(10_000),
        )
        for activity, points in _DEFAULT_ACTIVITIES.items():
            EarningRule.objects.create(
                program=program,
                name=activity.replace("_", " ").capitalize(),
                kind=Kind.ACTIVITY,
                activity=activity,
                points=Decimal(points),
            )
        publish(program=program, by=by, at=at)


@functools.lru_cache(maxsize=1000)
def _versions(program_id: uuid.UUID, newest: int) -> tuple[tuple[int, datetime], ...]:
    """This will read which versions there are up to one, in their order, and when each was published."""
    published = Rulebook.objects.filter(program_id=program_id, version__lte=newest)
    return tuple(published.order_by("version").values_list("version", "published_at"))


@functools.lru_cache(maxsize=1000)
def _read(program_id: uuid.UUID, version: int, timezone: str) -> Book:
    rulebook = Rulebook.objects.get(program_id=program_id, version=version)
    content = rulebook.content
    rungs = tuple(_parsed(Rung, row) for row in content["tiers"])
    ladder = _parsed(Ladder, content["scheme"] | {"rungs": rungs, "zone": ZoneInfo(timezone)}) if rungs else None
    return Book(
        ladder=ladder,
        published_at=rulebook.published_at,
        earning=_parsed(
            Rules,
            content["earning"]
            | {
                "version": version,
                "rules": tuple(_parsed(Rule, row) for row in content["rules"]),
                "campaigns": tuple(_parsed(Campaign, row) for row in content["campaigns"]),
            },
        ),
    )


def _content(program: Program) -> dict[str, Any]:
    scheme = TierScheme.objects.filter(program=program).first() or TierScheme(program=program)
    wide = EarningScheme.objects.filter(program=program).first() or EarningScheme(program=program)
    return {
        "tiers": _told(program.tiers.order_by("threshold"), _TIER),
        "scheme": _told([scheme], _SCHEME)[0],
        # Of rules with equal priority the older one holds.
        "rules": _told(program.earning_rules.filter(is_active=True).order_by("id"), _RULE),
        "campaigns": _told(program.campaigns.filter(is_active=True).order_by("id"), _CAMPAIGN),
        "earning": _told([wide], _EARNING)[0],
    }


def _told(rows: Iterable[models.Model], columns: Iterable[str]) -> list[dict[str, Any]]:
    return [{column: _plain(getattr(row, column)) for column in columns} for row in rows]


def _plain(value: Any) -> Any:
    """This will answer what JSON can say: exact amounts and moments as texts."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal | uuid.UUID) else value


# What each text of the content means, by the name of its field.
_MEANINGS: Mapping[str, Any] = {
    "threshold": Decimal,
    "multiplier": Decimal,
    "smallest_purchase": Decimal,
    "rate": Decimal,
    "points": Decimal,
    "factor": Decimal,
    "most_per_transaction": Decimal,
    "most_per_day": Decimal,
    "most_per_month": Decimal,
    "most_per_customer": Decimal,
    "most_in_all": Decimal,
    "starts_at": datetime.fromisoformat,
    "ends_at": datetime.fromisoformat,
    "benefits": tuple,
    "shops": tuple,
    "categories": tuple,
    "tiers": tuple,
    "excluded_categories": tuple,
    "basis": Basis,
    "fall": Fall,
    "kind": Kind,
    "effect": Effect,
    "combination": Combination,
    "spend_basis": SpendBasis,
}


def _parsed(kind: Any, row: Mapping[str, Any]) -> Any:
    known = {name: _meant(name, value) for name, value in row.items()}
    if kind is Rung:
        known["id"] = uuid.UUID(row["id"])
    # A campaign that multiplies has no points of its own, one that adds has no factor: as the type has it then.
    return kind(**{name: value for name, value in known.items() if value is not None})


def _meant(name: str, value: Any) -> Any:
    return value if value is None or name not in _MEANINGS else _MEANINGS[name](value)
