"""What callers send to be awarded on the shop face, and what they are answered."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from loyalty.api import fields
from loyalty.api.fields import optional
from loyalty.api.serializers import Faults, Input, Output
from points.terms import Kind

NULLABLE_TEXT = {"allow_null": True, "schema": {"type": "string", "nullable": True}}
_LONGEST_WORD = 255
_EXACT = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "example": "64"}


class EarningInput(Input):
    """A purchase, an activity, a bonus, a referral, or points that staff give."""

    card_id = fields.SerialInput()
    transaction_type = fields.Choice(among=tuple(Kind.values))
    points = fields.PositivePoints(
        **optional(help_text="Exactly so many; left out: as many as the programme's rules work out.")
    )
    purchase_amount = fields.Money(**optional(help_text="What was paid; required for a purchase."))
    activity = fields.Code(**optional(help_text="Which one: `check_in`. For an activity."))
    description = fields.Text(max_length=255, may_be_empty=True, **optional(help_text="What the customer reads."))
    metadata = fields.Metadata(
        **optional(
            help_text="`shop_id`, `order_id`, `campaign_id` are known to rules and searches; anything else is kept."
        )
    )

    def faults_together(self, data: Mapping[str, Any]) -> Faults:
        """This will ask a purchase for its amount, and an activity for its name, unless points are sent."""
        kind = data.get("transaction_type")
        if kind == Kind.PURCHASE and data.get("purchase_amount") is None:
            return _missing("purchase_amount")
        if kind == Kind.ACTIVITY and data.get("points") is None and data.get("activity") is None:
            return _missing("activity") | _missing("points")
        return {}


class AwardedTransaction(Output):
    """The award."""

    id = fields.Count()
    points_awarded = fields.Amount()
    transaction_type = fields.Words()
    description = fields.Words()
    created_at = fields.Time()


class AwardedBalance(Output):
    """What the customer has now. `tier` and `next_tier_points` are null where the programme has no tiers."""

    current_points = fields.Amount()
    previous_points = fields.Amount()
    tier = fields.Words(**NULLABLE_TEXT)
    tier_upgraded = fields.Bool()
    next_tier_points = fields.Amount(allow_null=True)


class Awarded(Output):
    """An award, and what the customer has now."""

    transaction = AwardedTransaction()
    balance = AwardedBalance()


class CampaignPart(Output):
    """What a campaign gave of it."""

    code = fields.Words(schema={"example": "double-week"})
    points = fields.Words(schema=_EXACT)


class CalculationTold(Output):
    """How the points came about. Its amounts are strings: they are exact."""

    base = fields.Words(help_text="By the rule alone.", schema={"type": "string", "example": "51.98"})
    multiplier = fields.Words(help_text="The tier's.", schema={"type": "string", "example": "1.25"})
    tier = fields.Words(help_text="Its code.", **NULLABLE_TEXT)
    campaigns = CampaignPart(many=True, help_text="What each that counted gave of it.")
    cap = fields.Words(
        allow_null=True, help_text="The cap that lowered it, if one did.", schema=_EXACT | {"nullable": True}
    )
    rule = fields.Words(help_text="Its name.", **NULLABLE_TEXT)
    rule_version = fields.Count(help_text="Of the rulebook.")
    points = fields.Words(schema=_EXACT)


class Preview(Output):
    """What an award would give."""

    points = fields.Amount()
    calculation = CalculationTold()


def kept(sent: Mapping[str, Any] | None) -> dict[str, Any]:
    """This will answer the caller's metadata without what the ledger itself says of an entry under these names."""
    return {name: fact for name, fact in (sent or {}).items() if name not in ("calculation", "redemption")}


def word(value: Any) -> str:
    """This will read a word of the caller's metadata that rules compare: a text, or a whole number as its digits. What
    is longer than a reference can be is cut."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)[:_LONGEST_WORD]


def _missing(field: str) -> Faults:
    return {field: [serializers.ErrorDetail(_("This field is required."), code="required")]}
