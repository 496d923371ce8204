"""What the customers face's operations on events take and answer."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ErrorDetail

from cards.api import v1_shapes as cards
from events.models import EventType
from loyalty.api import fields, serializers, v1
from loyalty.api.fields import optional
from loyalty.api.serializers import Faults
from points.api import v1_shapes as points
from points.api.management_shapes import Definition
from points.models import EntryType
from rewards.api import v1_shapes as rewards

# What an entry is told as: also those that no list tells, because they only move points within an account.
WORDS = {
    **points.TYPES,
    EntryType.ACTIVATE: "activated",
    EntryType.HOLD: "held",
    EntryType.RELEASE: "released",
}
_NULLABLE = {"nullable": True}


class EventsQuery(v1.Cursor):
    """Which events are wanted."""

    type = fields.Choice(among=tuple(EventType.values), **optional(help_text="Default: all."))
    customer_id = v1.CustomerName(**optional())
    since_sequence = fields.Whole(
        minimum=0,
        maximum=10**15,
        **optional(
            help_text="Only transactions of the customer's account, by their numbers, above this one: 0 for all. Needs "
            "`customer_id`."
        ),
    )
    definition = Definition()

    def faults_together(self, data: Mapping[str, Any]) -> Faults:
        """This will see to it that a number has its account."""
        faults = super().faults_together(data)
        for name in ("since_sequence", "definition"):
            if data.get(name) is not None and data.get("customer_id") is None:
                faults[name] = [ErrorDetail("Send customer_id, too.", code="required_with")]
        return faults


class PointsEventTransaction(points.PointsTransaction):
    """What happened to a customer's points, as events tell it."""

    type = fields.Words(
        schema={"enum": list(dict.fromkeys(WORDS.values())), "example": "earned"},
        help_text="What happened. `activated`, `held` and `released` move points within the account.",
    )


class TierChange(serializers.Output):
    """A customer came to another tier."""

    id = fields.PublicId("tch")
    object = v1.Kind("tier_change")
    customer_id = fields.PublicId("cus")
    from_tier = fields.Words(allow_null=True, schema=_NULLABLE | {"example": None}, help_text="Null: none.")
    to_tier = fields.Words(allow_null=True, schema=_NULLABLE | {"example": "Silver"}, help_text="Null: none.")
    points = fields.Amount(schema={"example": 500}, help_text="What counted for the tier then.")
    transaction_id = fields.PublicId(
        "txn", source="entry_id", allow_null=True, help_text="The transaction that moved it; null: time did."
    )
    effective_at = fields.Time(help_text="When it happened, by the clock.")


class ExpiringPoints(serializers.Output):
    """Points of a customer that expire soon if nobody spends them."""

    object = fields.Words(schema={"enum": ["expiring_points"]}, help_text="What kind of object it is.")
    customer_id = fields.PublicId("cus")
    points = fields.Amount(schema={"example": 120}, help_text="Points that end on that day.")
    expires_at = fields.Time(help_text="When the first of them end.")
    days = fields.Count(
        schema={"enum": [30, 7, 1], "example": 7},
        help_text="Which of the three words it is, the last one being 1; late where nobody could tell it in time.",
    )
    points_balance = fields.Amount()


class TierRisk(serializers.Output):
    """A customer loses a tier soon if nothing more is earned."""

    object = fields.Words(schema={"enum": ["tier_risk"]}, help_text="What kind of object it is.")
    customer_id = fields.PublicId("cus")
    tier = fields.Words(schema={"example": "Gold"}, help_text="What the customer holds.")
    falls_to = fields.Words(allow_null=True, schema=_NULLABLE | {"example": "Silver"}, help_text="Null: none.")
    until = fields.Time(help_text="When that is.")
    points_needed = fields.Amount(schema={"example": 150}, help_text="What has to be earned before, to keep it.")


class EventCustomer(cards.Customer):
    """A customer, as events tell it."""

    merged_customer_id = fields.PublicId(
        "cus", required=False, help_text="Of `customer.merged` alone: who was merged into this customer."
    )


class ErasedObject(serializers.Output):
    """What is left of something whose customer was erased."""

    id = fields.Words(required=False, schema={"example": "cus_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"})
    object = fields.Words(schema={"example": "customer"})
    erased = fields.Bool(schema={"enum": [True]}, help_text="That it was erased with its customer.")


class Event(serializers.Output):
    """Something that happened."""

    id = fields.PublicId("evt")
    object = v1.Kind("event")
    type = fields.Words(schema={"enum": list(EventType.values), "example": "points.earned"}, help_text="What happened.")
    created_at = fields.Time(help_text="When it was written.")
    sequence = fields.Count(
        allow_null=True,
        schema=_NULLABLE,
        help_text="The number of the transaction in its account: 1, 2, 3 … without a gap; null: it is none.",
    )
    customer_id = fields.PublicId("cus")
    definition = fields.Words(
        allow_null=True,
        schema=_NULLABLE | {"example": "points"},
        help_text="Code of the definition whose account it is about; null: it is about none.",
    )
    data = serializers.either(  # type: ignore[assignment]
        "EventData",
        PointsEventTransaction(),
        EventCustomer(),
        cards.EventCard(),
        TierChange(),
        rewards.PointsRedemption(),
        rewards.EventVoucher(),
        ExpiringPoints(),
        TierRisk(),
        ErasedObject(),
    )
