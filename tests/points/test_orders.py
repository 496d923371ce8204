"""Orders: spent and earned together, and undone by the rules of their day."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import errors
from loyalty.models import Program
from points import definitions, earning, ledger, orders, rules, statements
from points.models import AccountRef, Order
from points.orders import Done, Purchase
from points.rule_models import Campaign, EarningRule
from points.terms import Deed, Kind
from tests.factories import make_account, make_definition
from tests.points.proxy import proxied
from tests.points.threads import at_once
from tests.points.till import NOON, Till, days

ORDER = ledger.Note(reason="Order", actor="till")


@pytest.fixture
def shop(program: Program) -> Program:
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    rules.give_defaults(program=program, by="test")
    return program


@pytest.fixture
def till(shop: Program) -> Till:
    return Till(make_account(shop))


def place(
    account: AccountRef,
    number: str,
    total: str | None,
    *,
    redeemed: int | None = None,
    points: int | None = None,
    at: datetime.datetime = NOON,
    **more,
) -> Done:
    deed = Deed(
        kind=Kind.PURCHASE,
        amount=None if total is None else Decimal(total),
        points=None if points is None else Decimal(points),
        at=at,
        **more,
    )
    purchase = Purchase(
        number=number, currency="EUR", deed=deed, redeemed=None if redeemed is None else Decimal(redeemed)
    )
    return orders.place(account=account, purchase=purchase, note=ORDER, at=at)


def refund(account: AccountRef, number: str, amount: str | None = None, *, at: datetime.datetime = NOON) -> Done:
    asked = orders.Refund(number=number, amount=None if amount is None else Decimal(amount), note=ORDER)
    return orders.refund(program=account.program, customer_id=account.customer_id, asked=asked, at=at)


def standing(till: Till) -> tuple[Decimal, Decimal, Decimal]:
    told = statements.balance(account=till.account, at=NOON)
    return told.balance, told.lifetime_earned, told.lifetime_redeemed


@pytest.mark.parametrize("late", [0, 0.5], ids=["committed", "committed while the next try waits"])
@pytest.mark.parametrize("lost", [1, 3])
def test_is_placed_once_where_the_answer_to_the_commit_is_lost(till: Till, lost: int, late: float) -> None:
    till.award(100)
    with proxied() as proxy:
        proxy.lose(lost, seconds_late=late)
        done = place(till.account, "o-1", "50.00", redeemed=30)
        assert proxy.lost == lost
    assert (done.points, done.balance) == (100, 100 - 30 + 100)
    assert done.serial == till.entries()[-1].serial
    assert till.history() == [("award", 100), ("redeem", -30), ("award", 100)]


@pytest.mark.parametrize("late", [0, 0.5], ids=["committed", "committed while the next try waits"])
@pytest.mark.parametrize("lost", [1, 3])
def test_is_refunded_once_where_the_answer_to_the_commit_is_lost(till: Till, lost: int, late: float) -> None:
    place(till.account, "o-1", "50.00")
    with proxied() as proxy:
        proxy.lose(lost, seconds_late=late)
        done = refund(till.account, "o-1", "10.00")
        assert proxy.lost == lost
    assert (done.points, done.balance, done.amount) == (-20, 80, 10)
    assert till.history() == [("award", 100), ("reverse", -20)]
    assert Order.objects.get(program=till.account.program, number="o-1").refunded == 10


def test_says_so_where_nothing_tells_whether_a_refund_was_committed(till: Till) -> None:
    place(till.account, "o-1", "0.10")
    with proxied() as proxy:
        proxy.lose(1)
        with pytest.raises(errors.Unavailable):
            refund(till.account, "o-1", "0.05")
        assert proxy.lost == 1
    assert Order.objects.get(program=till.account.program, number="o-1").refunded == Decimal("0.05")


def test_spends_and_earns_together(till: Till) -> None:
    till.award(100)
    done = place(till.account, "o-1", "50.00", redeemed=30)
    assert (done.points, done.balance) == (100, 100 - 30 + 100)
    assert [entry.type for entry in till.entries()] == ["award", "redeem", "award"]


def test_earns_on_what_is_left_to_pay_where_the_programme_says_so(till: Till) -> None:
    till.account.program.earning_scheme.spend_basis = "after"
    till.account.program.earning_scheme.save(update_fields=["spend_basis"])
    rules.publish(program=till.account.program, by="test")
    till.award(100)
    assert place(till.account, "o-1", "50.00", redeemed=30, discount=Decimal(10)).points == (50 - 10) * 2


def test_neither_spends_nor_earns_when_one_is_refused(till: Till) -> None:
    till.award(10)
    with pytest.raises(ledger.InsufficientPoints):
        place(till.account, "o-1", "50.00", redeemed=11)
    assert standing(till) == (10, 10, 0)
    assert not Order.objects.filter(program=till.account.program).exists()
    assert place(till.account, "o-1", "50.00", redeemed=10).balance == 10 - 10 + 100


def test_keeps_what_fell_due_when_it_is_refused(till: Till) -> None:
    till.award(10, at=days(-2), expires_at=days(-1))
    with pytest.raises(ledger.InsufficientPoints):
        place(till.account, "o-1", "50.00", redeemed=1)
    assert [entry.type for entry in till.entries()] == ["award", "expire"]


def test_an_order_that_earns_nothing_is_one(till: Till) -> None:
    done = place(till.account, "o-1", "0.49")
    assert (done.serial, done.points, done.balance) == (None, 0, 0)
    with pytest.raises(orders.OrderExists):
        place(till.account, "o-1", "0.49")


def test_an_order_is_placed_once_when_it_comes_many_times_at_once(till: Till) -> None:
    till.award(100)
    answers = at_once(*[lambda: place(till.account, "o-1", "10.00", redeemed=5)] * 8)
    assert len([answer for answer in answers if isinstance(answer, orders.OrderExists)]) == 7
    assert standing(till)[0] == 100 - 5 + 20


def test_a_half_refund_and_the_rest_leave_everything_as_it_was(till: Till) -> None:
    till.award(100)
    before = standing(till)
    place(till.account, "o-1", "25.99", redeemed=33)
    half = refund(till.account, "o-1", "13.00")
    # Keeps floor(51 x 12.99 / 25.99) = 25 of what it earned, gets floor(33 x 13 / 25.99) = 16 back.
    assert half.points == -(51 - 25)
    assert half.balance == 100 - 33 + 51 + 16 - 26
    Campaign.objects.create(program=till.account.program, code="double", name="Double", factor=2, effect="multiply")
    EarningRule.objects.filter(program=till.account.program).update(rate=Decimal(9))
    rules.publish(program=till.account.program, by="test")
    refund(till.account, "o-1")
    assert standing(till) == before
    with pytest.raises(errors.InvalidParameters, match="refunded already"):
        refund(till.account, "o-1")
    with pytest.raises(orders.RefundTooLarge):
        refund(till.account, "o-1", "0.01")
    with pytest.raises(orders.RefundTooLarge):
        refund(till.account, "o-1", "0.01")


def test_refuses_more_than_the_order(till: Till) -> None:
    place(till.account, "o-1", "10.00")
    refund(till.account, "o-1", "4.00")
    with pytest.raises(orders.RefundTooLarge) as refusal:
        refund(till.account, "o-1", "6.01")
    assert refusal.value.facts["errors"] == {"order_total": ["More than is left of this order to refund: 6.00."]}
    assert standing(till)[0] == 12  # floor(20 x 6 / 10)


def test_another_customer_cannot_undo_an_order(till: Till) -> None:
    place(till.account, "o-1", "10.00")
    other = make_account(till.account.program, till.account.definition)
    for number, account in (("o-1", other), ("o-2", till.account)):
        with pytest.raises(orders.OrderNotFound):
            refund(account, number)
    assert standing(till)[0] == 20


@pytest.mark.parametrize(
    ("clawback", "may_go_negative", "balance"), [("to_zero", False, 0), ("negative", True, -15), ("refuse", False, 5)]
)
def test_points_that_are_spent_meanwhile_go_by_the_kind_of_points(
    shop: Program, clawback: str, may_go_negative: bool, balance: int
) -> None:
    definition = make_definition(shop, clawback=clawback, may_go_negative=may_go_negative)
    till = Till(make_account(shop, definition))
    place(till.account, "o-1", "10.00")
    till.redeem(15)
    if clawback == "refuse":
        with pytest.raises(ledger.InsufficientPoints):
            refund(till.account, "o-1")
    else:
        refund(till.account, "o-1")
    assert standing(till)[0] == balance


def test_what_has_expired_meanwhile_is_gone_already(shop: Program) -> None:
    till = Till(make_account(shop, make_definition(shop, expiry_policy="days", expiry_count=1)))
    place(till.account, "o-1", "10.00")
    asked = orders.Refund(number="o-1", amount=None, note=ORDER)
    done = orders.refund(program=till.account.program, customer_id=till.account.customer_id, asked=asked, at=days(2))
    assert done.points == 0
    assert statements.balance(account=till.account, at=days(2)).balance == 0


def test_points_that_were_sent_win_over_the_rules(till: Till) -> None:
    assert place(till.account, "o-1", "10.00", points=7).points == 7
    assert place(till.account, "o-2", None, points=3).points == 3
    assert refund(till.account, "o-2").points == -3
    for total in ("10.00", "0.00", None):
        with pytest.raises(earning.CapExceeded):
            place(till.account, "o-3", total, points=10_001)


@given(
    total=st.integers(1, 100_000),
    redeemed=st.integers(0, 500),
    shares=st.lists(st.integers(1, 1000), min_size=1, max_size=4),
)
def test_refunds_in_parts_come_to_the_whole(total: int, redeemed: int, shares: list[int]) -> None:
    program = Program.objects.create(slug=f"parts-{orders.ids.new_id().hex[:12]}", transaction_limit=None)
    rules.give_defaults(program=program, by="test")
    till = Till(make_account(program))
    till.award(500)
    before = standing(till)
    place(till.account, "o-1", f"{Decimal(total) / 100:.2f}", redeemed=redeemed or None)
    left = total
    for share in shares:
        part = min(left, total * share // 1000)
        if 0 < part < left:
            refund(till.account, "o-1", f"{Decimal(part) / 100:.2f}")
            left -= part
    refund(till.account, "o-1")
    assert standing(till) == before


def test_an_order_is_placed_where_no_rule_says_anything_of_it(till: Till) -> None:
    till.award(100)
    assert place(till.account, "o-1", "0.00", redeemed=40).balance == 100 - 40
    EarningRule.objects.filter(program=till.account.program, kind="purchase").update(most_per_day=Decimal(15))
    rules.publish(program=till.account.program, by="test")
    assert [place(till.account, f"o-{n}", "5.00").points for n in (2, 3, 4)] == [10, 5, 0]


@pytest.mark.parametrize("reversed_points", [15, 20])
def test_undoes_what_is_left_of_what_was_reversed_by_hand(till: Till, reversed_points: int) -> None:
    till.award(100)
    place(till.account, "o-1", "50.00", redeemed=20)
    redemption = next(entry for entry in till.entries() if entry.type == "redeem")
    till.reverse(redemption, reversed_points)
    assert standing(till)[0] == 100 - 20 + 100 + reversed_points
    refund(till.account, "o-1", "25.00")
    refund(till.account, "o-1")
    assert standing(till)[0] == 100


def test_goes_by_the_currency_of_the_order(till: Till) -> None:
    place(till.account, "o-1", "10.00")
    with pytest.raises(errors.InvalidParameters):
        orders.refund(
            program=till.account.program,
            customer_id=till.account.customer_id,
            asked=orders.Refund(number="o-1", amount=Decimal(1), currency="USD", note=ORDER),
            at=NOON,
        )
    assert standing(till)[0] == 20


def test_is_undone_whatever_the_default_points_are_by_now(till: Till) -> None:
    place(till.account, "o-1", "50.00")
    other = make_definition(till.account.program, decimal_places=2)
    definitions.make_default(other)
    done = refund(till.account, "o-1", "25.00")
    assert (done.points, done.balance) == (-50, 50)
    assert till.history() == [("award", 100), ("reverse", -50)]


def test_a_free_order_is_cancelled_with_its_total(till: Till) -> None:
    place(till.account, "o-1", "0.00", points=50)
    assert refund(till.account, "o-1", "0.00").points == -50
    with pytest.raises(orders.RefundTooLarge):
        refund(till.account, "o-1", "0.00")


def test_nothing_is_no_refund(till: Till) -> None:
    place(till.account, "o-1", "50.00")
    with pytest.raises(errors.InvalidParameters) as refusal:
        refund(till.account, "o-1", "0.00")
    assert refusal.value.faults == {"order_total": ["Must be above zero."]}
    assert till.history() == [("award", 100)]


def test_rounds_down_also_where_a_product_has_more_than_28_digits(till: Till) -> None:
    till.account.program.earning_rules.update(most_per_transaction=None)
    rules.publish(program=till.account.program, by="test")
    total, earned, back = Decimal("6322678642588.92"), 60086253592415, Decimal("4735582282078.91")
    place(till.account, "o-1", str(total), points=earned)
    # In hundredths, all whole numbers.
    kept = earned * int((total - back) * 100) // int(total * 100)
    assert refund(till.account, "o-1", str(back)).points == -(earned - kept) == -45003615396818


def test_names_the_points_that_are_too_fine(till: Till) -> None:
    till.award(10)
    deed = Deed(kind=Kind.PURCHASE, amount=Decimal(5), at=NOON)
    purchase = Purchase(number="o-1", currency="EUR", deed=deed, redeemed=Decimal("0.5"))
    with pytest.raises(errors.InvalidPoints) as refusal:
        orders.place(account=till.account, purchase=purchase, note=ORDER, at=NOON)
    assert list(refusal.value.faults) == ["points_redeemed"]
    assert not Order.objects.filter(program=till.account.program).exists()
