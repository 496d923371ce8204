"""What the accounts face's operations on points take and answer. Names are camelCase outside."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import ErrorDetail

from loyalty import errors, languages
from loyalty.api import fields, serializers, v3, values
from loyalty.api.fields import optional
from points import contacts, external
from points.contact_lists import Filter, Sort
from points.external import Kind

POSTED = (Kind.ADDITION.value, Kind.DEDUCTION.value, Kind.CANCELLATION.value, Kind.ADJUSTMENT.value)
LONGEST_LINE_ITEM = 100
# What the ledger names otherwise than callers do who post transactions.
_NAMES = {"points": "amount", "expires_at": "valid_to", "reason": "description"}
LONGEST_LOOK_AHEAD = 3660  # Days.
MOST_DEFINITIONS = contacts.MOST_DEFINITIONS


class Source(fields.ValueField):
    """Where a transaction comes from."""

    def __init__(self, **options: Any) -> None:
        schema = {"type": "string", "enum": list(external.SOURCES), "example": "Purchase"}
        super().__init__(read_source, schema, **options)


def read_source(value: Any) -> str:
    """This will read where a transaction comes from.

    Raises:
        values.Fault: transactions do not come from there.
    """
    try:
        return values.choice(value, among=external.SOURCES)
    except values.Fault as fault:
        raise values.Fault(fault.text, rule="source") from fault


class Amount(fields.ValueField):
    """An amount of points of either sign; whether it may be is told by what it is of."""

    def __init__(self, **options: Any) -> None:
        schema = {"type": "number", "minimum": -999999999999999, "maximum": 999999999999999, "example": 100}
        super().__init__(values.amount, schema, **options)


class DefinitionNumber(fields.ValueField):
    """The number of a definition."""

    def __init__(self, **options: Any) -> None:
        schema = {"type": "integer", "minimum": 1, "maximum": MOST_DEFINITIONS, "example": 1}
        super().__init__(values.serial, schema, **options)


class AccountsQuery(v3.PageQuery):
    """Whose accounts are wanted."""

    contact_id = fields.UniqueId()


class AccountQuery(serializers.Query):
    """At which moment, and by which of a transaction's dates."""

    as_of = fields.Moment(
        **optional(help_text="The balance as it stood then. Not in the future; a bare date: at its start.")
    )
    basis = fields.Word(
        among=("created", "transaction"),
        required=False,
        default="created",
        help_text="With `asOf`: `transaction` sums `balance` by the dates that callers gave to transactions.",
    )


class TextQuery(serializers.Query):
    """In which language descriptions are told."""

    lang = fields.Choice(
        among=languages.CODES, **optional(help_text="Adds `descriptionText`: what description codes say there.")
    )


class TransactionQuery(TextQuery):
    """Which account a transaction is of."""

    account_id = fields.UniqueId(**optional(help_text="Where several accounts may have a transaction of this id."))


class TransactionsQuery(v3.PageQuery, TextQuery):
    """Which transactions are wanted: of an account, or of one line of a receipt."""

    id = fields.UniqueId(**optional(help_text="Id of an account."))
    account_id = fields.UniqueId(**optional(help_text="The same."))
    contact_id = fields.UniqueId(**optional(help_text="In place of an account's id, with `definitionId`."))
    definition_id = fields.Whole(
        minimum=1, maximum=MOST_DEFINITIONS, **optional(help_text="In place of an account's id, with `contactId`.")
    )
    retail_transaction_line_item_id = fields.Text(
        max_length=LONGEST_LINE_ITEM,
        **optional(help_text="Of this line of a receipt alone; without an account: of all accounts."),
    )
    filter = fields.Word(
        among=tuple(Filter.values),
        required=False,
        default=Filter.ALL.value,
        help_text="`Pending`: additions whose `validFrom` is still to come, as long as any of it is left.",
    )
    sort_by = fields.Word(among=tuple(Sort.values), required=False, default=Sort.TRANSACTION_DATE.value)
    sort_order = fields.Word(among=("Asc", "Desc"), required=False, default="Desc")

    def faults_together(self, data: Mapping[str, Any]) -> serializers.Faults:
        """This will see to it that one account is named, or a line of a receipt."""
        by_id = [name for name in ("id", "account_id") if data.get(name)]
        by_contact = [name for name in ("contact_id", "definition_id") if data.get(name)]
        if len(by_id) == 1 and not by_contact:
            return {}
        if not by_id and (len(by_contact) == 2 or (not by_contact and data.get("retail_transaction_line_item_id"))):
            return {}
        text = "Send the account's id, or contactId and definitionId."
        return {(by_contact or by_id or ["id"])[0]: [ErrorDetail(text, code="account")]}


