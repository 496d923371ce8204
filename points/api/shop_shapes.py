"""What the shop face's operations on points take and answer."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail

from loyalty.api import fields, paging, serializers, values
from loyalty.api.fields import optional
from points.listings import Kind, Status
from points.lots import ZERO

REDEMPTIONS = ("purchase_discount", "free_product", "voucher", "cashback")

NULLABLE = {"nullable": True}
_KIND = {"type": "string", "enum": [kind.value for kind in Kind]}
_STATUS = {"type": "string", "enum": [status.value for status in Status]}


class ShopRedeemInput(serializers.Input):
    """Points to spend, and what for."""

    card_id = fields.SerialInput()
    points = fields.PositivePoints()
    redemption_type = fields.Choice(
        among=REDEMPTIONS,
        help_text="`purchase_discount`: takes `discount_amount` off a purchase. `free_product`: for a product, which "
        "`discount_amount` is the price of. `voucher`: makes a code of that value. `cashback`: pays that much back.",
    )
    purchase_amount = fields.Money(**optional(help_text="What the purchase costs before the redemption."))
    discount_amount = fields.Money(
        **optional(
            help_text="What the points are worth in money. Required for `purchase_discount`; for that and for "
            "`cashback` not above `purchase_amount`, where it is sent."
        )
    )
    description = fields.Text(
        max_length=255, may_be_empty=True, **optional(help_text="Shown to the customer. Default: `Points redeemed`.")
    )
    metadata = fields.Metadata(**optional(help_text="`shop_id`, `order_id`, `campaign_id`, or anything else."))

    def faults_together(self, data: Mapping[str, Any]) -> serializers.Faults:
        """This will see to it that a discount is named, and that no more money is given than the purchase costs."""
        kind, discount = data.get("redemption_type"), data.get("discount_amount")
        if kind == "purchase_discount" and discount is None:
            return {"discount_amount": [ErrorDetail(_("A discount needs its amount."), code="required")]}
        if kind in ("purchase_discount", "cashback") and is_above(discount, data.get("purchase_amount")):
            return {"discount_amount": [ErrorDetail(_("Must not be above purchase_amount."), code="max_value")]}
        return {}


def is_above(amount: Any, bound: Any) -> bool:
    """This will compare two amounts of money as they were sent; what is none is told by its own field."""
    try:
        return values.money(amount, least=ZERO) > values.money(bound, least=ZERO)
    except values.Fault:
        return False


class ShopSelectionQuery(paging.ShopPageQuery):
    """Which transactions are wanted."""

    card_id = fields.SerialInput(**optional(help_text="All of this card's customer. Default: of the programme."))
    transaction_type = fields.Choice(among=tuple(_KIND["enum"]), **optional())
    date_from = fields.Moment(**optional(help_text="Made at or after this time."))
    date_to = fields.Moment(**optional(help_text="Made up to this time; a bare date: up to its end."))
    status = fields.Choice(
        among=(*_STATUS["enum"], "all"),
        required=False,
        default="all",
        help_text="`pending`: the points are not yet available. `cancelled`: wholly reversed.",
    )


class ShopRedemption(serializers.Output):
    """Points that were spent."""

    id = fields.Count(source="serial")
    points_redeemed = fields.Amount()
    redemption_type = fields.Words(schema={"enum": list(REDEMPTIONS)})
    discount_amount = fields.Amount(allow_null=True, schema=NULLABLE)
    voucher_code = fields.Words(allow_null=True, schema=NULLABLE)
    expires_at = fields.Time(allow_null=True)
    created_at = fields.Time()


class ShopBalanceAfterRedemption(serializers.Output):
    """What is left."""

    current_points = fields.Amount()
    previous_points = fields.Amount()
    points_redeemed = fields.Amount()
    tier = fields.Words(allow_null=True, schema=NULLABLE)


class ShopRedeemed(serializers.Output):
    """A redemption and what is left."""

    transaction = ShopRedemption()
    balance = ShopBalanceAfterRedemption()


class ShopCardOfTransaction(serializers.Output):
    """The card that a transaction was made with."""

    id = fields.Count(source="serial")
    card_number = fields.Words(help_text="Masked.", schema={"example": "LC****4567"})


class ShopTransaction(serializers.Output):
    """A transaction of the history."""

    id = fields.Count(source="serial")
    transaction_type = fields.Words(schema=_KIND)
    points = fields.Amount(help_text="Signed.")
    balance_before = fields.Amount()
    balance_after = fields.Amount()
    description = fields.Words()
    status = fields.Words(schema=_STATUS)
    card = ShopCardOfTransaction(allow_null=True, help_text="Null: it was made without one.")
    metadata = fields.Object(allow_null=True)
    created_at = fields.Time()
    expires_at = fields.Time(allow_null=True)


class ShopSummary(serializers.Output):
    """The sums of what the filters select."""

    total_awarded = fields.Amount()
    total_redeemed = fields.Amount()
    net_change = fields.Amount()
    transaction_count = fields.Count()


class ShopHistory(serializers.Output):
    """A page of the history, newest first."""

    # A field; the property of that name is not for describing.
    data = ShopTransaction(many=True)  # type: ignore[assignment]
    current_page = fields.Count()
    per_page = fields.Count()
    total = fields.Count()
    last_page = fields.Count()
    summary = ShopSummary()


class ShopCardOfBalance(serializers.Output):
    """The card that was asked for."""

    id = fields.Count(source="serial")
    card_number = fields.Words(source="number", schema=fields.CARD_NUMBER_SCHEMA)
    status = fields.Words(schema={"enum": ["active", "inactive", "blocked", "expired"]})


class ShopPoints(serializers.Output):
    """What the card's customer has, whichever of the customer's cards is asked."""

    current_points = fields.Amount(source="balance")
    pending_points = fields.Amount(source="pending")
    held_points = fields.Amount(source="held", help_text="What holds have set aside.", schema={"example": 0})
    lifetime_earned = fields.Amount()
    lifetime_redeemed = fields.Amount()
    expires_soon = fields.Amount()
    next_expiry_date = fields.Time(allow_null=True)


class ShopTier(serializers.Output):
    """The customer's tier."""

    current_tier = fields.Words(allow_null=True, schema=NULLABLE)
    tier_level = fields.Count()
    progress_percentage = fields.Count()
    points_to_next_tier = fields.Amount(allow_null=True, schema=NULLABLE)
    next_tier = fields.Words(allow_null=True, schema=NULLABLE)
    tier_benefits = fields.Written(schema={"type": "array", "items": {"type": "string"}})
    points_to_keep_tier = fields.Amount(allow_null=True, schema=NULLABLE)
    projected_tier = fields.Words(allow_null=True, schema=NULLABLE)
    tier_until = fields.Time(allow_null=True, schema=NULLABLE)


class ShopStatistics(serializers.Output):
    """What else is known of the customer."""

    transactions_count = fields.Count()
    last_activity = fields.Time(allow_null=True)
    member_since = fields.Time()


class ShopBalance(serializers.Output):
    """A card and what its customer has."""

    card = ShopCardOfBalance()
    balance = ShopPoints()
    tier = ShopTier()
    statistics = ShopStatistics()
