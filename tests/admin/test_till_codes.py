"""Rewards and codes at the till: redeemed by one click, shown large, and taken once."""

import secrets
from decimal import Decimal
from typing import Any

import pytest

from cards.models import Customer
from loyalty.models import Program
from points import definitions
from rewards.models import Redemption, Reward
from tests.admin import counter, pages
from tests.admin.conftest import Browser
from tests.points.threads import at_once
from tests.points.till import NOON, Till, days
from tests.rewards.shop import Shop, codes, events, stock


@pytest.fixture
def shop(program: Program) -> Shop:
    return Shop(program)


@pytest.fixture
def coffee(shop: Shop) -> Reward:
    return shop.reward(discount_amount=Decimal("2.50"), stock=5, per_customer_limit=2, code_valid_days=14)


def wish(page: Any, reward: Reward, **said: Any) -> dict[str, Any]:
    """This will answer what the button of a reward sends."""
    text = page.content.decode()
    key = counter.key(page, "reward-key") if said.get("is_first", True) else ""
    assert str(reward.pk) in text
    return {"deed": "reward", "reward-reward": str(reward.pk), "reward-points": "100", "reward-key": key}


def test_offers_what_this_customer_can_have(cashier: Browser, customer: Customer, till: Till, shop: Shop) -> None:
    till.award(100)
    for name, facts in {
        "Coffee": {},
        "Muffin": {"per_customer_limit": 1},
        "Dear": {"points_cost": Decimal(101)},
        "Sold out": {"stock": 0},
        "Off": {"is_active": False},
        "Over": {"valid_to": NOON},
        "Early": {"valid_from": days(1)},
        "For gold": {"min_tier": "gold"},
        "For bronze": {"min_tier": "bronze"},
    }.items():
        shop.reward(name=name, **facts)

    def offered() -> set[str]:
        page = cashier.get(counter.of(customer))
        return {reward["name"] for reward in page.context["rewards"]}

    assert offered() == {"Coffee", "Muffin", "For bronze"}
    till.award(100)
    shop.redeem(till, Reward.objects.get(program=shop.program, name="Muffin"))
    assert offered() == {"Coffee", "For bronze"}


def test_redeems_a_reward_and_shows_its_code(cashier: Browser, customer: Customer, till: Till, coffee: Reward) -> None:
    till.award(150)

    answer = cashier.post(counter.of(customer), wish(cashier.get(counter.of(customer)), coffee), follow=True)

    [made] = codes(till)
    page = pages.text(answer)
    assert answer.redirect_chain[-1][0] == f"{counter.of_code(customer.program, made.code)}#page"
    assert "Redeemed for 100 points. The balance is 50 now." in page
    assert f"{made.code} Active 2.50 EUR off Coffee Can be used until 16 Mar 2026" in page
    assert "Use this code" in page
    entry = till.entries()[-1]
    assert (entry.type, entry.points, entry.reference) == ("redeem", Decimal(-100), made.code)
    assert (entry.staff_member, entry.actor) == ("Cathy Brown", f"staff:{cashier.user.username}")
    assert stock(coffee) == 5 - 1


def test_redeems_once_however_often_it_is_sent(
    cashier: Browser, customer: Customer, till: Till, coffee: Reward
) -> None:
    till.award(500)
    sent = wish(cashier.get(counter.of(customer)), coffee)

    click = lambda: Browser(cashier.user).post(counter.of(customer), sent)["Location"]  # noqa: E731
    places = at_once(*[click] * 4)

    [made] = codes(till)
    assert set(places) == {f"{counter.of_code(customer.program, made.code)}#page"}
    assert (till.balance, stock(coffee)) == (400, 4)


def test_says_why_a_reward_cannot_be_had_any_more(
    cashier: Browser, customer: Customer, till: Till, coffee: Reward
) -> None:
    till.award(500)
    sent = wish(cashier.get(counter.of(customer)), coffee)
    before = till.everything()

    Reward.objects.filter(pk=coffee.pk).update(stock=0)
    assert "The reward is out of stock." in pages.text(cashier.post(counter.of(customer), sent))
    Reward.objects.filter(pk=coffee.pk).update(stock=5, points_cost=120)
    dearer = cashier.post(counter.of(customer), sent)
    assert "The reward costs 120 points." in pages.text(dearer)
    assert till.everything() == before
    # The button says the new price now, and the form is still the same one.
    assert 'name="reward-points" value="120.00"' in dearer.content.decode()
    assert counter.key(dearer, "reward-key") == sent["reward-key"]


