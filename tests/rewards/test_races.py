"""Many at once, with real threads and connections of their own: the last one goes to one, and no point is lost."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from loyalty import errors, idempotency
from points import ledger
from rewards import catalogue, redeeming, redemptions
from rewards.models import Redemption, Reward
from tests.points.killing import KillAt
from tests.points.proxy import Proxy, proxied
from tests.points.threads import Waiting, at_once, deadlocks
from tests.points.till import Till, days, key, posting
from tests.rewards.shop import Shop, codes, events, stock


@pytest.fixture(autouse=True)
def _without_deadlock() -> Iterator[None]:
    before = deadlocks()
    yield
    assert deadlocks() == before


def kinds(outcomes: list[Any]) -> Counter[type]:
    return Counter(type(outcome) for outcome in outcomes)


def redeeming_of(shop: Shop, tills: list[Till], reward: Reward, **options: Any) -> list[Callable[[], Any]]:
    return [functools.partial(shop.ask, till, reward, **options) for till in tills]


def test_the_last_one_goes_to_one_customer(shop: Shop) -> None:
    reward = shop.reward(stock=1)
    tills = [shop.customer(100) for _ in range(12)]
    outcomes = at_once(*redeeming_of(shop, tills, reward))
    assert kinds(outcomes) == {redeeming.Redeemed: 1, redeeming.RewardOutOfStock: 11}
    assert (sorted(till.balance for till in tills), stock(reward)) == ([0] + [100] * 11, 0)


def test_fifty_customers_race_for_seven(shop: Shop) -> None:
    reward = shop.reward(stock=7)
    tills = [shop.customer(100) for _ in range(50)]
    outcomes = at_once(*redeeming_of(shop, tills, reward))
    assert kinds(outcomes) == {redeeming.Redeemed: 7, redeeming.RewardOutOfStock: 43}
    assert stock(reward) == 0
    assert sum(till.balance for till in tills) == 50 * 100 - 7 * 100
    assert {(len(codes(till)), till.balance) for till in tills} == {(1, 0), (0, 100)}


def test_a_customer_at_many_tills_stops_at_the_limit(shop: Shop) -> None:
    reward = shop.reward(per_customer_limit=3)
    alice = shop.customer(2000)
    outcomes = at_once(*redeeming_of(shop, [alice] * 16, reward))
    assert kinds(outcomes) == {redeeming.Redeemed: 3, redeeming.RewardLimitReached: 13}
    assert (alice.balance, len(codes(alice))) == (2000 - 3 * 100, 3)


def test_points_that_pay_for_two_pay_for_two(shop: Shop) -> None:
    alice = shop.customer(250)
    first, second = shop.reward(stock=50), shop.reward(stock=50)
    outcomes = at_once(*redeeming_of(shop, [alice] * 8, first), *redeeming_of(shop, [alice] * 8, second))
    assert kinds(outcomes) == {redeeming.Redeemed: 2, ledger.InsufficientPoints: 14}
    assert alice.balance == 50
    assert 100 - stock(first) - stock(second) == 2


def test_a_key_sent_twenty_times_makes_one_code(shop: Shop) -> None:
    reward = shop.reward(stock=5)
    alice = shop.customer(1000)
    outcomes = at_once(*redeeming_of(shop, [alice] * 20, reward, key=key("r-1")))
    assert kinds(outcomes) == {redeeming.Redeemed: 20}
    assert len({outcome.answer.body for outcome in outcomes}) == 1
    assert Counter(outcome.answer.replayed for outcome in outcomes) == {False: 1, True: 19}
    assert (len(codes(alice)), stock(reward), alice.balance) == (1, 4, 900)


def test_a_key_that_a_posting_has_too_locks_nobody_out(shop: Shop) -> None:
    """With its record before the account's lock, each would wait for the other."""
    reward = shop.reward(stock=90)
    alice = shop.customer(1000)
    for n in range(10):
        award = functools.partial(
            ledger.post,
            posting(alice.account, "award", 1, key=key(f"k-{n}", "award")),
            render=lambda _: idempotency.Answer(status=201, body=b"awarded"),
        )
        outcomes = at_once(award, functools.partial(shop.ask, alice, reward, key=key(f"k-{n}")))
        assert kinds(outcomes)[errors.IdempotencyKeyReused] == 1


