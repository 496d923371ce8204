"""What the customers face's operations on customers take and answer."""

from cards import customers
from loyalty.api import fields, serializers, v1
from loyalty.api.fields import optional

_STATUS = {"enum": ["active", "inactive", "blocked", "expired"], "example": "active"}
_NULLABLE = {"nullable": True}


class CustomerChange(serializers.Input):
    """What of a customer is to change; what is left out stays, null clears."""

    email = fields.Email(required=False, allow_null=True, help_text="No other customer has it, in whatever case.")
    name = fields.Text(max_length=200, may_be_empty=True, required=False, allow_null=True)
    phone = fields.Text(max_length=50, may_be_empty=True, required=False, allow_null=True)
    external_id = fields.Text(
        max_length=customers.LONGEST_EXTERNAL_ID,
        required=False,
        allow_null=True,
        help_text="The shop's own id of the customer, which no other customer has. It names the customer wherever "
        "`id` does, so it must not look like one.",
    )
    locale = fields.Locale(required=False, allow_null=True)
    metadata = fields.Metadata(required=False, allow_null=True, help_text="At most 1,024 bytes when written compactly.")


class CustomerInput(CustomerChange):
    """A customer. Nothing is required."""


class MergeInput(serializers.Input):
    """Who is the same person."""

    into = v1.CustomerName("the customer who stays", example="customer-77")


class CustomersQuery(v1.Cursor):
    """Which customers are wanted."""

    email = fields.Text(max_length=254, **optional(help_text="Who has this address, in whatever case."))
    external_id = fields.Text(
        max_length=customers.LONGEST_EXTERNAL_ID, **optional(help_text="Whom the shop knows by this id.")
    )


class CustomerCard(serializers.Output):
    """A card that names the customer."""

    id = fields.PublicId("card")
    number = fields.Words(schema=fields.CARD_NUMBER_SCHEMA)
    status = fields.Words(schema=_STATUS, help_text="By the clock.")
    expires_at = fields.Time(allow_null=True)
    created_at = fields.Time()


class EventCard(CustomerCard):
    """A card, as its events tell it."""

    object = v1.Kind("card")
    customer_id = fields.PublicId("cus")
    replaced_by = fields.PublicId(
        "card", source="replaced_by_id", allow_null=True, help_text="The card that replaced it; null: none."
    )


class Customer(serializers.Output):
    """A customer, and what the customer has of the programme's default points."""

    id = fields.PublicId("cus")
    object = v1.Kind("customer")
    email = fields.Words(schema=_NULLABLE, allow_null=True)
    name = fields.Words(schema=_NULLABLE, allow_null=True)
    phone = fields.Words(schema=_NULLABLE, allow_null=True)
    external_id = fields.Words(schema=_NULLABLE, allow_null=True)
    locale = fields.Words(schema=_NULLABLE, allow_null=True)
    points_balance = fields.Amount()
    pending_points = fields.Amount(schema={"example": 0})
    held_points = fields.Amount(schema={"example": 0})
    lifetime_points = fields.Amount()
    tier = fields.Words(schema=_NULLABLE, allow_null=True)
    cards = CustomerCard(many=True)
    metadata = fields.Object()
    created_at = fields.Time()
