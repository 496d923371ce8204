"""What the management face's operations on cards take and answer."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ErrorDetail

from loyalty.api import fields, serializers
from loyalty.api.fields import optional
from points.api.management_shapes import (
    NULLABLE_TEXT,
    TRANSACTION_TYPE,
    Entry,
    Pagination,
    SelectionQuery,
    Sums,
)

STATES = ("active", "inactive", "blocked", "expired")
SORTS = ("created_at:desc", "created_at:asc", "points_balance:desc", "points_balance:asc", "last_activity:desc")

_STATUS = {"type": "string", "enum": list(STATES), "example": "active"}


class CardInput(serializers.Input):
    """A card, for a new customer or for one that is there."""

    customer_email = fields.Email(**optional(help_text="Required, unless `customer_id` is sent."))
    customer_name = fields.Text(max_length=200, **optional(help_text="Required, unless `customer_id` is sent."))
    customer_phone = fields.Text(max_length=50, may_be_empty=True, **optional())
    customer_id = fields.Text(max_length=100, **optional(help_text="Adds a card to this customer."))
    initial_points = fields.StartingPoints(
        **optional(help_text="Points of the default definition. Above zero they need the scope `points:manage`, too.")
    )
    card_design = fields.Text(max_length=50, **optional(help_text="Default: `default`."))
    auto_activate = fields.Flag(**optional(default=True, help_text="Otherwise the card is inactive."))
    metadata = fields.Metadata(**optional())
    expires_at = fields.Moment(**optional(help_text="In the future. Default: never."))

    def faults_together(self, data: Mapping[str, Any]) -> serializers.Faults:
        """This will see to it that a customer is described or named."""
        described = ("customer_email", "customer_name")
        if data.get("customer_id") is None:
            missing = [name for name in described if data.get(name) is None]
            return {name: [ErrorDetail("This field is required.", code="required")] for name in missing}
        if any(data.get(name) is not None for name in (*described, "customer_phone")):
            fault = ErrorDetail("Send customer_id or the customer's fields, not both.", code="exclusive")
            return {"customer_id": [fault]}
        return {}


class CardChange(serializers.Input):
    """What of a card and its customer is to change; what is left out stays."""

    customer_name = fields.Text(max_length=200, required=False)
    customer_phone = fields.Text(max_length=50, may_be_empty=True, required=False, allow_null=True)
    card_design = fields.Text(max_length=50, required=False)
    metadata = fields.Metadata(required=False, allow_null=True)


class StateInput(serializers.Input):
    """Why a card's state is to change."""

    reason = fields.Text(max_length=255)
    internal_note = fields.Text(max_length=1000, may_be_empty=True, **optional(help_text="For the staff only."))


class ReplaceInput(serializers.Input):
    """Why a card is to be replaced."""

    reason = fields.Text(max_length=255)


class CardsQuery(serializers.Query):
    """Which cards are wanted, and in which order."""

    status = fields.Choice(among=STATES, **optional())
    customer_email = fields.Text(max_length=254, **optional(help_text="In whatever case."))
    tier = fields.Text(
        max_length=50, **optional(help_text="Code of the tier that the customer holds. An unknown one selects none.")
    )
    created_after = fields.Moment(**optional())
    created_before = fields.Moment(**optional(help_text="A bare date: up to its end."))
    sort = fields.Choice(among=SORTS, required=False, default="created_at:desc")


class CardHistoryQuery(SelectionQuery):
    """Which transactions are wanted."""


class Card(serializers.Output):
    """A card, and the points of its customer."""

    id = fields.PublicId("card")
    card_number = fields.Words(source="number", schema=fields.CARD_NUMBER_SCHEMA)
    customer_id = fields.PublicId("cus")
    customer_email = fields.Words(source="customer.email", **NULLABLE_TEXT)
    customer_name = fields.Words(source="customer.name")
    customer_phone = fields.Words(**NULLABLE_TEXT)
    points_balance = fields.Amount(help_text="What can be spent, of the default definition.")
    status = fields.Words(schema=_STATUS)
    card_design = fields.Words(source="design")
    created_at = fields.Time()
    last_activity = fields.Time(allow_null=True, help_text="The customer's last award or redemption.")
    expires_at = fields.Time(allow_null=True)
    qr_code_url = fields.Words(schema={"format": "uri"})
    metadata = fields.Object()


class RecentTransaction(serializers.Output):
    """One of the last transactions."""

    id = fields.PublicId("txn")
    type = fields.Words(schema=TRANSACTION_TYPE)
    points = fields.Amount()
    reason = fields.Words(source="told_reason")
    created_at = fields.Time()


class CardDetail(Card):
    """A card with what became of its customer's points."""

    replaced_by = fields.PublicId("card", source="replaced_by_id", allow_null=True)
    lifetime_points = fields.Amount(help_text="What was ever earned.")
    points_redeemed = fields.Amount(help_text="What was ever redeemed.")
    tier = fields.Words(**NULLABLE_TEXT)
    recent_transactions = RecentTransaction(many=True, help_text="The last five.")


class NewCard(Card):
    """A card in place of another."""

    replaces = fields.PublicId("card")


class CardState(serializers.Output):
    """What a card may do."""

    id = fields.PublicId("card")
    status = fields.Words(schema=_STATUS)
    reason = fields.Words(source="status_reason")
    blocked_at = fields.Time(allow_null=True)
    can_earn_points = fields.Bool()
    can_redeem_points = fields.Bool()


class Cards(serializers.Output):
    """A page of cards."""

    cards = Card(many=True)
    pagination = Pagination()


class CardHistory(serializers.Output):
    """A page of the customer's transactions without the balances, newest first."""

    transactions = Entry(many=True)
    summary = Sums()
    pagination = Pagination()
