"""What earning rules say, what a customer did, and what that comes to: plain data, see `points/earning.py`."""

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import TextChoices
from django.utils.translation import gettext_noop

from tiers.ladder import ZERO

ONE = Decimal(1)
_UTC = ZoneInfo("UTC")


class Kind(TextChoices):
    """What points are earned for."""

    PURCHASE = "purchase", gettext_noop("Purchase")
    BONUS = "bonus", gettext_noop("Bonus")
    REFERRAL = "referral", gettext_noop("Referral")
    ACTIVITY = "activity", gettext_noop("Activity")
    MANUAL = "manual", gettext_noop("Manual")


class Effect(TextChoices):
    """What a campaign does."""

    MULTIPLY = "multiply", "Multiply the points"
    ADD = "add", "Add points"


class Combination(TextChoices):
    """What becomes of several campaigns that hold at once."""

    BEST = "best", "The best one counts"
    SUM = "sum", "They add up"


class SpendBasis(TextChoices):
    """Which amount of a purchase earns that was partly paid with points."""

    BEFORE = "before", "The amount before the redemption"
    AFTER = "after", "The amount after the redemption"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """When a rule or a campaign holds. `categories` and `shops` that are empty mean all."""

    id: str
    kind: Kind
    priority: int = 0
    starts_at: datetime.datetime | None = None
    ends_at: datetime.datetime | None = None
    smallest_purchase: Decimal | None = None
    shops: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def holds(self, deed: "Deed") -> bool:
        """This will answer whether it is for such a deed, and the deed is enough for it."""
        return self.applies(deed) and self.is_enough(deed)

    def applies(self, deed: "Deed") -> bool:
        """This will answer whether it is for such a deed: of its kind, in its time and in its shops."""
        return (
            self.kind == deed.kind
            and (self.starts_at is None or self.starts_at <= deed.at)
            and (self.ends_at is None or deed.at < self.ends_at)
            and (not self.shops or deed.shop in self.shops)
        )

    def is_enough(self, deed: "Deed") -> bool:
        """This will answer whether the deed is large enough for it, and has a line of its categories."""
        return (self.smallest_purchase is None or (deed.amount or ZERO) >= self.smallest_purchase) and (
            not self.categories or any(line.category in self.categories for line in deed.lines)
        )


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rule(Terms):
    """How many points something earns: `rate` a unit of the currency, or fixed `points`."""

    name: str
    activity: str = ""
    rate: Decimal | None = None
    points: Decimal | None = None
    most_per_transaction: Decimal | None = None
    most_per_day: Decimal | None = None
    most_per_month: Decimal | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Campaign(Terms):
    """What multiplies or adds to that."""

    code: str
    effect: Effect
    factor: Decimal = ONE
    points: Decimal = ZERO
    tiers: tuple[str, ...] = ()
    first_purchase_only: bool = False
    most_per_customer: Decimal | None = None
    most_in_all: Decimal | None = None
    expires_after_days: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """All of a programme that earns, in one version."""

    version: int = 0
    rules: tuple[Rule, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    combination: Combination = Combination.BEST
    spend_basis: SpendBasis = SpendBasis.BEFORE
    excluded_categories: tuple[str, ...] = ()

    def limited_in_all(self, deed: "Deed") -> list[Campaign]:
        """This will answer the campaigns that may give something for the deed, and not to everybody without end."""
        return [campaign for campaign in self.campaigns if campaign.most_in_all is not None and campaign.holds(deed)]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line of the cart."""

    category: str
    amount: Decimal


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Deed:
    """What a customer did. `points` are those that the caller sent; `discount` is what points paid of the amount."""

    kind: Kind
    at: datetime.datetime
    points: Decimal | None = None
    amount: Decimal | None = None
    discount: Decimal = ZERO
    activity: str = ""
    shop: str = ""
    campaign: str = ""
    lines: Sequence[Line] = ()

    def without(self, categories: Sequence[str]) -> "Deed":
        """This will answer the deed as if its lines of these categories had not been bought."""
        if not self.lines or not categories:
            return self
        left = [line for line in self.lines if line.category not in categories]
        if len(left) == len(self.lines):
            return self
        bought = sum((line.amount for line in self.lines if line.category in categories), ZERO)
        return dataclasses.replace(self, lines=left, amount=max((self.amount or ZERO) - bought, ZERO))


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """Who did it: the tier held, what was earned before under a name, what campaigns have given in all by id."""

    tier: str | None = None
    multiplier: Decimal = ONE
    tallied: Callable[[str], Decimal] = lambda _: ZERO
    given: Mapping[str, Decimal] = dataclasses.field(default_factory=dict)
    decimal_places: int = 0
    zone: ZoneInfo = _UTC


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Calculation:
    """How many points, and how they came about. `campaigns` are their parts, by code."""

    points: Decimal
    base: Decimal
    multiplier: Decimal = ONE
    tier: str | None = None
    campaigns: Mapping[str, Decimal] = dataclasses.field(default_factory=dict)
    cap: Decimal | None = None
    rule: str | None = None
    version: int = 0
    # What the customer's tallies and the campaigns' budgets gain.
    tallies: Mapping[str, Decimal] = dataclasses.field(default_factory=dict)
    budgets: Mapping[str, Decimal] = dataclasses.field(default_factory=dict)
    expires_after_days: int | None = None

    def told(self) -> dict[str, object]:
        """This will answer what is stored with the entry and told to callers; amounts are texts, for they are exact."""
        return {
            "base": text(self.base),
            "multiplier": text(self.multiplier),
            "tier": self.tier,
            "campaigns": [{"code": code, "points": text(points)} for code, points in self.campaigns.items()],
            "cap": None if self.cap is None else text(self.cap),
            "rule": self.rule,
            "rule_version": self.version,
            "points": text(self.points),
        }


def text(amount: Decimal) -> str:
    """This will write an amount exactly, as JSON keeps it: without an exponent and without zeros at its end."""
    return f"{amount.normalize():f}"
