"""Redeeming points: what is checked, in which order, what is written, and that a refusal leaves nothing."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty import errors, ids
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef
from rewards import catalogue, redeeming, redemptions
from rewards.models import Redemption, VoucherRule
from tests.api.management.conftest import make_program
from tests.factories import make_definition
from tests.points.till import DAY, NOON, Till, days, key, some_id
from tests.rewards.shop import Shop, codes, events, stock


def refused(kind: type[errors.Refusal], work: Callable[[], Any]) -> errors.Refusal:
    with pytest.raises(kind) as caught:
        work()
    assert type(caught.value) is kind
    return caught.value


def test_takes_the_price_of_a_reward_for_a_code(shop: Shop) -> None:
    alice = shop.customer(250)
    reward = shop.reward(discount_amount=Decimal("5.00"), stock=3, code_valid_days=30, lapse="return")

    made = shop.redeem(alice, reward, reason="At the till", metadata={"order": 7})

    [_, entry] = alice.entries()
    assert re.fullmatch(f"REDEEM-[{ids.LETTERS}]{{6}}", made.code)
    assert (made.points, made.balance_after, made.entry_id) == (100, 250 - 100, entry.id)
    assert (made.discount_amount, made.discount_percent, made.currency) == (5, None, "EUR")
    assert (made.took_stock, made.lapse, made.expires_at) == (True, "return", days(30))
    assert (made.state(NOON), made.created_at, made.account_id) == (Redemption.State.ACTIVE, NOON, alice.account.id)
    assert (entry.type, entry.points, entry.reference) == ("redeem", -100, made.code)
    assert (entry.reason, entry.metadata, entry.actor) == ("At the till", {"order": 7}, "till")
    assert (alice.balance, stock(reward)) == (150, 2)
    assert events(made) == []


def test_takes_points_alone_at_the_value_of_a_point(shop: Shop) -> None:
    alice = shop.customer(1000)
    assert shop.redeem(alice, points=Decimal(333)).discount_amount is None
    VoucherRule.objects.create(definition=alice.account.definition, point_value="0.0199")

    made = shop.redeem(alice, points=Decimal(333))

    # 6.6267, lowered to the cent.
    assert (made.discount_amount, made.currency, made.reward_id, made.expires_at) == (
        Decimal("6.62"),
        "EUR",
        None,
        None,
    )
    assert alice.balance == 1000 - 2 * 333
    assert alice.entries()[-1].reason == "Points redeemed"


@pytest.mark.parametrize("rule", [{"is_active": False}, {"conversion": "steps", "step_points": 1, "step_value": 1}])
def test_is_worth_no_money_where_no_rule_values_a_point(shop: Shop, rule: dict[str, Any]) -> None:
    alice = shop.customer(10)
    VoucherRule.objects.create(definition=alice.account.definition, **{"point_value": "0.01"} | rule)
    assert shop.redeem(alice, points=Decimal(10)).discount_amount is None


def test_keeps_price_and_discount_whatever_the_reward_says_later(shop: Shop) -> None:
    alice = shop.customer(300)
    reward = shop.reward(discount_percent=Decimal("12.5"), code_valid_days=1)
    made = shop.redeem(alice, reward)
    catalogue.change(
        program=shop.program,
        reward_id=reward.pk,
        points_cost=Decimal(200),
        discount_percent=None,
        discount_amount=Decimal(9),
        currency="USD",
        code_valid_days=None,
        lapse="return",
    )
    again = shop.find(made)
    assert (again.points, again.discount_amount, again.discount_percent) == (100, None, Decimal("12.50"))
    assert (again.currency, again.expires_at, again.lapse) == ("EUR", days(1), "forfeit")
    assert shop.redeem(alice, reward).points == 200


def test_redeems_points_of_the_kind_that_a_reward_or_the_caller_names(shop: Shop) -> None:
    miles = make_definition(shop.program, code="miles", decimal_places=1)
    alice = shop.customer(100)
    flyer = Till(AccountRef(program=shop.program, definition=miles, customer_id=alice.account.customer_id))
    flyer.award("12.5")
    reward = shop.reward(definition="miles", points_cost=Decimal("2.5"))

    assert shop.redeem(alice, reward).balance_after == 10
    assert shop.redeem(alice, points=Decimal("0.5"), definition="miles").balance_after == Decimal("9.5")
    assert shop.redeem(alice, reward, definition="miles").balance_after == 7
    assert refused(errors.InvalidParameters, lambda: shop.redeem(alice, reward, definition="points")).faults.keys() == {
        "definition"
    }
    refused(errors.InvalidParameters, lambda: shop.redeem(alice, points=Decimal(1), definition="none"))
    assert (alice.balance, flyer.balance) == (100, 7)


def test_needs_a_reward_or_points(shop: Shop) -> None:
    assert refused(errors.MissingParameters, lambda: shop.redeem(shop.customer(10))).faults.keys() == {"points"}


REFUSED = [
    ({"is_active": False}, {}, redeeming.RewardUnavailable),
    ({"valid_from": days(0.001)}, {}, redeeming.RewardUnavailable),
    ({"valid_to": days(0)}, {}, redeeming.RewardUnavailable),
    ({"stock": 0}, {}, redeeming.RewardOutOfStock),
    ({"min_tier": "gold"}, {}, redeeming.TierRequired),
    ({"stock": 1}, {"points": Decimal(99)}, redeeming.PriceMismatch),
    ({"points_cost": Decimal(201)}, {}, ledger.InsufficientPoints),
    ({"points_cost": Decimal(201), "stock": 5}, {}, ledger.InsufficientPoints),
]


@pytest.mark.parametrize(("reward", "wish", "refusal"), REFUSED)
def test_leaves_nothing_where_it_refuses(
    shop: Shop, reward: dict[str, Any], wish: dict[str, Any], refusal: type[errors.Refusal]
) -> None:
    alice, offer = shop.customer(200), shop.reward(**reward)
    before = alice.everything()
    refused(refusal, lambda: shop.redeem(alice, offer, **wish))
    assert alice.everything() == before
    assert (codes(alice), stock(offer)) == ([], reward.get("stock"))


@pytest.mark.parametrize("points", ["0", "-5", "0.5", "1000000000000000"])
def test_takes_no_points_that_are_none(shop: Shop, points: str) -> None:
    alice = shop.customer(200)
    before = alice.everything()
    refused(errors.InvalidPoints, lambda: shop.redeem(alice, points=Decimal(points)))
    assert alice.everything() == before
    assert codes(alice) == []


def test_makes_no_code_that_is_worth_more_than_a_column_holds(shop: Shop) -> None:
    alice = shop.customer(999_999_999_999_999)
    VoucherRule.objects.create(definition=alice.account.definition, point_value="999999")
    refused(errors.InvalidPoints, lambda: shop.redeem(alice, points=Decimal(999_999_999_999_999)))
    assert (codes(alice), alice.balance) == ([], 999_999_999_999_999)


def test_keeps_what_was_due_before_a_refusal(shop: Shop) -> None:
    alice = shop.customer(100, expires_at=days(1))
    refused(ledger.InsufficientPoints, lambda: shop.redeem(alice, shop.reward(stock=1), at=days(2)))
    refused(redeeming.RewardOutOfStock, lambda: shop.redeem(alice, shop.reward(stock=0), at=days(2)))
    assert alice.history() == [("award", 100), ("expire", -100)]


def test_is_offered_from_its_first_moment_to_its_last(shop: Shop) -> None:
    alice = shop.customer(200)
    reward = shop.reward(valid_from=days(1), valid_to=days(2))
    shop.redeem(alice, reward, at=days(1))
    shop.redeem(alice, reward, at=days(1.999999))
    assert alice.balance == 0


def test_stops_at_the_customers_limit(shop: Shop) -> None:
    alice, bob = shop.customer(500), shop.customer(500)
    reward = shop.reward(per_customer_limit=2)
    shop.redeem(alice, reward)
    shop.redeem(alice, reward)
    before = alice.everything()
    refused(redeeming.RewardLimitReached, lambda: shop.redeem(alice, reward))
    assert alice.everything() == before
    shop.redeem(bob, reward)
    catalogue.change(program=shop.program, reward_id=reward.pk, per_customer_limit=3)
    shop.redeem(alice, reward)


def test_looks_at_the_tier_by_the_clock(shop: Shop) -> None:
    reward = shop.reward(min_tier="silver", points_cost=Decimal(1))
    low, silver, gold = shop.customer(499), shop.customer(500), shop.customer(1500)
    assert refused(redeeming.TierRequired, lambda: shop.redeem(low, reward)).facts == {"min_tier": "silver"}
    shop.redeem(silver, reward)
    shop.redeem(gold, reward)
    # What starts by then counts, though nothing is written of it.
    low.award(1, valid_from=days(3))
    refused(redeeming.TierRequired, lambda: shop.redeem(low, reward, at=days(2.9)))
    shop.redeem(low, reward, at=days(3))


def test_looks_at_the_tier_of_the_points_that_count_for_it(shop: Shop) -> None:
    make_definition(shop.program, code="miles")
    alice = shop.customer(500)
    reward = shop.reward(definition="miles", min_tier="silver", points_cost=Decimal(1))
    miles = Till(
        AccountRef(
            program=shop.program,
            definition=definitions.find(shop.program, "miles"),
            customer_id=alice.account.customer_id,
        )
    )
    miles.award(1)
    assert shop.redeem(alice, reward).balance_after == 0


def test_answers_a_key_before_it_checks_anything(shop: Shop) -> None:
    alice, bob = shop.customer(100), shop.customer(100)
    reward = shop.reward(stock=1)
    first = shop.ask(alice, reward, key=key("r-1"))
    catalogue.change(program=shop.program, reward_id=reward.pk, is_active=False, points_cost=Decimal(300))
    before = alice.everything()

    again = shop.ask(alice, reward, key=key("r-1"))

    assert (again.redemption, again.answer.body, again.answer.replayed) == (None, first.answer.body, True)
    refused(errors.IdempotencyKeyReused, lambda: shop.ask(alice, reward, key=key("r-1", "something else")))
    # A key is the account's: the same one of another customer is another.
    refused(redeeming.RewardUnavailable, lambda: shop.ask(bob, reward, key=key("r-1")))
    assert alice.everything() == before
    assert (len(codes(alice)), stock(reward)) == (1, 0)


def test_does_not_remember_a_refusal(shop: Shop) -> None:
    alice = shop.customer()
    reward = shop.reward()
    refused(ledger.InsufficientPoints, lambda: shop.ask(alice, reward, key=key("r-1")))
    alice.award(100)
    assert shop.ask(alice, reward, key=key("r-1")).redemption is not None


def test_counts_towards_the_limit_of_an_account(shop: Shop) -> None:
    shop.program.transaction_limit = 2
    shop.program.save(update_fields=["transaction_limit"])
    alice = shop.customer(100)
    reward = shop.reward(points_cost=Decimal(1), stock=9)
    shop.redeem(alice, reward)
    refused(ledger.TransactionLimitExceeded, lambda: shop.redeem(alice, reward))
    assert (alice.balance, stock(reward)) == (99, 8)


def test_draws_again_where_another_has_the_code(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = shop.customer(300)
    reward = shop.reward(stock=3)
    drawn = iter(["REDEEM-AAAAAA", "REDEEM-AAAAAA", "REDEEM-AAAAAA", "REDEEM-BBBBBB"])
    monkeypatch.setattr(redeeming, "draw_code", lambda: next(drawn))
    shop.redeem(alice, reward)

    second = shop.redeem(alice, reward)

    assert [one.code for one in codes(alice)] == ["REDEEM-AAAAAA", "REDEEM-BBBBBB"]
    assert alice.entries()[-1].reference == second.code
    assert (alice.balance, stock(reward)) == (100, 1)


def test_gives_up_where_every_code_is_taken(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = shop.customer(300)
    reward = shop.reward(stock=3)
    monkeypatch.setattr(redeeming, "draw_code", lambda: "REDEEM-AAAAAA")
    shop.redeem(alice, reward)
    before = alice.everything()
    refused(errors.Unavailable, lambda: shop.redeem(alice, reward))
    assert alice.everything() == before
    assert (len(codes(alice)), stock(reward)) == (1, 2)


def test_lets_two_programmes_draw_the_same_code(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redeeming, "draw_code", lambda: "REDEEM-AAAAAA")
    other = Shop(make_program())
    for one in (shop, other):
        one.redeem(one.customer(100), one.reward())
    assert shop.find("REDEEM-AAAAAA").pk != other.find("REDEEM-AAAAAA").pk


def test_knows_no_reward_of_another_programme(shop: Shop) -> None:
    alice = shop.customer(100)
    theirs = Shop(make_program()).reward()
    before = alice.everything()
    refused(catalogue.RewardNotFound, lambda: shop.redeem(alice, theirs))
    theirs.pk = some_id()
    refused(catalogue.RewardNotFound, lambda: shop.redeem(alice, theirs))
    assert alice.everything() == before


def test_is_told_on_the_ledger_what_no_reversal_may_undo(shop: Shop) -> None:
    alice = shop.customer(100)
    made = shop.redeem(alice, shop.reward(stock=1))
    [_, entry] = alice.entries()
    before = alice.everything()
    for points in (None, 1):
        refused(ledger.NotReversible, lambda points=points: alice.reverse(entry, points))
    assert alice.everything() == before
    assert shop.cancel(made).cancelled_at == NOON
    assert alice.balance == 100


@pytest.mark.parametrize(
    ("reward", "statements"),
    [
        # Find it, look for lapsed codes; then savepoint, lock, read, lots, code, listeners, write, release within a
        # transaction.
        ({}, 2 + 10),
        ({"stock": 5}, 2 + 10 + 1),
        ({"stock": 5, "per_customer_limit": 3, "min_tier": "bronze"}, 2 + 10 + 3),
    ],
)
def test_needs_few_statements(shop: Shop, reward: dict[str, Any], statements: int) -> None:
    alice, offer = shop.customer(1000), shop.reward(**reward)
    shop.redeem(alice, offer)
    with CaptureQueriesContext(connection) as asked:
        shop.ask(alice, offer)
    assert len(asked) == statements, [one["sql"][:90] for one in asked]


def test_needs_no_more_statements_with_many_codes(shop: Shop, program: Program) -> None:
    alice = shop.customer(1000)
    offer = shop.reward(stock=50, points_cost=Decimal(10))
    counts = []
    for _ in range(12):
        with CaptureQueriesContext(connection) as asked:
            shop.ask(alice, offer, at=NOON + DAY)
        counts.append(len(asked))
    assert len(set(counts[1:])) == 1


def test_draws_codes_that_are_found_again(shop: Shop) -> None:
    drawn = {redemptions.draw_code() for _ in range(200)}
    assert len(drawn) == 200
    assert all(len(code) == len("REDEEM-7GQ4XN") for code in drawn)
