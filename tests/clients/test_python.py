"""The Python client and the running service."""

import datetime
from decimal import Decimal

import pytest

import loyalty_client
from loyalty_client import Loyalty
from points import definitions

REWARD = {"name": "Coffee", "points_cost": 200, "discount_amount": Decimal("2.5")}


def refused(status, code, param=None):
    """Expects that refusal."""
    return pytest.raises(
        loyalty_client.InvalidRequestError,
        check=lambda error: (
            (error.type, error.status, error.code, error.param) == ("invalid_request_error", status, code, param)
            and bool(error.message and error.request_id)
        ),
    )


def test_customers_are_made_found_changed_and_listed(client):
    made = client.customers.create(
        email="alice@example.com", name="Alice", external_id="alice/№ 1", metadata={"shoe_size": Decimal("39.5")}
    )
    assert made.points_balance == 0
    assert made.metadata == {"shoe_size": Decimal("39.5")}
    assert made.created_at.utcoffset() == datetime.timedelta(0)
    assert client.customers.retrieve(made.id) == made

    changed = client.customers.update(made.id, name="Alice B.", metadata=None)
    assert (changed.name, changed.email) == ("Alice B.", "alice@example.com")
    found = client.customers.list(email="ALICE@example.com")
    assert ([customer.id for customer in found.data], found.has_more) == ([made.id], False)
    with refused(409, "customer_exists", "email"):
        client.customers.create(email="Alice@Example.com")
    assert [customer.id for customer in client.customers.list().data] == [made.id]


def test_a_customer_is_named_by_the_shops_own_id_too(client):
    name = "till 7+1?№=%20#a"
    made = client.customers.create(external_id=name)
    assert client.customers.retrieve(name).id == made.id
    transaction = client.points.award(customer_id=name, points=5, reason="Purchase")
    assert transaction.customer_id == made.id
    assert list(client.points.iterate(customer_id=name)) == [transaction]


