"""What the customers face's operations on rewards and redemptions take and answer."""

from typing import Any

from loyalty.api import fields, serializers, v1
from loyalty.api.fields import optional
from points.api.management_shapes import NULLABLE_TEXT, Definition
from points.expiry import MAX_DAYS
from rewards.models import Lapse, RewardVoucher
from rewards.reward_models import MOST_PER_CUSTOMER, MOST_STOCK

# What becomes of the points of a code that lapses, as callers call it.
ON_EXPIRY = {Lapse.RETURN.value: "returned", Lapse.FORFEIT.value: "forfeited"}
_STATES = {"enum": ["active", "used", "cancelled", "expired"], "example": "active"}
_CODE = {"pattern": "^REDEEM-[2-9A-HJ-NP-Z]{6}$", "example": "REDEEM-7GQ4XN"}
_NULLABLE = {"nullable": True}
_EITHER = "A discount is an amount or a part, not both."


class RewardChange(serializers.Input):
    """What of a reward is to change; what is left out stays, null clears."""

    name = fields.Text(max_length=100, required=False, example="Coffee", help_text="What customers read.")
    points_cost = fields.PositivePoints(
        required=False, help_text="Its price in points, with no more decimals than its definition has."
    )
    description = fields.Text(
        max_length=1000, may_be_empty=True, required=False, allow_null=True, help_text="More of what customers read."
    )
    category = fields.Text(
        max_length=50, may_be_empty=True, required=False, allow_null=True, help_text="In the shop's own words."
    )
    discount_amount = fields.Money(
        most="9999999999999.99", example=5, required=False, allow_null=True, help_text=f"Money off. {_EITHER}"
    )
    discount_percent = fields.Money(
        most="100", example=12.5, required=False, allow_null=True, help_text=f"Percent off. {_EITHER}"
    )
    currency = fields.Currency(required=False, allow_null=True, help_text="Null: the programme's.")
    stock = fields.Integer(
        minimum=0,
        maximum=MOST_STOCK,
        required=False,
        allow_null=True,
        help_text="How many are left from now on; null: no end.",
    )
    per_customer_limit = fields.Integer(
        minimum=1,
        maximum=MOST_PER_CUSTOMER,
        required=False,
        allow_null=True,
        help_text="How many one customer may redeem; null: no limit.",
    )
    valid_from = fields.Moment(
        required=False, allow_null=True, help_text="Offered from this time on; null: since ever."
    )
    valid_to = fields.Moment(
        required=False,
        allow_null=True,
        help_text="Not offered any more from this time on, which a bare date is the end of; null: for ever.",
    )
    code_valid_days = fields.Integer(
        minimum=1,
        maximum=MAX_DAYS,
        required=False,
        allow_null=True,
        help_text="For how many days its codes can be used; null: for ever.",
    )
    on_expiry = fields.Choice(
        among=tuple(ON_EXPIRY.values()),
        required=False,
        help_text="What becomes of the points of a code that nobody used in time. A new reward forfeits them unless it "
        "says otherwise.",
    )
    min_tier = fields.Text(
        max_length=50,
        required=False,
        allow_null=True,
        example="silver",
        help_text="Code of the lowest tier that may redeem it; null: everybody may.",
    )
    active = fields.Flag(required=False, help_text="Whether it is offered at all. A new reward is.")


class RewardInput(RewardChange):
    """A reward."""

    name = fields.Text(max_length=100, example="Coffee", help_text="What customers read.")
    points_cost = fields.PositivePoints(help_text="Its price in points, with no more decimals than its definition has.")
    definition = Definition()


class RewardsQuery(v1.Cursor):
    """Which rewards are wanted."""

    active = fields.Choice(
        among=("true", "false"), **optional(help_text="Those that are offered, or those that are not. Default: both.")
    )
    category = fields.Text(max_length=50, **optional(help_text="Those of this category. Default: all."))


