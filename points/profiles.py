"""What customers have, many at once: what the default points of each come to, the tier, and the cards."""

import dataclasses
import datetime
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db.models import Q

from cards.models import Card, Customer
from loyalty.models import Program
from points import statements
from points.models import AccountRef


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A customer by the clock. `tier`: its name; None where the programme has none, or the customer."""

    customer: Customer
    balance: Decimal
    pending: Decimal
    held: Decimal
    lifetime_earned: Decimal
    tier: str | None
    cards: Sequence[Card]


def of(customers: Iterable[Customer], *, program: Program, at: datetime.datetime) -> list[Profile]:
    """This will answer the profiles of the programme's customers, in their order, in as many statements as for one."""
    customers = list(customers)
    kinds = list(program.definitions.filter(Q(is_default=True) | Q(counts_for_tiers=True)))
    default = next(kind for kind in kinds if kind.is_default)
    for_tiers = next((kind for kind in kinds if kind.counts_for_tiers), default)
    refs = {
        (customer.pk, kind.pk): AccountRef(program=program, definition=kind, customer_id=customer.pk)
        for customer in customers
        for kind in kinds
    }
    told = statements.balances(accounts=refs.values(), at=at)
    cards = _cards(program, customers)
    profiles = []
    for customer in customers:
        points = told[refs[customer.pk, default.pk].id]
        standing = told[refs[customer.pk, for_tiers.pk].id].tier
        profiles.append(
            Profile(
                customer=customer,
                balance=points.balance,
                pending=points.pending,
                held=points.held,
                lifetime_earned=points.lifetime_earned,
                tier=standing.rung.name if standing and standing.rung else None,
                cards=cards[customer.pk],
            )
        )
    return profiles


def _cards(program: Program, customers: Iterable[Customer]) -> dict[uuid.UUID, list[Card]]:
    """This will answer the cards of each customer, the oldest first."""
    found: dict[uuid.UUID, list[Card]] = defaultdict(list)
    for card in program.cards.filter(customer__in=customers).order_by("created_at", "pk"):
        found[card.customer_id].append(card)
    return found
