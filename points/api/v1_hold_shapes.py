"""What the customers face's operations on holds and transfers take and answer."""

from loyalty.api import fields, serializers, v1
from loyalty.api.fields import optional
from points.api.management_shapes import NULLABLE_TEXT, Definition

USUAL_SECONDS = 900
MOST_SECONDS = 7 * 24 * 3600

_TXN = {"type": "string", "pattern": "^txn_[0-9a-f]{32}$", "example": "txn_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"}


class HoldInput(serializers.Input):
    """Points to set aside."""

    customer_id = v1.CustomerName()
    points = fields.PositivePoints()
    expires_in = fields.Integer(
        minimum=1, maximum=MOST_SECONDS, **optional(help_text="Seconds until it lapses: 900, if none are sent.")
    )
    reference = fields.Text(
        max_length=255, may_be_empty=True, **optional(help_text="For example a basket. Need not be unique.")
    )
    metadata = fields.Metadata(**optional(help_text="At most 1,024 bytes when written compactly."))
    definition = Definition()


class CaptureInput(serializers.Input):
    """What is to be taken of a hold."""

    points = fields.PositivePoints(**optional(help_text="Default: all of it. The rest is available again."))
    reason = fields.Text(max_length=255, **optional(help_text="Shown to the customer."))


class Hold(serializers.Output):
    """Points that are set aside."""

    id = fields.PublicId("hld")
    object = v1.Kind("hold")
    customer_id = fields.PublicId("cus")
    points = fields.Amount(help_text="Points that were set aside.", schema={"example": 200})
    captured_points = fields.Amount(help_text="Points of them that were redeemed.", schema={"example": 0})
    status = fields.Words(
        schema={"enum": ["active", "captured", "released", "lapsed"]},
        help_text="`lapsed`: its time was over before it was captured or released.",
    )
    reference = fields.Words(**NULLABLE_TEXT)
    metadata = fields.Object(allow_null=True)
    transaction_id = fields.PublicId("txn", allow_null=True, help_text="What captured it; null: nothing did.")
    expires_at = fields.Time(help_text="When it lapses.")
    created_at = fields.Time()


class TransferInput(serializers.Input):
    """Points to send."""

    from_customer_id = v1.CustomerName("the customer who sends")
    to_customer_id = v1.CustomerName("the customer who receives")
    points = fields.PositivePoints()
    reason = fields.Text(max_length=255, help_text="Shown to both customers.")
    reference = fields.Text(
        max_length=255, may_be_empty=True, **optional(help_text="For example an order number. Need not be unique.")
    )
    metadata = fields.Metadata(**optional(help_text="At most 1,024 bytes when written compactly."))
    definition = Definition()


class Transfer(serializers.Output):
    """Points that one customer sent to another."""

    id = fields.PublicId("trf")
    object = v1.Kind("transfer")
    from_customer_id = fields.PublicId("cus", help_text="Who sent them.")
    to_customer_id = fields.PublicId("cus", help_text="Who received them.")
    points = fields.Amount(help_text="Points that were sent.", schema={"example": 50})
    reason = fields.Words(source="told_reason")
    transactions = fields.Written(
        schema={"type": "array", "items": _TXN, "minItems": 2, "maxItems": 2},
        help_text="Ids of the transactions: of who sent them, and of who received them.",
    )
    created_at = fields.Time()
