"""Any sequence of redeeming, using, cancelling and waiting, against a model in plain Python."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty import errors
from rewards.models import Redemption, Reward
from tests.points.till import Till, days
from tests.rewards.shop import Shop, stock

PRICE = 100
REWARDS = st.fixed_dictionaries(
    {
        "stock": st.none() | st.integers(0, 4),
        "per_customer_limit": st.none() | st.integers(1, 3),
        "code_valid_days": st.none() | st.integers(1, 3),
        "lapse": st.sampled_from(["return", "forfeit"]),
    }
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["redeem", "redeem", "redeem", "use", "cancel", "wait", "look"]),
        st.integers(0, 1),
        st.integers(0, 1),
        st.integers(0, 20),
    ),
    max_size=25,
)


@dataclasses.dataclass
class Code:
    """What the model knows of a code."""

    till: int
    reward: int
    ends_on: int | None
    made: Redemption
    state: str = "active"


class Model:
    """Codes, and what follows from them."""

    def __init__(self, rewards: list[dict[str, Any]], points: list[int]) -> None:
        self.rewards = rewards
        self.points = points
        self.codes: list[Code] = []
        self.day = 0

    def wait(self) -> None:
        self.day += 1
        for code in self.codes:
            if code.state == "active" and code.ends_on is not None and code.ends_on <= self.day:
                code.state = "returned" if self.rewards[code.reward]["lapse"] == "return" else "forfeited"

    def live(self, **facts: int) -> list[Code]:
        return [
            code
            for code in self.codes
            if code.state not in ("cancelled", "returned") and all(getattr(code, k) == v for k, v in facts.items())
        ]

    def stock(self, reward: int) -> int | None:
        initial = self.rewards[reward]["stock"]
        return None if initial is None else initial - len(self.live(reward=reward))

    def balance(self, till: int) -> int:
        return self.points[till] - PRICE * len(self.live(till=till))

    def refusal(self, till: int, reward: int) -> str | None:
        limit = self.rewards[reward]["per_customer_limit"]
        if self.stock(reward) == 0:
            return "REWARD_OUT_OF_STOCK"
        if limit is not None and len(self.live(till=till, reward=reward)) >= limit:
            return "REWARD_LIMIT_REACHED"
        return "INSUFFICIENT_POINTS" if self.balance(till) < PRICE else None


ENDED = {
    "used": "ALREADY_USED",
    "cancelled": "REDEMPTION_CANCELLED",
    "returned": "REDEMPTION_EXPIRED",
    "forfeited": "REDEMPTION_EXPIRED",
}


def outcome(work: Callable[[], Redemption]) -> Redemption | str:
    try:
        return work()
    except errors.Refusal as refusal:
        return refusal.code


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    rewards=st.lists(REWARDS, min_size=2, max_size=2),
    points=st.lists(st.integers(1, 500), min_size=2, max_size=2),
    steps=STEPS,
)
def test_stock_and_points_are_what_live_codes_leave(
    shop: Shop, rewards: list[dict[str, Any]], points: list[int], steps: list[Any]
) -> None:
    model = Model(rewards, points)
    offers = [shop.reward(points_cost=Decimal(PRICE), **facts) for facts in rewards]
    tills = [shop.customer(count) for count in points]
    for kind, till, reward, which in steps:
        if kind == "wait":
            model.wait()
        elif kind == "redeem":
            # Codes of others may have lapsed: whoever comes to them brings the stock back.
            look(shop, model)
            expected = model.refusal(till, reward)
            made = outcome(lambda t=tills[till], o=offers[reward]: shop.redeem(t, o, at=days(model.day)))
            if isinstance(made, str):
                assert made == expected
            else:
                assert expected is None
                valid = rewards[reward]["code_valid_days"]
                model.codes.append(Code(till, reward, valid and model.day + valid, made))
        elif kind == "look":
            look(shop, model)
        elif model.codes:
            end(shop, model, model.codes[which % len(model.codes)], kind)
    look(shop, model)
    check(model, offers, tills)


def look(shop: Shop, model: Model) -> None:
    for code in model.codes:
        told = shop.find(code.made, days(model.day)).state(days(model.day)).value
        assert told == {"returned": "expired", "forfeited": "expired"}.get(code.state, code.state)


def end(shop: Shop, model: Model, code: Code, kind: str) -> None:
    ended = outcome(lambda: getattr(shop, kind)(code.made, days(model.day)))
    assert (ended if isinstance(ended, str) else None) == ENDED.get(code.state)
    if code.state == "active":
        code.state = {"use": "used", "cancel": "cancelled"}[kind]


def check(model: Model, offers: list[Reward], tills: list[Till]) -> None:
    assert [stock(offer) for offer in offers] == [model.stock(n) for n in range(2)]
    assert [till.balance for till in tills] == [model.balance(n) for n in range(2)]
    for n, till in enumerate(tills):
        kept = sum((entry.points for entry in till.entries()), Decimal(0))
        assert kept == till.balance == sum(till.left())
        assert till.row().lifetime_redeemed == PRICE * len(model.live(till=n))
