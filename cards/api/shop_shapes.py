"""What the shop face's operations on cards take and answer."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail

from loyalty.api import fields, paging, serializers
from loyalty.api.fields import optional


class _Named(serializers.Query):
    card_number = fields.Text(max_length=100, **optional())
    user_id = fields.SerialInput(**optional(help_text="The customer's number in this API."))


class ShopCardsQuery(_Named, paging.ShopPageQuery):
    """Which cards are wanted."""


class ShopCardQuery(_Named):
    """Names one card; of several cards of a customer an active one, of those the oldest."""

    card_id = fields.SerialInput(**optional())

    def faults_together(self, data: Mapping[str, Any]) -> serializers.Faults:
        """This will see to it that a card is named."""
        if not any(data.get(name) for name in ("card_id", "card_number", "user_id")):
            return {"card_id": [ErrorDetail(_("Send card_id, card_number or user_id."), code="required")]}
        return {}


class ShopCard(serializers.Output):
    """A card, and the points of its customer."""

    id = fields.Count(source="serial")
    user_id = fields.Count(source="customer.serial")
    card_type = fields.Words(source="design")
    card_number = fields.Words(source="number", schema=fields.CARD_NUMBER_SCHEMA)
    is_active = fields.Bool()
    points_balance = fields.Amount()
    qr_code = fields.Words(source="number")
    expires_at = fields.Time(allow_null=True)
    created_at = fields.Time()
    updated_at = fields.Time()


class ShopCardBalance(serializers.Output):
    """The points of a card's customer."""

    card_id = fields.Count(source="serial")
    card_number = fields.Words(source="number", schema=fields.CARD_NUMBER_SCHEMA)
    points_balance = fields.Amount()
    pending_points = fields.Amount()
    held_points = fields.Amount(help_text="What holds have set aside.", schema={"example": 0})