def test_finds_a_code_in_any_case(cashier: Browser, program: Program, till: Till, shop: Shop, coffee: Reward) -> None:
    till.award(100)
    made = shop.redeem(till, coffee)

    for term in (made.code, f" {made.code.lower()} "):
        answer = cashier.get(counter.search(program), {"q": term})
        assert answer["Location"] == counter.of_code(program, made.code)


@pytest.fixture
def made(till: Till, shop: Shop, coffee: Reward) -> Redemption:
    till.award(100)
    return shop.redeem(till, coffee)


def press(browser: Browser, program: Program, made: Redemption, page: Any = None) -> Any:
    """This will press the button on the page of a code."""
    address = counter.of_code(program, made.code)
    page = page or browser.get(address)
    return browser.post(address, {"key": counter.key(page, "key")}, follow=True)


def test_takes_a_code_on_its_page(cashier: Browser, program: Program, made: Redemption) -> None:
    page = press(cashier, program, made)

    assert f"{made.code} is used: Coffee, 2.50 EUR off." in pages.text(page)
    assert f"{made.code} Used" in pages.text(page)
    assert "Use this code" not in pages.text(page)
    assert events(made) == [("used", f"staff:{cashier.user.username}", None)]


def test_takes_a_code_on_the_customers_page(cashier: Browser, customer: Customer, made: Redemption) -> None:
    page = counter.do(cashier, customer, "use", code=f" {made.code.lower()} ")

    assert f"{made.code} is used: Coffee, 2.50 EUR off." in pages.text(page)
    assert len(events(made)) == 1


def test_lists_the_codes_that_can_be_used(cashier: Browser, customer: Customer, made: Redemption) -> None:
    address = counter.of_code(customer.program, made.code)
    assert address in cashier.get(counter.of(customer)).content.decode()

    press(cashier, customer.program, made)

    assert address not in cashier.get(counter.of(customer)).content.decode()


def test_takes_a_code_once_however_often_it_is_sent(cashier: Browser, program: Program, made: Redemption) -> None:
    page = cashier.get(counter.of_code(program, made.code))

    for _ in range(2):
        assert f"{made.code} is used" in pages.text(press(cashier, program, made, page))
    assert len(events(made)) == 1


@pytest.mark.parametrize("is_on_its_page", [True, False])
def test_says_that_a_code_was_used_before(
    *, cashier: Browser, customer: Customer, shop: Shop, made: Redemption, is_on_its_page: bool
) -> None:
    address = counter.of_code(customer.program, made.code) if is_on_its_page else counter.of(customer)
    page = cashier.get(address)
    shop.use(made)

    sent = {"key": counter.key(page, "key")} if is_on_its_page else counter.form(page, "use", code=made.code)
    answer = pages.text(cashier.post(address, sent))

    assert "The code was used already." in answer
    assert len(events(made)) == 1


def test_does_not_take_another_customers_code_for_this_ones(
    cashier: Browser, customer: Customer, shop: Shop, coffee: Reward
) -> None:
    theirs = shop.redeem(shop.customer(100), coffee)

    page = counter.do(cashier, customer, "use", code=theirs.code)

    assert "Another customer's code." in pages.text(page)
    assert events(theirs) == []


def test_shows_a_code_that_nobody_used_in_time(cashier: Browser, program: Program, till: Till, shop: Shop) -> None:
    till.award(100, at=days(-30))
    late = shop.redeem(till, shop.reward(code_valid_days=1, lapse="return"), at=days(-10))

    page = pages.text(cashier.get(counter.of_code(program, late.code)))

    assert f"{late.code} Expired" in page
    assert "Use this code" not in page
    assert till.balance == 100


def test_knows_no_code_of_another_programme(cashier: Browser, made: Redemption) -> None:
    other = definitions.create_program(slug=f"other-{secrets.token_hex(6)}", name="Other Shop")

    assert cashier.get(counter.of_code(other, made.code)).status_code == 404
    assert cashier.post(counter.of_code(other, made.code), {"key": 32 * "0"}).status_code == 404
    assert "Nobody in Other Shop" in pages.text(cashier.get(counter.search(other), {"q": made.code}))
    assert events(made) == []


@pytest.mark.parametrize("code", ["REDEEM-222222", "nonsense", "a%00b", "x" * 3000])
def test_is_not_there_for_a_code_that_is_none(cashier: Browser, program: Program, code: str) -> None:
    assert cashier.get(f"/admin/till/{program.slug}/codes/{code}/").status_code == 404


@pytest.mark.parametrize("key", ["", "nonsense", "a\0b"])
def test_does_not_take_half_a_form(cashier: Browser, program: Program, made: Redemption, key: str) -> None:
    answer = cashier.post(counter.of_code(program, made.code), {"key": key})

    assert "The page did not arrive whole." in pages.text(answer) or "Null characters" in pages.text(answer)
    assert events(made) == []