def test_a_code_is_used_once(shop: Shop) -> None:
    made = shop.redeem(shop.customer(100), shop.reward())
    outcomes = at_once(*[functools.partial(shop.use, made)] * 12)
    assert kinds(outcomes) == {Redemption: 1, redemptions.AlreadyUsed: 11}
    assert len(events(made)) == 1


def test_a_code_is_cancelled_once(shop: Shop) -> None:
    alice = shop.customer(100)
    reward = shop.reward(stock=3)
    made = shop.redeem(alice, reward)
    outcomes = at_once(*[functools.partial(shop.cancel, made)] * 12)
    assert kinds(outcomes) == {Redemption: 1, redemptions.RedemptionCancelled: 11}
    assert (alice.balance, stock(reward), alice.history()[1:]) == (100, 3, [("redeem", -100), ("reverse", 100)])


def test_a_code_is_either_used_or_cancelled_or_lapses(shop: Shop) -> None:
    for _ in range(8):
        alice = shop.customer(100)
        reward = shop.reward(stock=1, code_valid_days=2, lapse="return")
        made = shop.redeem(alice, reward)
        at_once(
            functools.partial(shop.use, made, days(1)),
            functools.partial(shop.cancel, made, days(1)),
            functools.partial(shop.find, made, days(3)),
            functools.partial(shop.cancel, made, days(1)),
            functools.partial(shop.use, made, days(1)),
        )
        assert len(events(made)) == 1
        is_used = events(made)[0][0] == "used"
        assert (alice.balance, stock(reward)) == ((0, 0) if is_used else (100, 1))


def test_everything_at_once_keeps_stock_and_points(shop: Shop) -> None:
    rewards = [shop.reward(stock=6, per_customer_limit=4), shop.reward(stock=6), shop.reward()]
    tills = [shop.customer(1000) for _ in range(4)]

    def work(n: int) -> None:
        for round_ in range(6):
            till, reward = tills[(n + round_) % 4], rewards[(n * 5 + round_) % 3]
            try:
                made = shop.redeem(till, reward)
                if (n + round_) % 3:
                    shop.cancel(made)
                elif n % 2:
                    shop.use(made)
            except errors.Refusal as refusal:
                assert refusal.status == 409, refusal  # noqa: PT017

    at_once(*[functools.partial(work, n) for n in range(8)])
    for reward in rewards[:2]:
        live = Redemption.objects.filter(reward=reward, cancelled_at=None).count()
        assert stock(reward) == 6 - live
    assert stock(rewards[2]) is None
    for till in tills:
        live = Redemption.objects.filter(customer_id=till.account.customer_id, cancelled_at=None).count()
        assert till.balance == 1000 - 100 * live


def test_a_reward_does_not_wait_for_another(shop: Shop) -> None:
    held, other, endless = shop.reward(stock=5), shop.reward(stock=5), shop.reward()
    tills = [shop.customer(100) for _ in range(3)]
    with transaction.atomic():
        catalogue.locked(held)
        waiting = Waiting(functools.partial(shop.ask, tills[0], held))
        outcomes = at_once(*redeeming_of(shop, tills[1:2], other), *redeeming_of(shop, tills[2:], endless))
    assert kinds([*outcomes, waiting.result()]) == {redeeming.Redeemed: 3}