def test_points_are_awarded_and_adjusted(client, customer_with):
    alice = customer_with(0)
    expires_at = datetime.datetime(2099, 1, 31, 10, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    earned = client.points.award(
        customer_id=alice.id,
        points=100,
        reason="Purchase",
        type="bonus",
        expires_at=expires_at,
        metadata={"order_id": "order_1", "amount": 10000},
    )
    assert (earned.type, earned.points, earned.reason) == ("earned", 100, "Purchase")
    assert earned.expires_at == expires_at
    assert earned.metadata == {"order_id": "order_1", "amount": 10000}
    adjusted = client.points.adjust(customer_id=alice.id, points=-30, reason="Counted wrong")
    assert (adjusted.type, adjusted.points, adjusted.balance_after) == ("adjusted", -30, 100 - 30)
    assert client.customers.retrieve(alice.id).points_balance == 100 - 30


def test_amounts_are_exact(client, program, customer_with):
    definitions.create_definition(
        program=program, code="money", name="Money", decimal_places=2, expiry_policy="none", is_default=False
    )
    alice = customer_with(0)
    for points in (Decimal("0.10"), Decimal("0.20"), Decimal("9999999999999.01")):
        transaction = client.points.award(customer_id=alice.id, points=points, reason="Purchase", definition="money")
        assert transaction.points == points
    assert transaction.balance_after == Decimal("9999999999999.31")
    assert isinstance(transaction.balance_after, Decimal)


@pytest.mark.parametrize(
    "points", [Decimal("0.12345678901234567"), Decimal("NaN"), Decimal("Infinity"), float("nan"), object()]
)
def test_sends_no_amount_that_is_not_exact(points, client, customer_with):
    alice = customer_with(0)
    with pytest.raises((ValueError, TypeError)):
        client.points.award(customer_id=alice.id, points=points, reason="Purchase")
    assert client.points.list(customer_id=alice.id).data == []


def test_a_refusal_says_what_is_wrong_and_where(client, service, customer_with):
    alice = customer_with(10)
    with refused(400, "parameter_invalid", "points"):
        client.points.award(customer_id=alice.id, points=-1, reason="Purchase")
    with refused(404, "customer_not_found"):
        client.points.award(customer_id="nobody", points=1, reason="Purchase")
    stranger = Loyalty(base_url=service, secret="sk_test_nobody")
    with pytest.raises(loyalty_client.AuthenticationError) as failed:
        stranger.customers.retrieve(alice.id)
    assert failed.value.status == 401
    assert client.customers.retrieve(alice.id).points_balance == 10


def test_lists_go_on_by_themselves_in_either_order_and_from_a_row(client, customer_with):
    alice = customer_with(0)
    for points in range(1, 8):
        client.points.award(customer_id=alice.id, points=points, reason="Purchase")
    newest = list(client.points.iterate(customer_id=alice.id, limit=3))
    assert [transaction.points for transaction in newest] == [7, 6, 5, 4, 3, 2, 1]
    assert list(client.points.iterate(customer_id=alice.id, limit=3, order="asc")) == newest[::-1]
    assert list(client.points.iterate(customer_id=alice.id, limit=3, starting_after=newest[1].id)) == newest[2:]

    page = client.points.list(customer_id=alice.id, limit=3)
    assert (page.data, page.has_more) == (newest[:3], True)
    assert client.points.list(customer_id=alice.id, limit=3, ending_before=newest[5].id).data == newest[2:5]
    assert list(client.points.iterate(customer_id=alice.id, type="redeemed")) == []


def test_many_customers_are_listed_page_after_page(client, customer_with):
    made = [customer_with(0).id for _ in range(5)]
    assert [customer.id for customer in client.customers.iterate(limit=2)] == made[::-1]


def test_tiers_are_listed(client):
    tiers = client.tiers.list()
    assert [(tier.name, tier.min_points, tier.multiplier) for tier in tiers.data] == [
        ("Bronze", 0, 1),
        ("Silver", 500, Decimal("1.25")),
        ("Gold", 1500, Decimal("1.5")),
        ("Platinum", 5000, 2),
    ]


def test_rewards_are_made_changed_and_listed(client):
    made = client.rewards.create(**REWARD, category="food", stock=5)
    assert (made.points_cost, made.discount_amount, made.stock, made.active) == (200, Decimal("2.5"), 5, True)
    assert client.rewards.retrieve(made.id) == made
    changed = client.rewards.update(made.id, stock=None, active=False)
    assert (changed.name, changed.stock, changed.active) == ("Coffee", None, False)
    other = client.rewards.create(**REWARD, category="food")
    client.rewards.create(**REWARD, category="travel")
    assert {reward.id for reward in client.rewards.iterate(category="food", limit=1)} == {made.id, other.id}
    assert [reward.id for reward in client.rewards.list(category="food", active=True).data] == [other.id]


def test_points_become_a_code_which_is_used_once(client, customer_with):
    alice, reward = customer_with(500), client.rewards.create(**REWARD)
    redemption = client.points.redeem(customer_id=alice.id, reward_id=reward.id, points=200)
    assert redemption.code.startswith("REDEEM-")
    assert (redemption.points, redemption.discount_amount) == (200, Decimal("2.5"))
    assert redemption.balance_after == 500 - 200
    assert client.redemptions.retrieve(redemption.code).id == redemption.id
    assert client.redemptions.use(redemption.code).status == "used"
    with refused(409, "already_used"):
        client.redemptions.use(redemption.id)
    with refused(400, "price_mismatch", "points"):
        client.points.redeem(customer_id=alice.id, reward_id=reward.id, points=199)
    with pytest.raises(loyalty_client.InvalidRequestError) as failed:
        client.points.redeem(customer_id=alice.id, points=301)
    assert failed.value.code == "insufficient_balance"
    assert failed.value.details["current_balance"] == 500 - 200
    assert client.customers.retrieve(alice.id).points_balance == 500 - 200


def test_a_code_is_cancelled_and_its_points_come_back(client, customer_with):
    alice = customer_with(500)
    redemption = client.points.redeem(customer_id=alice.id, points=200, reason="Coffee")
    assert client.redemptions.cancel(redemption.id).status == "cancelled"
    assert client.customers.retrieve(alice.id).points_balance == 500


def test_points_are_held_captured_and_released(client, customer_with):
    alice = customer_with(500)
    hold = client.holds.create(customer_id=alice.id, points=300, expires_in=600, reference="basket")
    assert (hold.status, hold.points) == ("active", 300)
    assert client.customers.retrieve(alice.id).held_points == 300
    captured = client.holds.capture(hold.id, points=250)
    assert (captured.status, captured.captured_points) == ("captured", 250)
    assert client.holds.retrieve(hold.id) == captured
    with refused(409, "hold_resolved"):
        client.holds.release(hold.id)

    assert client.holds.capture(client.holds.create(customer_id=alice.id, points=50).id).captured_points == 50
    assert client.holds.release(client.holds.create(customer_id=alice.id, points=100).id).status == "released"
    customer = client.customers.retrieve(alice.id)
    assert (customer.points_balance, customer.held_points) == (500 - 250 - 50, 0)


def test_points_are_transferred(client, customer_with):
    alice, bob = customer_with(100), customer_with(0)
    transfer = client.transfers.create(from_customer_id=alice.id, to_customer_id=bob.id, points=40, reason="A present")
    assert (transfer.from_customer_id, transfer.to_customer_id, transfer.points) == (alice.id, bob.id, 40)
    assert len(transfer.transactions) == 2
    assert client.customers.retrieve(alice.id).points_balance == 100 - 40
    assert client.customers.retrieve(bob.id).points_balance == 40


def test_two_customers_who_are_one_are_merged(client, customer_with):
    twice, alice = customer_with(30), customer_with(10)
    merged = client.customers.merge(twice.id, into=alice.id)
    assert (merged.id, merged.points_balance) == (alice.id, 10 + 30)


def test_a_balance_is_explained(client, customer_with):
    alice = customer_with(30)
    award = client.points.award(customer_id=alice.id, points=12, reason="Purchase", reference="order_1")
    client.points.redeem(customer_id=alice.id, points=10)
    hold = client.holds.create(customer_id=alice.id, points=5)
    explanation = client.customers.explain(alice.id)
    assert (explanation.points_balance, explanation.held_points) == (30 + 12 - 10 - 5, 5)
    assert sum(lot.left for lot in explanation.lots) == 30 + 12 - 10 - 5
    newer = explanation.lots[-1]
    assert (newer.transaction_id, newer.reference, newer.expires_at) == (award.id, "order_1", award.expires_at)
    assert [paid.points for lot in explanation.lots for paid in lot.paid if paid.type == "redeem"] == [10]
    assert [(held.id, held.expires_at) for held in explanation.holds] == [(hold.id, hold.expires_at)]
    assert (explanation.tier.name, explanation.tier.next, explanation.tier.points_to_next) == (
        "Bronze",
        "Silver",
        500 - 30 - 12,
    )


def test_a_person_is_erased(client, customer_with):
    alice = customer_with(30)
    client.customers.erase(alice.id)
    with refused(404, "customer_not_found"):
        client.customers.retrieve(alice.id)
    with refused(404, "customer_not_found"):
        client.customers.erase(alice.id)
    assert client.customers.list().data == []


@pytest.mark.parametrize("address", ["", "shop.example", "ftp://shop", "http://me:pw@shop", "http://shop/?a=1"])
def test_refuses_the_address(address):
    with pytest.raises(ValueError, match="base_url"):
        Loyalty(base_url=address, secret="sk_test_a")


@pytest.mark.parametrize("secret", ["", "sk_live_a\nb", "sk live", "schlüssel"])
def test_refuses_the_secret(secret):
    with pytest.raises(ValueError, match="secret"):
        Loyalty(base_url="http://127.0.0.1", secret=secret)


@pytest.mark.parametrize("limits", [{"timeout": 0}, {"timeout": float("inf")}, {"max_retries": -1}])
def test_refuses_the_limits(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        Loyalty(base_url="http://127.0.0.1", secret="sk_test_a", **limits)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_sends_nothing_for_what_is_no_id(name, client):
    with pytest.raises(ValueError, match="is no id"):
        client.customers.erase(name)


@pytest.mark.parametrize("key", ["", "x" * 256, "Bestellung №1", "a\nb"])
def test_refuses_the_key(key, client):
    with pytest.raises(ValueError, match="idempotency_key"):
        client.customers.create(idempotency_key=key)
    assert client.customers.list().data == []
