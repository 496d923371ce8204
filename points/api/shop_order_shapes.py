"""What callers send of an order on the shop face, and what they are answered."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework import serializers

from loyalty.api import fields, values
from loyalty.api.fields import optional
from loyalty.api.serializers import Faults, Input, Output
from points.api.shop_shapes import is_above

TYPES = ("purchase", "cancellation", "refund")
MOST_LINES = 500


class CartLine(Input):
    """A line of the cart: `total`, or `price` times `quantity`. Rules look at its category."""

    sku = fields.Text(max_length=100, may_be_empty=True, **optional())
    name = fields.Text(max_length=255, may_be_empty=True, **optional())
    category = fields.Text(max_length=100, may_be_empty=True, **optional(help_text="As rules and campaigns name it."))
    quantity = fields.Money(least="0.000001", places=6, **optional(help_text="One, where it is not sent."))
    price = fields.Money(least="0", places=6, **optional(help_text="Of one."))
    total = fields.Money(least="0", places=6, **optional(help_text="Of the line."))


class CartLines(serializers.ListField):
    """The lines of a cart."""

    child = CartLine()
    default_error_messages = {"not_a_list": gettext_lazy("Must be a list.")}

    def to_internal_value(self, data: Any) -> Any:
        """This will read the lines.

        Raises:
            serializers.ValidationError: they are no list, too many, or one of them is malformed.
        """
        # DRF's own limit keeps its text in the language in which it was exceeded first.
        if isinstance(data, list) and len(data) > MOST_LINES:
            text = ngettext("At most %(count)s line.", "At most %(count)s lines.", MOST_LINES)
            raise serializers.ValidationError(text % {"count": MOST_LINES}, code="max_length")
        return super().to_internal_value(data)


class OrderNumber(fields.ValueField):
    """The shop's own number of an order: a text, or a whole number, which stands for its digits."""

    def __init__(self, **options: Any) -> None:
        text = {"type": "string", "minLength": 1, "maxLength": 255}
        super().__init__(_order_number, {"anyOf": [text, {"type": "integer"}], "example": "77"}, **options)


def _order_number(value: Any) -> str:
    return values.filled_text(str(value) if type(value) is int else value, max_length=255)


class OrderInput(Input):
    """A purchase, or the cancellation or refund of one."""

    order_id = OrderNumber(help_text="The shop's own number of the order, also as a number.")
    type = fields.Choice(among=TYPES, required=False, default="purchase")
    user_id = fields.SerialInput(**optional(help_text="The customer's number; or send `user_email`."))
    user_email = fields.Email(**optional(help_text="Beside `user_id` it must not be another customer's."))
    order_total = fields.Money(
        least="0",
        **optional(help_text="What was ordered; of a refund, what of it is given back: left out, all that is left."),
    )
    points = fields.PositivePoints(**optional(help_text="Award exactly so many, whatever the rules say."))
    loyalty_card_id = fields.SerialInput(**optional(help_text="Left out: the customer's oldest active card."))
    currency = fields.Currency(**optional(help_text="Left out: the programme's."))
    description = fields.Text(max_length=255, may_be_empty=True, **optional())
    points_redeemed = fields.StartingPoints(**optional(help_text="Points that pay a part of it."))
    points_discount_amount = fields.Money(least="0", **optional(help_text="The part that they pay."))
    cart_items = CartLines(**optional(help_text=f"The lines of the cart, at most {MOST_LINES}."))
    meta_data = fields.Metadata(**optional())

    def faults_together(self, data: Mapping[str, Any]) -> Faults:
        """This will ask for the customer, and for what a purchase came to."""
        faults: Faults = {}
        if data.get("user_id") is None and data.get("user_email") is None:
            faults["user_id"] = [serializers.ErrorDetail(_("Send user_id or user_email."), code="required")]
        is_purchase = data.get("type", "purchase") == "purchase"
        if is_purchase and data.get("order_total") is None and data.get("points") is None:
            faults["order_total"] = [serializers.ErrorDetail(_("Send order_total or points."), code="required")]
        if is_purchase and is_above(data.get("points_discount_amount"), data.get("order_total")):
            text = _("Must not be above order_total.")
            faults["points_discount_amount"] = [serializers.ErrorDetail(text, code="max_value")]
        return faults


class OrderDone(Output):
    """What was posted. `transaction_id` is null where nothing was: the order earned and spent nothing."""

    transaction_id = fields.Count(allow_null=True)
    points_awarded = fields.Amount(help_text="What it earned; below zero: what a refund took back.")
    points_balance = fields.Amount()
    loyalty_card_id = fields.Count(allow_null=True)
    card_number = fields.Words(allow_null=True)
    user_id = fields.Count()
    order_total = fields.Amount(allow_null=True, help_text="Of the order, or what of it was refunded by this call.")
    currency = fields.Words(help_text="The order's.", schema={"example": "EUR"})