class PointTransactionInput(serializers.Input):
    """A transaction to post."""

    account_id = fields.UniqueId()
    transaction_id = fields.UniqueId(
        help_text="The caller's own id of it: the same transaction again is posted once, for ever."
    )
    transaction_type = fields.Choice(among=POSTED)
    amount = Amount(
        help_text="Above zero; signed for `Adjustment`, and with the source `UpdateBalance` the balance that is wanted."
    )
    description = fields.Text(max_length=255, help_text="What it is for; it may hold a description code.")
    # DRF takes the fields off the class; what its instances call `source` is another thing.
    source = Source(  # type: ignore[assignment]
        help_text="`UpdateBalance` goes with `Adjustment`: it posts the difference to `amount`."
    )
    cancels = fields.UniqueId(
        **optional(help_text="Required for `Cancellation`: the transaction that it undoes, `amount` as much of it.")
    )
    transaction_date = fields.Moment(**optional(help_text="The caller's date of it: recorded, and sorted by."))
    valid_from = fields.Moment(
        **optional(help_text="Of an `Addition`, in the future: the points are pending until then.")
    )
    valid_to = fields.Moment(**optional(help_text="Of an `Addition`. Default: the definition's expiry policy."))
    retail_transaction_line_item_id = fields.Text(
        max_length=LONGEST_LINE_ITEM, may_be_empty=True, **optional(help_text="The line of the receipt that it is of.")
    )

    def faults_together(self, data: Mapping[str, Any]) -> serializers.Faults:
        """This will see to it that the amount, the source and what is cancelled go with the type."""
        kind, source = data.get("transaction_type"), data.get("source")
        if kind not in POSTED:
            return {}
        faults: serializers.Faults = {}
        if kind == Kind.CANCELLATION and data.get("cancels") is None:
            faults["cancels"] = [ErrorDetail("A Cancellation names what it undoes.", code="required")]
        if source == external.UPDATE_BALANCE and kind != Kind.ADJUSTMENT:
            faults["source"] = [ErrorDetail("UpdateBalance goes with Adjustment.", code="exclusive")]
        if fault := amount_fault(data.get("amount"), kind=kind, source=source):
            faults["amount"] = [ErrorDetail(fault.text, code=fault.rule)]
        return faults


def renamed(refusal: errors.Refusal) -> errors.Refusal:
    """This will tell the faults of a transaction by the names that its caller gave to the fields."""
    refusal.faults = {_NAMES.get(name, name): texts for name, texts in refusal.faults.items()}
    return refusal


def amount_fault(amount: Any, *, kind: str, source: Any) -> values.AmountFault | None:
    """This will say what is wrong with the sign of an amount; what is none is told by its own field."""
    try:
        values.amount(amount)
    except values.AmountFault:
        return None
    if source == external.UPDATE_BALANCE and kind == Kind.ADJUSTMENT:
        return None
    read = values.not_zero if kind == Kind.ADJUSTMENT else values.positive
    try:
        read(amount)
    except values.AmountFault as fault:
        return fault
    return None


class PointRowInput(serializers.Input):
    """One of many transactions. Described here, read by `points.api.v3_rows` without a serializer."""

    contact_id = fields.UniqueId()
    definition_id = DefinitionNumber()
    amount = Amount(
        help_text="Above zero adds, below zero deducts; with the source `UpdateBalance` the balance that is wanted."
    )
    source = Source()  # type: ignore[assignment]
    description = fields.Text(max_length=255, help_text="What it is for; it may hold a description code.")
    time_stamp = fields.Moment(**optional(help_text="The caller's date of it: recorded, and sorted by."))
    valid_from = fields.Moment(**optional(help_text="In the future: the points that are added are pending until then."))
    valid_to = fields.Moment(**optional(help_text="Of points that are added. Default: the definition's policy."))
    transaction_id = fields.UniqueId(
        **optional(help_text="The caller's own id of it: the same row again is posted once, for ever.")
    )


class PointAccountInput(serializers.Input):
    """An account to make."""

    contact_id = fields.UniqueId()
    definition_id = DefinitionNumber()


class PointDefinition(serializers.Output):
    """A kind of points."""

    id = fields.Count(source="number")
    name = fields.Words()
    description = fields.Words(help_text="What kind of points it is; empty: nobody said.", schema={"example": ""})
    links = v3.Link(many=True)


class PointAccount(serializers.Output):
    """A contact's account of one definition."""

    id = fields.Uuid(source="ref.id")
    contact_id = fields.Uuid(source="ref.customer_id")
    definition_id = fields.Count(source="ref.definition.number")
    balance = fields.Amount()
    balance_expires = fields.Time(source="expires_at", allow_null=True)
    pending_points = fields.Amount(source="pending", schema={"example": 0})
    held_points = fields.Amount(source="held", help_text="What holds have set aside.", schema={"example": 0})
    links = v3.Link(many=True)


class PointTransaction(serializers.Output):
    """A transaction of an account."""

    id = fields.Uuid(help_text="The caller's own id of it, or ours.")
    account_id = fields.Uuid()
    amount = fields.Amount(source="points", help_text="Below zero: taken.")
    type = fields.Words(schema={"enum": list(Kind.values)})
    source = fields.Words(  # type: ignore[assignment]
        schema={"enum": list(external.SOURCES), "example": "Purchase"}
    )
    description = fields.Words()
    description_text = fields.Words(
        required=False, help_text="Where `lang` is sent: the description as people read it."
    )
    transaction_date = fields.Time()
    created_on = fields.Time(source="created_at")
    modified_on = fields.Time(allow_null=True, schema={"example": None})
    valid_from = fields.Time(allow_null=True)
    valid_to = fields.Time(source="expires_at", allow_null=True)
    retail_transaction_line_item_id = fields.Words(
        source="line_item_id", allow_null=True, schema={"nullable": True, "example": "receipt-77-1"}
    )
    cancels = fields.Uuid(allow_null=True, schema={"nullable": True})
    links = v3.Link(many=True)


class PointRowsDone(serializers.Output):
    """What became of many rows."""

    accepted = fields.Count()
    not_accepted = fields.Written(
        help_text="The rows that are not posted, with those of their fields that are known.",
        schema={"type": "array", "items": {}},
    )
    error_messages = fields.Written(  # type: ignore[assignment]
        schema={"type": "array", "items": {"type": "string"}}
    )
    missing_definition_ids = fields.Written(schema={"type": "array", "items": {"type": "integer"}, "example": []})
    missing_contact_ids = fields.Written(schema={"type": "array", "items": {"type": "string"}, "example": []})
