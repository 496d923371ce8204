"""What the accounts face's operations on vouchers take and answer. Names are camelCase outside."""

from loyalty.api import fields, serializers, v3
from loyalty.api.fields import optional
from points.api.v3_shapes import DefinitionNumber


class VouchersQuery(v3.PageQuery):
    """Whose vouchers are wanted."""

    contact_id = fields.UniqueId()


class VoucherInput(serializers.Input):
    """Points to turn into a voucher."""

    contact_id = fields.UniqueId()
    definition_id = DefinitionNumber(**optional(help_text="Default: the programme's default definition."))
    points = fields.PositivePoints(**optional(help_text="Default: as many as the definition's rule takes."))


class Value(serializers.Output):
    """What a voucher is worth."""

    amount = fields.Amount(help_text="Money.", schema={"example": 5})
    currency = fields.Words()


class Voucher(serializers.Output):
    """Money that points were turned into."""

    id = fields.Uuid()
    voucher_number = fields.Words(source="number")
    name = fields.Words(schema={"example": "Reward voucher"})
    redeemed = fields.Bool()
    redeemed_on = fields.Time(source="redeemed_at", allow_null=True, schema={"example": None})
    expires_on = fields.Time(source="expires_at", allow_null=True)
    value = Value()
    points = fields.Amount(help_text="The points that it took.")
