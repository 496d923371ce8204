"""What can be exported: for each kind its columns, and its rows page by page, however many there are."""

import dataclasses
import datetime
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from cards.models import Customer
from loyalty import ids, xids
from loyalty.models import Program
from points import histories, statements
from points.models import AccountRef, PointAccount, PointLot
from rewards import catalogue
from rewards.models import Redemption, RewardVoucher

_PAGE = 1_000
# Each of them may have many lots.
_FEW = 100
# By so much a row may be written before, or after, what another transaction wrote that has a later number.
_APART = datetime.timedelta(hours=1)

Row = list[Any]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """From when on, and before when, rows were made; None: without an end."""

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    def holds(self, moment: datetime.datetime) -> bool:
        """This will tell whether a moment is in it."""
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A kind of rows. `has_dates`: those of a range can be exported."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Program, Range], Iterator[Row]]
    has_dates: bool = True


def _customers(program: Program, dates: Range) -> Iterator[Row]:
    for customer in _in_order(program.customers.filter(merged_into=None, erased_at=None), dates):
        yield [
            ids.public("cus", customer.pk),
            customer.external_id,
            customer.email,
            customer.name,
            customer.phone,
            customer.locale,
            customer.metadata or None,
            customer.created_at,
        ]


def _cards(program: Program, dates: Range) -> Iterator[Row]:
    cards = program.cards.select_related("customer").order_by("created_at", "id")
    if dates.since is not None:
        cards = cards.filter(created_at__gte=dates.since)
    if dates.until is not None:
        cards = cards.filter(created_at__lt=dates.until)
    page = list(cards[:_PAGE])
    while page:
        for card in page:
            yield [
                card.number,
                *_named(card.customer),
                card.status,
                card.design,
                card.expires_at,
                card.metadata or None,
                card.created_at,
            ]
        last = page[-1]
        later = Q(created_at__gt=last.created_at) | Q(id__gt=last.pk)
        page = list(cards.filter(Q(created_at__gte=last.created_at), later)[:_PAGE])


def _accounts(program: Program, _: Range) -> Iterator[Row]:
    kinds = {kind.pk: kind for kind in program.definitions.all()}
    at = timezone.now()
    for customers in _all_customers(program, _PAGE):
        accounts = _accounts_of(program, customers).select_related("tier")
        refs = {
            account.pk: AccountRef(
                program=program, definition=kinds[account.definition_id], customer_id=account.customer_id
            )
            for account in accounts
        }
        known = statements.balances(accounts=refs.values(), at=at)
        for account in accounts:
            told = known[account.pk]
            yield [
                *_named(customers[account.customer_id]),
                kinds[account.definition_id].code,
                told.balance,
                told.pending,
                told.held,
                account.lifetime_earned,
                account.lifetime_redeemed,
                account.lifetime_expired,
                account.version,
                account.tier.code if account.tier else None,
                account.last_activity_at,
                account.created_at,
            ]


def _entries(program: Program, dates: Range) -> Iterator[Row]:
    entries = histories.of_program(program=program).select_related("account__customer", "account__definition", "card")
    for entry in _in_order(entries, dates):
        yield [
            ids.public("txn", entry.pk),
            entry.created_at,
            entry.effective_at,
            entry.transaction_date,
            *_named(entry.account.customer),
            entry.account.definition.code,
            entry.version,
            entry.type,
            entry.points,
            entry.balance_before,
            entry.balance_after,
            entry.pending_after,
            entry.held_after,
            entry.shortfall,
            entry.valid_from,
            entry.expires_at,
            entry.told_reason,
            entry.reference,
            entry.source,
            entry.line_item_id,
            entry.staff_member,
            entry.actor,
            entry.card.number if entry.card else None,
            ids.public("txn", entry.reverses_id) if entry.reverses_id else None,
            entry.metadata,
        ]


def _lots(program: Program, _: Range) -> Iterator[Row]:
    codes = {kind.pk: kind.code for kind in program.definitions.all()}
    for customers in _all_customers(program, _FEW):
        accounts = {account.pk: account for account in _accounts_of(program, customers)}
        lots = PointLot.objects.filter(account_id__in=list(accounts)).order_by("account_id", "version", "id")
        for lot in lots.iterator(chunk_size=_PAGE):
            account = accounts[lot.account_id]
            yield [
                *_named(customers[account.customer_id]),
                codes[account.definition_id],
                ids.public("txn", lot.entry_id),
                lot.points,
                lot.remaining,
                lot.active_from,
                lot.expires_at,
                lot.inactivity_months,
            ]


def _rewards(program: Program, dates: Range) -> Iterator[Row]:
    for reward in _in_order(catalogue.of_program(program=program).order_by("xid", "id"), dates):
        yield [
            reward.name,
            reward.points_cost,
            reward.definition.code,
            reward.description,
            reward.category,
            reward.discount_amount,
            reward.discount_percent,
            reward.currency,
            reward.stock,
            reward.per_customer_limit,
            reward.min_tier,
            reward.valid_from,
            reward.valid_to,
            reward.code_valid_days,
            reward.lapse,
            reward.is_active,
            reward.created_at,
        ]


def _redemptions(program: Program, dates: Range) -> Iterator[Row]:
    at = timezone.now()
    for customers in _all_customers(program, _FEW):
        found = Redemption.objects.filter(customer_id__in=list(customers)).order_by("customer_id", "id")
        for code in found.select_related("reward", "definition").iterator(chunk_size=_PAGE):
            if dates.holds(code.created_at):
                yield [
                    code.code,
                    *_named(customers[code.customer_id]),
                    code.definition.code,
                    code.reward.name if code.reward else None,
                    code.points,
                    code.discount_amount,
                    code.discount_percent,
                    code.currency,
                    code.state(at),
                    code.created_at,
                    code.expires_at,
                    code.used_at,
                    code.cancelled_at,
                    code.lapsed_at,
                ]