class Reward(serializers.Output):
    """What customers get for points."""

    id = fields.PublicId("rwd")
    object = v1.Kind("reward")
    name = fields.Words(schema={"example": "Coffee"}, help_text="What customers read.")
    description = fields.Words(schema=_NULLABLE, allow_null=True, help_text="More of what customers read; null: none.")
    category = fields.Words(**NULLABLE_TEXT, help_text="In the shop's own words; null: none.")
    points_cost = fields.Amount(schema={"example": 200}, help_text="Its price in points.")
    definition = fields.Words(
        source="definition.code", schema={"example": "points"}, help_text="Code of the points that buy it."
    )
    discount_amount = fields.Amount(
        allow_null=True, schema=_NULLABLE | {"example": 5}, help_text="Money off, in major units; null: none."
    )
    discount_percent = fields.Amount(
        allow_null=True, schema=_NULLABLE | {"example": None}, help_text="Percent off; null: none."
    )
    currency = fields.Words(schema={"example": "EUR"}, help_text="Of the money off.")
    stock = fields.Count(allow_null=True, schema=_NULLABLE | {"example": 25}, help_text="What is left; null: no end.")
    per_customer_limit = fields.Count(
        allow_null=True, schema=_NULLABLE, help_text="How many one customer may redeem; null: no limit."
    )
    valid_from = fields.Time(allow_null=True, help_text="Since when it is offered; null: since ever.")
    valid_to = fields.Time(allow_null=True, help_text="From when on it is not offered any more; null: for ever.")
    code_valid_days = fields.Count(
        allow_null=True,
        schema=_NULLABLE | {"example": 30},
        help_text="For how many days its codes can be used; null: for ever.",
    )
    on_expiry = fields.Words(
        schema={"enum": list(ON_EXPIRY.values())},
        help_text="What becomes of the points of a code that nobody used in time.",
    )
    min_tier = fields.Words(
        allow_null=True,
        schema=_NULLABLE | {"example": "silver"},
        help_text="Code of the lowest tier that may redeem it; null: everybody may.",
    )
    active = fields.Bool(source="is_active", help_text="Whether it is offered at all.")
    created_at = fields.Time()


class RedeemPointsInput(serializers.Input):
    """What a customer wants for points."""

    customer_id = v1.CustomerName()
    reward_id = fields.Text(max_length=100, **optional(help_text="Id of a reward: its price is taken."))
    points = fields.PositivePoints(
        **optional(help_text="Points to redeem without a reward. With one, they must be its price.")
    )
    reason = fields.Text(
        max_length=255, **optional(help_text="Shown to the customer. Default: the reward's name, or “Points redeemed”.")
    )
    metadata = fields.Metadata(**optional(help_text="At most 1,024 bytes when written compactly."))
    definition = Definition()


class PointsRedemption(serializers.Output):
    """Points that were redeemed for a code."""

    id = fields.PublicId("red")
    object = v1.Kind("redemption")
    customer_id = fields.PublicId("cus")
    reward_id = fields.PublicId("rwd", allow_null=True, help_text="Id of the reward; null: points alone were redeemed.")
    points = fields.Amount(schema={"example": 200}, help_text="Points that it took.")
    code = fields.Words(schema=_CODE, help_text="What the customer shows at the till.")
    discount_amount = fields.Amount(
        allow_null=True,
        schema=_NULLABLE | {"example": 5},
        help_text="Money off, in major units: the reward's, or the points at the value of a point; null: none.",
    )
    discount_percent = fields.Amount(
        allow_null=True, schema=_NULLABLE | {"example": None}, help_text="Percent off; null: none."
    )
    currency = fields.Words(schema={"example": "EUR"}, help_text="Of the money off.")
    status = fields.Words(
        schema=_STATES, help_text="By the clock. `expired`: nobody used the code before its `expires_at`."
    )
    balance_after = fields.Amount(help_text="Points that could be spent when these had been redeemed.")
    expires_at = fields.Time(allow_null=True, help_text="Until when the code can be used; null: for ever.")
    used_at = fields.Time(allow_null=True, schema={"example": None}, help_text="When it was used; null: it was not.")
    created_at = fields.Time()


class EventVoucher(serializers.Output):
    """Money that points were turned into, as its events tell it."""

    id = fields.PublicId("vou")
    object = v1.Kind("voucher")
    customer_id = fields.PublicId("cus")
    number = fields.Words(schema={"example": "4K7P-2MWX-9HRD-T3QZ"}, help_text="What the customer shows at the till.")
    name = fields.Words(schema={"example": "Reward voucher"})
    points = fields.Amount(schema={"example": 500}, help_text="Points that it took.")
    value = fields.Amount(schema={"example": 5}, help_text="Money that it is worth, in major units.")
    currency = fields.Words(schema={"example": "EUR"}, help_text="Of its value.")
    status = fields.Words(schema={"enum": list(RewardVoucher.State.values)}, help_text="By the clock.")
    expires_at = fields.Time(allow_null=True, help_text="Until when it can be used; null: for ever.")
    redeemed_at = fields.Time(
        allow_null=True, schema={"example": None}, help_text="When it was used; null: it was not."
    )
    created_at = fields.Time()


def told(body: dict[str, Any]) -> dict[str, Any]:
    """This will name what a body says of a reward as the model does."""
    return {_NAMES.get(name, name): value for name, value in body.items()}


_NAMES = {"active": "is_active", "on_expiry": "lapse"}
