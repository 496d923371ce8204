"""What the till shows of a customer: cards, points by the clock, the tier, what ends soon, the last entries."""

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.urls import reverse
from django.utils.dateformat import format as format_date

from cards import membership
from cards.models import Card, Customer
from loyalty import console, errors
from loyalty.models import Program
from points import histories, statements
from points.admin import rows, words
from points.models import AccountRef, PointDefinition, PointTransaction
from points.statements import Statement
from rewards import lapses, offers
from rewards.models import Redemption, Reward

MOST_ENTRIES = 10
MOST_CARDS = 10
MOST_CODES = 10
_COLOURS = {"active": "success", "inactive": "info", "blocked": "danger", "expired": "warning"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Visit:
    """Who is at the till, with which card in hand, and which points it is about."""

    request: HttpRequest
    customer: Customer
    account: AccountRef
    kinds: Sequence[PointDefinition]
    card: Card | None = None

    @property
    def program(self) -> Program:
        """The programme that the till is of."""
        return self.account.program

    @property
    def definition(self) -> PointDefinition:
        """The kind of points."""
        return self.account.definition

    def amount(self, points: Any, *, is_signed: bool = False) -> str:
        """This will write so many of the points."""
        return console.amount(points, places=self.definition.decimal_places, is_signed=is_signed)


def sections(visit: Visit, *, at: datetime.datetime) -> dict[str, Any]:
    """This will answer what the customer's page shows."""
    try:
        # What fell due is written first: the newest entry then says what the balance says.
        lapses.of_customers([visit.customer.pk], at=at)
        entries = histories.of_account(account=visit.account, at=at).select_related("program")
    except errors.Unavailable:
        entries = PointTransaction.objects.filter(account_id=visit.account.id).order_by("-version")
    known = statements.balance(account=visit.account, at=at)
    return {
        "figures": [
            ("Balance", visit.amount(known.balance)),
            ("Pending", visit.amount(known.pending)),
            ("Held", visit.amount(known.held)),
        ],
        "tier": _tier(visit, known, at),
        "expiring": _expiring(visit, known),
        "cards": [_card(card, visit, at) for card in _cards(visit.customer)],
        "entries": [_entry(entry, visit) for entry in entries[:MOST_ENTRIES]],
        "rewards": [_reward(reward, visit) for reward in offers.to(account=visit.account, known=known, at=at)],
        "codes": [_code(redemption, visit) for redemption in _codes(visit, at)],
        "hand": _card(visit.card, visit, at) if visit.card else None,
    }


def about(customer: Customer) -> str:
    """This will answer by what else than the name staff know a customer."""
    told = [customer.email, customer.phone, customer.external_id]
    return " · ".join(text for text in told if text and text != str(customer))


def reward_of(redemption: Redemption) -> str:
    """This will answer what a code is for."""
    if redemption.reward is not None:
        return redemption.reward.name
    return f"{console.amount(redemption.points, places=redemption.definition.decimal_places)} points"


def code_address(program: Program, code: str) -> str:
    """This will answer where the page of a code is."""
    return reverse("till_code", args=[program.slug, code])


def discount(worth: "Redemption | Reward") -> str:
    """This will write what comes off the bill; empty where nothing is said of it."""
    if worth.discount_amount is not None:
        return f"{worth.discount_amount:,f} {worth.currency} off"
    return f"{worth.discount_percent.normalize():f}% off" if worth.discount_percent is not None else ""


def _tier(visit: Visit, known: Statement, at: datetime.datetime) -> dict[str, Any] | None:
    progress = statements.progress(account=visit.account, known=known, at=at)
    if progress is None:
        return None
    rung, following = progress.rung, progress.following
    told = "The highest tier" if rung else ""
    if following is not None and progress.points_to_next is not None:
        told = f"{words.points(progress.points_to_next)} more to {following.name}"
    return {
        "name": words.swatch(rung.color, rung.name) if rung else "No tier yet",
        "color": rung.color if rung else None,
        "following": following.name if following else None,
        "percentage": progress.percentage,
        "told": told,
    }


def _expiring(visit: Visit, known: Statement) -> list[tuple[str, str]]:
    zone = ZoneInfo(visit.program.timezone)
    return [
        (format_date(soon.expires_at.astimezone(zone), "l, j F"), words.points(soon.points)) for soon in known.expiring
    ]


def _cards(customer: Customer) -> list[Card]:
    return list(customer.cards.order_by("-created_at", "-pk")[:MOST_CARDS])


def _card(card: Card, visit: Visit, at: datetime.datetime) -> dict[str, Any]:
    state = membership.state(card, at=at)
    return {
        "number": card.number,
        "state": state.capitalize(),
        "colour": _COLOURS[state],
        "is_in_hand": visit.card is not None and card.pk == visit.card.pk,
    }


def _entry(entry: PointTransaction, visit: Visit) -> dict[str, Any]:
    return {
        "what": entry.get_type_display(),
        "reason": rows.reason(entry, visit.program),
        # What is held or becomes active stays the customer's: told is what can be spent.
        "points": visit.amount(rows.changed(entry), is_signed=True),
        "balance": visit.amount(entry.balance_after),
        "when": console.moment(entry.effective_at, visit.program),
        "by": entry.staff_member or entry.actor,
        "reference": entry.reference,
    }


def _reward(reward: Reward, visit: Visit) -> dict[str, Any]:
    left = "" if reward.stock is None else f"{reward.stock:,} left"
    return {
        "id": str(reward.pk),
        "name": reward.name,
        "price": f"{reward.points_cost:f}",
        "told": f"{visit.amount(reward.points_cost)} points",
        "about": " · ".join(text for text in (discount(reward), left) if text),
        "key": uuid.uuid4(),
    }


def _codes(visit: Visit, at: datetime.datetime) -> list[Redemption]:
    """This will answer the newest of the customer's codes that can be used."""
    open_ones = visit.customer.redemptions.filter(used_at=None, cancelled_at=None, lapsed_at=None)
    found = open_ones.select_related("reward", "definition").order_by("-id")[:MOST_CODES]
    return [redemption for redemption in found if redemption.state(at) == Redemption.State.ACTIVE]


def _code(redemption: Redemption, visit: Visit) -> dict[str, Any]:
    until = redemption.expires_at and f"until {console.moment(redemption.expires_at, visit.program)}"
    told = (reward_of(redemption), discount(redemption), until)
    return {
        "code": redemption.code,
        "about": " · ".join(text for text in told if text),
        "address": code_address(visit.program, redemption.code),
    }
