"""Customers, their cards and their accounts."""

from collections.abc import Iterator

from django.db.models import Q
from django.utils import timezone

from exchange.exports import base
from exchange.exports.base import Export, Range, Row
from loyalty import ids
from loyalty.models import Program
from points import statements
from points.models import AccountRef


def _customers(program: Program, dates: Range) -> Iterator[Row]:
    for customer in base.in_order(program.customers.filter(merged_into=None, erased_at=None), dates):
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
    page = list(cards[: base.PAGE])
    while page:
        for card in page:
            yield [
                card.number,
                *base.named(card.customer),
                card.status,
                card.design,
                card.expires_at,
                card.metadata or None,
                card.created_at,
            ]
        last = page[-1]
        later = Q(created_at__gt=last.created_at) | Q(id__gt=last.pk)
        page = list(cards.filter(Q(created_at__gte=last.created_at), later)[: base.PAGE])


def _accounts(program: Program, _: Range) -> Iterator[Row]:
    at = timezone.now()
    for customers in base.all_customers(program, base.PAGE):
        accounts = base.accounts_of(program, customers)
        refs = {
            account.pk: AccountRef(program=program, definition=account.definition, customer_id=account.customer_id)
            for account in accounts
        }
        known = statements.balances(accounts=refs.values(), at=at)
        for account in accounts:
            told = known[account.pk]
            yield [
                *base.named(customers[account.customer_id]),
                account.definition.code,
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


EXPORTS = {
    "customers": Export(
        title="Customers",
        columns=(*base.WHOSE, "name", "phone", "locale", "metadata", "created_at"),
        rows=_customers,
    ),
    "cards": Export(
        title="Cards",
        columns=("number", *base.WHOSE, "status", "design", "expires_at", "metadata", "created_at"),
        rows=_cards,
    ),
    "accounts": Export(
        title="Point accounts and balances",
        columns=(
            *base.WHOSE,
            *("definition", "balance", "pending", "held", "lifetime_earned", "lifetime_redeemed", "lifetime_expired"),
            *("entries", "tier", "last_activity_at", "created_at"),
        ),
        rows=_accounts,
        has_dates=False,
    ),
}
