"""What the management face's operations on points take and answer."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ErrorDetail, ValidationError

from loyalty.api import fields, serializers, values
from loyalty.api.fields import optional
from points.models import EntryType

TYPES = tuple(kind.value for kind in EntryType)
LONGEST_LOOK_AHEAD = 3660  # Days.

TRANSACTION_TYPE = {"type": "string", "enum": list(TYPES), "example": "award"}
NULLABLE_TEXT: Mapping[str, Any] = {"schema": {"nullable": True}, "allow_null": True}


class Definition(fields.Text):
    """The code of a point definition."""

    def __init__(self, **options: Any) -> None:
        text = "Code of a point definition. Default: the programme's default one."
        super().__init__(max_length=50, **optional(help_text=text, **options))


class AccountInput(serializers.Input):
    """Names an account: by a card or by its customer, and a definition."""

    card_id = fields.Text(max_length=100, **optional(help_text="Id or printed number of a card."))
    customer_id = fields.Text(
        max_length=100,
        **optional(
            help_text="In place of `card_id`: the customer's id. Then no card's state is looked at: the customer earns "
            "and redeems also while every card is blocked, inactive or expired."
        ),
    )
    definition = Definition()

    def faults_together(self, data: Mapping[str, Any]) -> serializers.Faults:
        """This will see to it that exactly one account is named."""
        return naming_faults(data)


def naming_faults(data: Mapping[str, Any]) -> serializers.Faults:
    """This will say what is wrong with how an account is named; nothing where one is."""
    is_card, is_customer = data.get("card_id") is not None, data.get("customer_id") is not None
    if is_card and is_customer:
        return {"customer_id": [ErrorDetail("Send card_id or customer_id, not both.", code="exclusive")]}
    if not is_card and not is_customer:
        return {"card_id": [ErrorDetail("This field is required.", code="required")]}
    return {}


class RedeemInput(AccountInput):
    """Points to spend."""

    points = fields.PositivePoints()
    reason = fields.Text(max_length=255, help_text="Shown to the customer.")
    reference = fields.Text(
        max_length=255, may_be_empty=True, **optional(help_text="For example an order number. Need not be unique.")
    )
    staff_member = fields.Text(max_length=255, may_be_empty=True, **optional(help_text="Who did it."))
    metadata = fields.Metadata(**optional(help_text="At most 1,024 bytes when written compactly."))


class AwardInput(RedeemInput):
    """Points to add."""

    valid_from = fields.Moment(**optional(help_text="In the future: the points are pending until then."))
    expires_at = fields.Moment(**optional(help_text="Default: what the definition's expiry policy says."))


class AdjustInput(RedeemInput):
    """Points to correct a balance by."""

    def get_fields(self) -> dict[str, Any]:
        """This will take points of either sign."""
        return super().get_fields() | {"points": fields.SignedPoints()}


class ReverseInput(serializers.Input):
    """A transaction to undo, or a part of it."""

    transaction_id = fields.Text(max_length=100)
    points = fields.PositivePoints(**optional(help_text="A part of it. Default: all that is left to reverse."))
    reason = fields.Text(max_length=255, help_text="Shown to the customer.")
    reference = fields.Text(max_length=255, may_be_empty=True, **optional())
    staff_member = fields.Text(max_length=255, may_be_empty=True, **optional())
    metadata = fields.Metadata(**optional())


class ExpireInput(AccountInput):
    """Points to expire now: at least one of `points` and `expires_before`."""

    points = fields.PositivePoints(**optional(help_text="At most that many."))
    expires_before = fields.Moment(**optional(help_text="Of the lots whose expiry date is before it."))
    reason = fields.Text(max_length=255, **optional())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """This will see to it that something is asked for."""
        if attrs["points"] is None and attrs["expires_before"] is None:
            fault = ErrorDetail("Send points, expires_before or both.", code="required")
            raise ValidationError({"points": [fault]})
        return attrs


class BulkItemInput(AdjustInput):
    """One of many transactions. Described here, read by `points.api.bulk_items` without a serializer."""

    type = fields.Choice(among=("award", "redeem", "adjust"))
    valid_from = fields.Moment(**optional(help_text="Of an award, in the future: the points are pending until then."))
    expires_at = fields.Moment(**optional(help_text="Of an award. Default: the definition's expiry policy."))
    idempotency_key = fields.Key(**optional(help_text="Of this item, among the account's keys."))


class BulkInput(serializers.Input):
    """Many transactions, each read by itself: a bad one fails alone."""

    transactions = fields.ValueField(values.items, BulkItemInput(many=True), help_text="1 to 1,000 items.")
    mode = fields.Choice(
        among=("partial", "atomic"),
        required=False,
        default="partial",
        help_text="`partial`: good items post. `atomic`: all or none.",
    )
    validate_only = fields.Flag(required=False, default=False, help_text="Tells what would happen; nothing is posted.")


class DefinitionQuery(serializers.Query):
    """Which points are meant."""

    definition = Definition()


class BalanceQuery(DefinitionQuery):
    """At which moment, and by which of an entry's dates."""

    as_of = fields.Moment(
        **optional(help_text="The balance as it stood then. Not in the future; a bare date: at its start.")
    )
    basis = fields.Choice(
        among=("entry", "transaction"),
        required=False,
        default="entry",
        help_text="With `as_of`: `transaction` sums `current_balance` by the dates that callers gave to transactions.",
    )


