"""What customers are written about, and what a text of each may name."""

from collections.abc import Mapping

from django.db import models


class Group(models.TextChoices):
    """What a customer can have no more of, each by itself or all at once."""

    REMINDERS = "reminders", "Reminders"
    TIERS = "tiers", "Tiers"
    CAMPAIGNS = "campaigns", "Campaigns"
    RECEIPTS = "receipts", "Receipts"


# What is kept of a customer who wants nothing of any group, also of one that is yet to come.
ALL = "all"


class Kind(models.TextChoices):
    """What a notice tells."""

    EXPIRING_SOON = "expiring_soon", "Points expire soon"
    TIER_AT_RISK = "tier_at_risk", "A tier falls soon"
    TIER_UP = "tier_up", "A higher tier"
    TIER_DOWN = "tier_down", "A lower tier"
    EARNED = "earned", "Receipt: points earned"
    EARNED_LATER = "earned_later", "Receipt: points earned, available later"
    REDEEMED = "redeemed", "Receipt: points redeemed"
    GIVEN = "given", "Points given by a campaign"


GROUPS: Mapping[Kind, Group] = {
    Kind.EXPIRING_SOON: Group.REMINDERS,
    Kind.TIER_AT_RISK: Group.REMINDERS,
    Kind.TIER_UP: Group.TIERS,
    Kind.TIER_DOWN: Group.TIERS,
    Kind.EARNED: Group.RECEIPTS,
    Kind.EARNED_LATER: Group.RECEIPTS,
    Kind.REDEEMED: Group.RECEIPTS,
    Kind.GIVEN: Group.CAMPAIGNS,
}

# What a programme chooses once for all; about its points each campaign says for itself whether it writes.
CHOSEN = [kind for kind, group in GROUPS.items() if group != Group.CAMPAIGNS]

# What a programme that says nothing else writes about.
USUAL = [kind.value for kind in CHOSEN if GROUPS[kind] != Group.RECEIPTS]

_ALWAYS = {
    "customer_name": "The customer's name, or “dear customer”.",
    "programme": "The name of the programme.",
}
_RECEIPT = {
    "points": "How many: 120 points.",
    "balance": "What the customer had after it: 240 points.",
    "date": "The day, by the programme's clocks.",
}

# The names that a text of a kind may hold, and what stands in their place.
PLACEHOLDERS: Mapping[Kind, Mapping[str, str]] = {
    Kind.EXPIRING_SOON: {
        **_ALWAYS,
        "points": "How many expire on that day: 120 points.",
        "last_day": "The last day on which they can be used.",
        "expires_on": "The day, and the hour, at which they end.",
        "balance": "What the customer had when it was told: 240 points.",
    },
    Kind.TIER_AT_RISK: {
        **_ALWAYS,
        "tier": "The tier that the customer holds.",
        "falls_to": "The tier that it falls to, or “no tier”.",
        "last_day": "The last day of the tier.",
        "points_needed": "What has to be earned until then: 150 points.",
    },
    Kind.TIER_UP: {
        **_ALWAYS,
        "from_tier": "The tier before, or “no tier”.",
        "to_tier": "The tier now.",
        "date": "The day, by the programme's clocks.",
    },
    Kind.TIER_DOWN: {
        **_ALWAYS,
        "from_tier": "The tier before.",
        "to_tier": "The tier now, or “no tier”.",
        "date": "The day, by the programme's clocks.",
    },
    Kind.EARNED: _ALWAYS | _RECEIPT,
    Kind.EARNED_LATER: _ALWAYS | _RECEIPT | {"available_on": "The day from which they can be used."},
    Kind.REDEEMED: _ALWAYS | _RECEIPT,
    Kind.GIVEN: _ALWAYS | _RECEIPT | {"reason": "Why, as the campaign says: a gift for spring."},
}
