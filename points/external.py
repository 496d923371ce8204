"""Transactions as other systems keep them: under ids of their own, dated by them, with a source and a receipt's line.

A caller's id is unique in the account, for ever. The entry's own id is worked out from both, so that the same
transaction finds the entry that it made, whenever it is sent again, and another one under the same id is refused.
"""

import dataclasses
import datetime
import uuid
from decimal import Decimal

from django.db.models import QuerySet, TextChoices

from loyalty import errors, idempotency, ids
from loyalty.models import Program
from points import contacts, heirs, ledger
from points.ledger import TransactionNotFound
from points.models import UNLISTED, AccountRef, EntryType, PointTransaction
from points.page import named_entry_id


class Kind(TextChoices):
    """What a transaction did, as other systems call it."""

    ADDITION = "Addition"
    DEDUCTION = "Deduction"
    EXPIRY = "Expiry"
    CANCELLATION = "Cancellation"
    ADJUSTMENT = "Adjustment"


_KINDS = {
    EntryType.AWARD: Kind.ADDITION,
    EntryType.REDEEM: Kind.DEDUCTION,
    EntryType.EXPIRE: Kind.EXPIRY,
    EntryType.REVERSE: Kind.CANCELLATION,
    EntryType.ADJUST: Kind.ADJUSTMENT,
}
_TYPES = {kind: entry_type for entry_type, kind in _KINDS.items()}
# What moves points between two accounts is no transaction of this kind of its own.
_KINDS |= {EntryType.TRANSFER: Kind.ADJUSTMENT, EntryType.MERGE: Kind.ADJUSTMENT}

# The adjustment whose amount is the balance that another system has.
UPDATE_BALANCE = "UpdateBalance"
SOURCES = (
    "Purchase",
    "Adjustment",
    "Return",
    "Automation",
    "Manual",
    "ReceiptAdjustment",
    "BonusPromotion",
    "BonusPromotionReturn",
    "RewardVoucher",
    "BonusBalanceAdjustment",
    UPDATE_BALANCE,
    "PointTransactionCancellation",
)
# What entries of the other faces come from, where their type says it all.
_SOURCES = {
    EntryType.EXPIRE: "Automation",
    EntryType.REVERSE: "PointTransactionCancellation",
    EntryType.ADJUST: "Adjustment",
    EntryType.TRANSFER: "Adjustment",
    EntryType.MERGE: "Adjustment",
}
# By the kind of deed: the shop face keeps it with what it posts, the customers face as the source of an award.
_SOURCES_OF_DEEDS = {
    "purchase": "Purchase",
    "bonus": "BonusPromotion",
    "referral": "BonusPromotion",
    "activity": "BonusPromotion",
    "manual": "Manual",
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """A transaction as its caller tells it. `amount` is above zero; signed for an adjustment, and with the source
    `UpdateBalance` the balance that is wanted. `id` is the caller's; `cancels` names what a cancellation undoes."""

    kind: Kind
    amount: Decimal
    source: str
    description: str
    id: uuid.UUID | None = None
    dated_at: datetime.datetime | None = None
    valid_from: datetime.datetime | None = None
    valid_to: datetime.datetime | None = None
    line_item_id: str | None = None
    cancels: uuid.UUID | None = None


def posting(*, account: AccountRef, told: Transaction, actor: str, at: datetime.datetime) -> ledger.Posting:
    """This will answer what is to be posted for a transaction.

    Raises:
        TransactionNotFound: the account has none that `cancels` names.
        errors.InvalidParameters: points that are taken, or correct a balance, would wait for their day.
    """
    is_addition = told.kind == Kind.ADDITION
    if not is_addition and told.valid_from is not None and told.valid_from > at:
        text = "Only an Addition can become valid later."
        raise errors.InvalidParameters({"valid_from": [text]}, rule="exclusive")
    sets_balance = told.source == UPDATE_BALANCE
    return ledger.Posting(
        type=_TYPES[told.kind],
        account=account,
        points=None if sets_balance else told.amount,
        of_balance=(lambda balance: told.amount - balance) if sets_balance else None,
        at=at,
        note=ledger.Note(
            reason=told.description,
            actor=actor,
            external=None if told.id is None else ledger.External(told.id, _fingerprint(told)),
            source=told.source,
            line_item_id=told.line_item_id,
            transaction_date=told.dated_at,
        ),
        valid_from=told.valid_from if is_addition else None,
        expires_at=told.valid_to if is_addition else None,
        reverses_id=None if told.cancels is None else _in_account(account, told.cancels),
        entry_id=ids.new_id() if told.id is None else named_entry_id(account.id, told.id),
        is_named=told.id is not None,
    )


def find(*, program: Program, transaction_id: uuid.UUID, account_id: uuid.UUID | None = None) -> PointTransaction:
    """This will answer the programme's entry of a caller's id, or else of our own, its account with it.

    Several accounts may have a transaction of one id. Without an account, it is the first that was written.

    Raises:
        TransactionNotFound: there is none.
    """
    entries = PointTransaction.objects.filter(program=program).exclude(type__in=UNLISTED)
    if account_id is not None:
        # Also where its account is merged into another by now: what was posted since is there.
        entries = entries.filter(account_id__in=heirs.paths([account_id])[account_id])
    entries = entries.select_related("account")
    found = entries.filter(external_id=transaction_id).order_by("xid", "id").first()
    found = found or entries.filter(id=transaction_id).first()
    if found is None:
        raise TransactionNotFound
    return found


def require_posted(*, account: AccountRef, transaction_id: uuid.UUID) -> None:
    """This will let a transaction go on that was posted before.

    Raises:
        contacts.PointSystemNotActive: it was not.
    """
    if not PointTransaction.objects.filter(
        account_id=account.id, pk=named_entry_id(account.id, transaction_id)
    ).exists():
        raise contacts.PointSystemNotActive


def kind(entry: PointTransaction) -> Kind:
    """This will answer what an entry is told as."""
    return _KINDS[EntryType(entry.type)]


def source(entry: PointTransaction) -> str:
    """This will answer where an entry comes from: as its caller said, or what the face that posted it stands for."""
    if entry.source is not None:
        return _SOURCES_OF_DEEDS.get(entry.source, entry.source)
    deed = (entry.metadata or {}).get("transaction_type")
    of_deed = _SOURCES_OF_DEEDS.get(deed) if isinstance(deed, str) else None
    return _SOURCES.get(EntryType(entry.type)) or of_deed or "Manual"


def told_ids(entries: QuerySet[PointTransaction]) -> dict[uuid.UUID, uuid.UUID]:
    """This will answer, by the id of each entry, the id under which callers know it."""
    return {entry.pk: entry.external_id or entry.pk for entry in entries.only("id", "external_id")}


def _in_account(account: AccountRef, transaction_id: uuid.UUID) -> uuid.UUID:
    return find(program=account.program, transaction_id=transaction_id, account_id=account.id).pk


def _fingerprint(told: Transaction) -> str:
    facts = {name: value for name, value in dataclasses.asdict(told).items() if name != "id" and value is not None}
    body = {name: value if isinstance(value, Decimal) else str(value) for name, value in facts.items()}
    return idempotency.fingerprint(method="TRANSACTION", path="", body=body)