def test_a_hundred_customers_redeem_rewards_of_their_own_while_one_is_locked(shop: Shop) -> None:
    held = shop.reward(stock=1)
    rewards = [shop.reward(stock=1, per_customer_limit=1, min_tier="bronze") for _ in range(100)]
    tills = [shop.customer(100) for _ in rewards]

    def work(n: int) -> list[Any]:
        return [shop.ask(till, reward) for till, reward in list(zip(tills, rewards, strict=True))[n::20]]

    with transaction.atomic():
        catalogue.locked(held)
        waiting = Waiting(functools.partial(shop.ask, shop.customer(100), held))
        outcomes = at_once(*[functools.partial(work, n) for n in range(20)])
        assert kinds([outcome for done in outcomes for outcome in done]) == {redeeming.Redeemed: 100}
    assert kinds([waiting.result()]) == {redeeming.Redeemed: 1}
    assert {stock(reward) for reward in rewards} == {0}
    assert {till.balance for till in tills} == {0}


@pytest.mark.parametrize("deed", ["ask", "cancel", "find"])
def test_a_reward_is_locked_before_the_account(shop: Shop, deed: str) -> None:
    alice = shop.customer(300)
    reward = shop.reward(stock=5, code_valid_days=2, lapse="return")
    made = shop.redeem(alice, reward)
    work = {
        "ask": functools.partial(shop.ask, alice, reward),
        "cancel": functools.partial(shop.cancel, made),
        "find": functools.partial(shop.find, made, days(2)),
    }[deed]
    with transaction.atomic():
        catalogue.locked(reward)
        waiting = Waiting(work)
        # Whoever had this one first would wait for this transaction now, and it for them.
        ledger.lock([alice.account])
    assert not isinstance(waiting.result(), errors.Refusal)


def test_a_reward_without_stock_is_not_locked(shop: Shop) -> None:
    endless = shop.reward(per_customer_limit=2, min_tier="bronze")
    sold_out = shop.reward(stock=0)
    alice = shop.customer(200)
    with transaction.atomic():
        catalogue.locked(endless)
        catalogue.locked(sold_out)
        outcomes = at_once(*redeeming_of(shop, [alice], endless), *redeeming_of(shop, [alice], sold_out))
    assert kinds(outcomes) == {redeeming.Redeemed: 1, redeeming.RewardOutOfStock: 1}


def test_sees_what_was_changed_while_it_waited(shop: Shop) -> None:
    reward = shop.reward(stock=1)
    alice, bob = shop.customer(500), shop.customer(100)
    with transaction.atomic():
        catalogue.change(program=shop.program, reward_id=reward.pk, points_cost=Decimal(300), stock=2)
        dear = Waiting(functools.partial(shop.redeem, alice, reward))
        poor = Waiting(functools.partial(shop.redeem, bob, reward))
    assert (dear.result().points, type(poor.result())) == (300, ledger.InsufficientPoints)
    assert stock(reward) == 1


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("statement", ["EXECUTE lock_accounts", "EXECUTE hand_out", "EXECUTE write"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_makes_one_code_where_the_session_is_ended(shop: Shop, statement: str, is_before: bool, is_keyed: bool) -> None:
    alice = shop.customer(300)
    reward = shop.reward(stock=3)
    killer = KillAt(statement, is_before=is_before)
    with connection.execute_wrapper(killer):
        made = shop.ask(alice, reward, key=key("r-1") if is_keyed else None)
    assert killer.killed == 1
    assert [one.pk for one in codes(alice)] == [made.redemption and made.redemption.pk]
    assert (alice.balance, stock(reward)) == (200, 2)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxied() as proxy:
        yield proxy


@pytest.mark.parametrize("seconds_late", [0, 0.5])
@pytest.mark.parametrize("stock_", [None, 3], ids=["without stock", "with stock"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_makes_one_code_where_the_answer_to_the_commit_is_lost(
    shop: Shop, proxy: Proxy, is_keyed: bool, stock_: int | None, seconds_late: float
) -> None:
    alice = shop.customer(150)
    reward = shop.reward(stock=stock_)
    proxy.lose(1, seconds_late=seconds_late)
    made = shop.ask(alice, reward, key=key("r-1") if is_keyed else None)
    assert proxy.lost == 1
    assert (made.answer.replayed, [one.code in made.answer.body.decode() for one in codes(alice)]) == (False, [True])
    assert (alice.balance, stock(reward)) == (50, stock_ and 2)
