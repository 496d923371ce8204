"""A shop for tests: redeems rewards and points through the verbs, and reads back what became of stock and codes."""

import datetime
import uuid
from decimal import Decimal
from typing import Any

from loyalty import idempotency
from loyalty.models import Program
from points import definitions
from points.models import AccountRef
from rewards import catalogue, redeeming, redemptions
from rewards.models import Redemption, RedemptionEvent, Reward
from rewards.redeeming import Redeemed, Wish
from tests.factories import CustomerFactory
from tests.points.till import NOON, Till


def render(redemption: Redemption) -> idempotency.Answer:
    """An answer such as a face would give."""
    return idempotency.Answer(status=201, body=f"{redemption.code} for {redemption.points:.2f}".encode())


class Shop:
    """Redeems at NOON unless told another time."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def reward(self, **said: Any) -> Reward:
        """A reward for 100 points without an end, unless told otherwise."""
        facts = {"name": "Coffee", "points_cost": Decimal(100)} | said
        return catalogue.create(program=self.program, **facts)

    def customer(self, points: Any = 0, **options: Any) -> Till:
        """A new customer with so many points of the programme's default definition."""
        kind = definitions.find(self.program, None)
        till = Till(
            AccountRef(program=self.program, definition=kind, customer_id=CustomerFactory(program=self.program).pk)
        )
        if points:
            till.award(points, **options)
        return till

    def redeem(self, till: Till, reward: Reward | None = None, **options: Any) -> Redemption:
        """This will redeem, and answer what the database has of it then."""
        made = self.ask(till, reward, **options).redemption
        assert made is not None
        return Redemption.objects.get(pk=made.pk)

    def ask(
        self, till: Till, reward: Reward | None = None, *, key: idempotency.Key | None = None, **options: Any
    ) -> Redeemed:
        at = options.pop("at", NOON)
        wish = Wish(customer_id=till.account.customer_id, reward_id=reward.pk if reward else None, **options)
        return redeeming.redeem(program=self.program, wish=wish, actor="till", at=at, render=render, key=key)

    def use(self, redemption: Redemption, at: datetime.datetime = NOON) -> Redemption:
        return redemptions.use(program=self.program, reference=redemption.code, actor="till", at=at)

    def cancel(self, redemption: Redemption, at: datetime.datetime = NOON) -> Redemption:
        return redemptions.cancel(program=self.program, reference=redemption.code, actor="till", at=at)

    def find(self, reference: str | Redemption, at: datetime.datetime = NOON) -> Redemption:
        named = reference if isinstance(reference, str) else reference.code
        return redemptions.find(program=self.program, reference=named, at=at)


def stock(reward: Reward) -> int | None:
    """What is left of it."""
    return Reward.objects.values_list("stock", flat=True).get(pk=reward.pk)


def codes(till: Till) -> list[Redemption]:
    """The customer's codes, the oldest first."""
    return list(Redemption.objects.filter(customer_id=till.account.customer_id).order_by("created_at", "pk"))


def events(redemption: Redemption) -> list[tuple[str, str, uuid.UUID | None]]:
    """What happened to a code, who did it, and which entry gave points back."""
    found = RedemptionEvent.objects.filter(redemption=redemption).order_by("created_at", "pk")
    return list(found.values_list("kind", "actor", "entry_id"))