class ExpiringQuery(DefinitionQuery):
    """What expires, of whom, within how many days."""

    days = fields.Whole(minimum=1, maximum=LONGEST_LOOK_AHEAD, required=False, default=30)
    card_id = fields.Text(max_length=100, **optional(help_text="Id or number of a card. Default: all customers."))
    customer_id = fields.Text(max_length=100, **optional(help_text="In place of `card_id`."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """This will see to it that no account is named twice."""
        if attrs["card_id"] is not None and attrs["customer_id"] is not None:
            raise ValidationError(naming_faults(attrs))
        return attrs


class SelectionQuery(serializers.Query):
    """Which transactions are wanted."""

    type = fields.Choice(among=("all", *TYPES), required=False, default="all")
    from_date = fields.Moment(**optional(help_text="Written at or after this time."))
    to_date = fields.Moment(**optional(help_text="Written up to this time; a bare date: up to its end."))
    reference = fields.Text(max_length=255, **optional())
    staff_member = fields.Text(max_length=255, **optional())

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """This will leave out the type that means any."""
        return attrs | {"type": None if attrs["type"] == "all" else attrs["type"]}


class HistoryQuery(SelectionQuery, DefinitionQuery):
    """Which transactions of an account are wanted."""


class TransactionsQuery(SelectionQuery):
    """Which transactions of the programme are wanted."""

    starting_after = fields.Text(max_length=100, **optional(help_text="The last transaction of the page before."))
    ending_before = fields.Text(
        max_length=100,
        **optional(help_text="The first transaction of the page after: the way back. Not with `starting_after`."),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """This will see to it that the list goes one way."""
        if attrs["starting_after"] is not None and attrs["ending_before"] is not None:
            fault = ErrorDetail("Send starting_after or ending_before, not both.", code="exclusive")
            raise ValidationError({"ending_before": [fault]})
        return super().validate(attrs)


class Redemption(serializers.Output):
    """What a posting did to the account."""

    transaction_id = fields.PublicId("txn", source="id")
    card_id = fields.PublicId("card", allow_null=True)
    customer_id = fields.PublicId("cus")
    type = fields.Words(schema=TRANSACTION_TYPE)
    points = fields.Amount(help_text="Signed: what was added or taken.")
    reason = fields.Words(source="told_reason")
    reference = fields.Words(**NULLABLE_TEXT)
    previous_balance = fields.Amount(source="balance_before", help_text="Available points before.")
    new_balance = fields.Amount(source="balance_after", help_text="Available points after.")
    pending_after = fields.Amount(help_text="Points that are not yet available, after.")
    created_at = fields.Time()
    staff_member = fields.Words(**NULLABLE_TEXT)
    metadata = fields.Object(allow_null=True)


class Award(Redemption):
    """What an award did to the account."""

    valid_from = fields.Time(allow_null=True, help_text="When pending points become available.")
    expires_at = fields.Time(allow_null=True, help_text="Null: never, or by inactivity.")


class Reversal(Redemption):
    """What a reversal did to the account."""

    reverses = fields.PublicId("txn", source="reverses_id")
    shortfall = fields.Amount(help_text="What could not be taken because it was spent; it counts as reversed.")


class Expiry(serializers.Output):
    """What an expiry by hand did to the account; where nothing was due, no transaction."""

    transaction_id = fields.PublicId("txn", allow_null=True)
    card_id = fields.PublicId("card", allow_null=True)
    customer_id = fields.PublicId("cus")
    points_expired = fields.Amount()
    previous_balance = fields.Amount()
    new_balance = fields.Amount()
    reason = fields.Words(source="told_reason")
    expired_at = fields.Time(allow_null=True)


class ExpiringDay(serializers.Output):
    """Points that expire on one day."""

    points = fields.Amount()
    expires_at = fields.Time(help_text="The first of that day.")
    days_until_expiry = fields.Count(help_text="Days of the programme's calendar.")


class ExpiringDayOfCustomer(ExpiringDay):
    """Points of a customer that expire on one day."""

    customer_id = fields.PublicId("cus")


class Expiring(serializers.Output):
    """What of an account expires soon."""

    card_id = fields.PublicId("card", allow_null=True)
    customer_id = fields.PublicId("cus")
    days = fields.Count()
    total_points = fields.Amount()
    expiring = ExpiringDay(many=True)


class Pagination(serializers.Output):
    """Where in a list the page is."""

    current_page = fields.Count()
    per_page = fields.Count()
    total = fields.Count()
    total_pages = fields.Count()
    has_next = fields.Bool()
    has_prev = fields.Bool()


class ExpiringInProgram(serializers.Output):
    """What of all customers expires soon: a row for a customer and a day, earliest first."""

    days = fields.Count()
    total_points = fields.Amount(help_text="Of all pages.")
    expiring = ExpiringDayOfCustomer(many=True)
    pagination = Pagination()


class Activity(serializers.Output):
    """The newest transaction that somebody made; what the clock does is none."""

    transaction_id = fields.PublicId("txn", source="id")
    type = fields.Words(schema=TRANSACTION_TYPE)
    points = fields.Amount()
    created_at = fields.Time()


class TierInfo(serializers.Output):
    """The tier that the customer holds by what was earned. At the highest one both `next` values are null; all are null
    where the programme has no tiers."""

    current_tier = fields.Words(**NULLABLE_TEXT)
    points_to_next_tier = fields.Amount(allow_null=True)
    next_tier = fields.Words(**NULLABLE_TEXT)
    points_to_keep_tier = fields.Amount(allow_null=True)
    projected_tier = fields.Words(**NULLABLE_TEXT)
    tier_until = fields.Time(allow_null=True)


class Balance(serializers.Output):
    """What an account has."""

    card_id = fields.PublicId("card", allow_null=True)
    customer_id = fields.PublicId("cus")
    current_balance = fields.Amount(source="balance", help_text="What can be spent.")
    pending_points = fields.Amount(source="pending", help_text="What becomes available later.")
    held_points = fields.Amount(source="held", help_text="What holds have set aside.", schema={"example": 0})
    lifetime_earned = fields.Amount()
    lifetime_redeemed = fields.Amount()
    lifetime_expired = fields.Amount()
    points_expiring_soon = ExpiringDay(many=True, help_text="Within 30 days, earliest first.")
    last_activity = Activity(allow_null=True)
    tier_info = TierInfo()
    as_of = fields.Time(allow_null=True, help_text="The moment that was asked for; null: now.")


class Entry(serializers.Output):
    """A ledger entry, without the balances."""

    id = fields.PublicId("txn")
    type = fields.Words(schema=TRANSACTION_TYPE)
    points = fields.Amount(help_text="Signed.")
    reason = fields.Words(source="told_reason")
    reference = fields.Words(**NULLABLE_TEXT)
    created_at = fields.Time(help_text="When it was written.")
    effective_at = fields.Time(help_text="When it took effect: for what the clock did, when it was due.")
    valid_from = fields.Time(allow_null=True)
    expires_at = fields.Time(allow_null=True)
    staff_member = fields.Words(**NULLABLE_TEXT)
    metadata = fields.Object(allow_null=True)
    card_id = fields.PublicId("card", allow_null=True, help_text="The card it was made with.")


class Transaction(Entry):
    """A ledger entry of an account."""

    balance_before = fields.Amount()
    balance_after = fields.Amount()
    pending_after = fields.Amount()


class ProgramTransaction(Transaction):
    """A ledger entry of a programme."""

    customer_id = fields.PublicId("cus", source="account.customer_id")
    merged_into = fields.PublicId(
        "cus",
        source="account.customer.merged_into_id",
        allow_null=True,
        help_text="The customer whom `customer_id` was merged into, and whose the points are now; null: nobody.",
    )
    reverses = fields.PublicId("txn", source="reverses_id", allow_null=True)
    reversed_points = fields.Amount(help_text="How much of it was reversed.")
    reversed_by = fields.Written(schema={"type": "array", "items": {"type": "string"}}, help_text="By which reversals.")


class Sums(serializers.Output):
    """Of what the filters select."""

    total_transactions = fields.Count()
    points_awarded = fields.Amount()
    points_redeemed = fields.Amount()
    points_expired = fields.Amount()


class Summary(Sums):
    """Of what the filters select, and the balance."""

    current_balance = fields.Amount()


class History(serializers.Output):
    """A page of an account's transactions, newest first."""

    transactions = Transaction(many=True)
    summary = Summary()
    pagination = Pagination()


class Transactions(serializers.Output):
    """A page of the programme's transactions, in the order in which they were written."""

    transactions = ProgramTransaction(many=True)
    has_more = fields.Bool(
        help_text="There are more that way: ask again with the last id as `starting_after`, or, going back, with the "
        "first id as `ending_before`."
    )


class BulkError(serializers.Output):
    """Why an item is refused."""

    code = fields.Words(schema={"example": "INSUFFICIENT_POINTS"})
    message = fields.Words()


class BulkResult(serializers.Output):
    """What became of an item."""

    card_id = fields.Words(help_text="As the item named it.", **NULLABLE_TEXT)
    customer_id = fields.Words(help_text="As the item named it.", required=False, **NULLABLE_TEXT)
    status = fields.Words(schema={"enum": ["success", "failed", "rolled_back"]})
    transaction_id = fields.PublicId("txn", required=False, allow_null=True, help_text="Null where nothing is posted.")
    new_balance = fields.Amount(required=False)
    replayed = fields.Bool(required=False, help_text="The item's key was known: this was posted before.")
    error = BulkError(required=False)


class Bulk(serializers.Output):
    """What became of each item, in the order given."""

    processed = fields.Count()
    successful = fields.Count()
    failed = fields.Count()
    results = BulkResult(many=True)
    processing_time = fields.Words(schema={"example": "0.245s"})
