"""What the customers face's operations on points and tiers take and answer."""

from loyalty.api import fields, serializers, v1


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