def _vouchers(program: Program, dates: Range) -> Iterator[Row]:
    at = timezone.now()
    for customers in _all_customers(program, _FEW):
        found = RewardVoucher.objects.filter(customer_id__in=list(customers)).order_by(
            "customer_id", "created_at", "id"
        )
        for voucher in found.iterator(chunk_size=_PAGE):
            if dates.holds(voucher.created_at):
                yield [
                    voucher.number,
                    *_named(customers[voucher.customer_id]),
                    voucher.points,
                    voucher.value,
                    voucher.currency,
                    voucher.state(at),
                    voucher.created_at,
                    voucher.expires_at,
                    voucher.redeemed_at,
                ]


_WHOSE = ("customer_id", "external_id", "email")
EXPORTS = {
    "customers": Export(
        title="Customers",
        columns=(*_WHOSE, "name", "phone", "locale", "metadata", "created_at"),
        rows=_customers,
    ),
    "cards": Export(
        title="Cards",
        columns=("number", *_WHOSE, "status", "design", "expires_at", "metadata", "created_at"),
        rows=_cards,
    ),
    "accounts": Export(
        title="Point accounts and balances",
        columns=(
            *_WHOSE,
            *("definition", "balance", "pending", "held", "lifetime_earned", "lifetime_redeemed", "lifetime_expired"),
            *("entries", "tier", "last_activity_at", "created_at"),
        ),
        rows=_accounts,
        has_dates=False,
    ),
    "entries": Export(
        title="Ledger entries",
        columns=(
            *("id", "created_at", "effective_at", "transaction_date", *_WHOSE, "definition", "version", "type"),
            *("points", "balance_before", "balance_after", "pending_after", "held_after", "shortfall", "valid_from"),
            *("expires_at", "reason", "reference", "source", "line_item_id", "staff_member", "actor", "card_number"),
            *("reverses", "metadata"),
        ),
        rows=_entries,
    ),
    "lots": Export(
        title="Lots",
        columns=(
            *_WHOSE,
            *("definition", "entry_id", "points", "remaining", "active_from", "expires_at", "inactivity_months"),
        ),
        rows=_lots,
        has_dates=False,
    ),
    "rewards": Export(
        title="Rewards",
        columns=(
            *("name", "points_cost", "definition", "description", "category", "discount_amount", "discount_percent"),
            *("currency", "stock", "per_customer_limit", "min_tier", "valid_from", "valid_to", "code_valid_days"),
            *("lapse", "is_active", "created_at"),
        ),
        rows=_rewards,
    ),
    "redemptions": Export(
        title="Redemption codes",
        columns=(
            *("code", *_WHOSE, "definition", "reward", "points", "discount_amount", "discount_percent", "currency"),
            *("state", "created_at", "expires_at", "used_at", "cancelled_at", "lapsed_at"),
        ),
        rows=_redemptions,
    ),
    "vouchers": Export(
        title="Vouchers",
        columns=(
            *("number", *_WHOSE, "points", "value", "currency", "state", "created_at", "expires_at", "redeemed_at"),
        ),
        rows=_vouchers,
    ),
}


def _named(customer: Customer) -> Row:
    return [ids.public("cus", customer.pk), customer.external_id, customer.email]


def _in_order(rows: QuerySet[Any], dates: Range) -> Iterator[Any]:
    """This will answer rows in the order of the transactions that wrote them, which no later one comes before, page by
    page; those of the range."""
    rows = xids.settled(rows).order_by("xid", "id")
    found = rows if dates.since is None else rows.filter(xid__gte=str(_first_xid(rows, dates.since - _APART)))
    page = list(found[:_PAGE])
    while page:
        for row in page:
            if dates.holds(row.created_at):
                yield row
        if dates.until is not None and page[0].created_at >= dates.until + _APART:
            return
        page = list(xids.later(rows, page[-1])[:_PAGE])


def _first_xid(rows: QuerySet[Any], since: datetime.datetime) -> int:
    """This will answer a transaction after which all rows were made that are as young as that: found as one finds a
    word in a dictionary, since to read all that are older would take as long as to export them."""
    last = rows.reverse().first()
    low, high = 0, int(last.xid) if last else 0
    while low < high:
        middle = (low + high) // 2
        row = rows.filter(xid__gte=str(middle)).first()
        if row is None or row.created_at >= since:
            high = middle
        else:
            low = max(int(row.xid), middle) + 1
    return low


def _all_customers(program: Program, size: int) -> Iterator[dict[uuid.UUID, Customer]]:
    """This will answer the programme's customers in pages, by id; those who were merged or erased among them."""
    rows = xids.settled(program.customers.order_by("xid", "id"))
    page = list(rows[:size])
    while page:
        yield {customer.pk: customer for customer in page}
        page = list(xids.later(rows, page[-1])[:size])


def _accounts_of(program: Program, customers: dict[uuid.UUID, Customer]) -> QuerySet[PointAccount]:
    """This will answer the accounts of customers: their ids say themselves."""
    kinds = program.definitions.values_list("pk", flat=True)
    keys = [PointAccount.id_for(customer_id, kind) for customer_id in customers for kind in kinds]
    return PointAccount.objects.filter(pk__in=keys).order_by("customer_id", "definition_id")
