"""What the customers face's operations on points and tiers take and answer."""

from typing import Any

from loyalty.api import fields, serializers, v1
from loyalty.api.fields import optional
from points.api.management_shapes import NULLABLE_TEXT, Definition
from points.models import EntryType

# What an entry is told as; what is not here only moves points within an account, and no list tells it.
TYPES = {
    EntryType.AWARD: "earned",
    EntryType.REDEEM: "redeemed",
    EntryType.EXPIRE: "expired",
    EntryType.ADJUST: "adjusted",
    EntryType.REVERSE: "reversed",
    EntryType.TRANSFER: "transferred",
    EntryType.MERGE: "transferred",
}
WORDS = tuple(dict.fromkeys(TYPES.values()))
# What an award may be for, the usual one first; kept as the entry's source.
REASONS = ("purchase", "bonus", "referral", "activity", "manual")


class PointsInput(serializers.Input):
    """Points of a customer's account."""

    customer_id = v1.CustomerName()
    points = fields.PositivePoints()
    reason = fields.Text(max_length=255, help_text="Shown to the customer.")
    reference = fields.Text(
        max_length=255, may_be_empty=True, **optional(help_text="For example an order number. Need not be unique.")
    )
    metadata = fields.Metadata(**optional(help_text="At most 1,024 bytes when written compactly."))
    definition = Definition()


class AwardPointsInput(PointsInput):
    """Points to add."""

    type = fields.Choice(among=REASONS, **optional(help_text="What they are for. Default: `purchase`."))
    expires_at = fields.Moment(**optional(help_text="Default: what the definition's expiry policy says."))


class AdjustPointsInput(PointsInput):
    """Points to correct a balance by."""

    def get_fields(self) -> dict[str, Any]:
        """This will take points of either sign."""
        return super().get_fields() | {"points": fields.SignedPoints()}


class PointsQuery(v1.Cursor):
    """Which transactions are wanted."""

    customer_id = v1.CustomerName()
    order = fields.Choice(among=("desc", "asc"), required=False, default="desc")
    type = fields.Choice(among=WORDS, **optional(help_text="Default: all."))
    definition = Definition()


class PointsTransaction(serializers.Output):
    """What happened to a customer's points."""

    id = fields.PublicId("txn")
    object = v1.Kind("points_transaction")
    customer_id = fields.PublicId("cus")
    type = fields.Words(schema={"enum": list(WORDS), "example": "earned"}, help_text="What happened.")
    points = fields.Amount(help_text="Signed: what was added or taken.")
    balance_after = fields.Amount()
    reason = fields.Words(source="told_reason")
    reference = fields.Words(**NULLABLE_TEXT)
    metadata = fields.Object(allow_null=True)
    expires_at = fields.Time(
        allow_null=True,
        help_text="When the points that it brought expire; null: never, by inactivity, or it brought none.",
    )
    created_at = fields.Time()


class Tier(serializers.Output):
    """What customers reach by what they earn."""

    id = fields.PublicId("tier")
    object = v1.Kind("tier")
    code = fields.Words(schema={"example": "silver"}, help_text="How other APIs name it.")
    name = fields.Words(schema={"example": "Silver"}, help_text="How customers see it.")
    rank = fields.Count(schema={"example": 2})
    min_points = fields.Amount(source="threshold", schema={"example": 500})
    multiplier = fields.Amount(schema={"example": 1.25})
    benefits = fields.Written(schema={"type": "array", "items": {"type": "string"}})
