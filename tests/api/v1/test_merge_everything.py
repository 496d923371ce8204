"""Two customers with everything that customers can have, made one: nothing is lost, and every old name answers."""

import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from cards.models import Customer
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef, PointAccount, PointTransaction
from tests.api.management.till import data
from tests.api.v1.client import Client, done
from tests.api.v1.test_holds import award, hold, named
from tests.api.v3.system import verified
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import NOTE


def owned(program: Program) -> Decimal:
    """All points of the programme's accounts."""
    sums = PointAccount.objects.filter(program=program).aggregate(all=Sum("balance") + Sum("pending") + Sum("held"))
    return sums["all"]


def test_loses_nothing(program: Program, shop: Client, alice: Customer) -> None:
    bob = CustomerFactory(program=program, external_id="customer-78")
    gems = definitions.create_definition(program=program, code="gems", name="Gems", may_go_negative=True)
    cards = [CardFactory(customer=customer) for customer in (alice, bob)]
    coffee = done(shop.post("rewards", {"name": "A coffee", "points_cost": 30, "stock": 5}), 201)
    done_before: dict[str, Any] = {}
    for customer in (alice, bob):
        name = named(customer)
        award(shop, customer, 200, expires_at="2098-01-01T00:00:00Z")
        award(shop, customer, 100)
        post_in_advance(program, customer)
        award(shop, customer, 20, definition="gems")
        debt = {"customer_id": name, "points": -25, "reason": "Typo", "definition": "gems"}
        done(shop.post("points/adjust", debt), 201)
        done_before[name] = {
            "hold": done(hold(shop, customer, 40), 201),
            "code": done(shop.post("points/redeem", {"customer_id": name, "reward_id": coffee["id"]}), 201),
            "cancelled": done(shop.post("points/redeem", {"customer_id": name, "reward_id": coffee["id"]}), 201),
            "points": done(shop.post("points/redeem", {"customer_id": name, "points": 10}), 201),
        }
    before = owned(program)

    done(shop.post(f"customers/{named(alice)}/merge", {"into": named(bob)}))
    assert owned(program) == before
    assert verified(program) == []
    told = done(shop.get(f"customers/{named(alice)}"))
    assert told["id"] == named(bob)
    assert (told["points_balance"], told["pending_points"], told["held_points"]) == (
        2 * (200 + 100 - 40 - 30 - 30 - 10),
        2 * 50,
        2 * 40,
    )
    assert {card["number"] for card in told["cards"]} == {card.number for card in cards}
    owed = done(shop.get("customers/customer-77/explain", definition="gems"))
    assert (owed["points_balance"], owed["debt_points"]) == (-10, 10)
    assert gems.may_go_negative

    for made in done_before.values():
        captured = done(shop.post(f"holds/{made['hold']['id']}/capture", {"points": 15}))
        assert (captured["customer_id"], captured["captured_points"]) == (named(bob), 15)
        assert done(shop.get(f"redemptions/{made['code']['code']}"))["customer_id"] == named(bob)
        done(shop.post(f"redemptions/{made['code']['code']}/use"))
        done(shop.post(f"redemptions/{made['cancelled']['id']}/cancel"))
    assert done(shop.get(f"rewards/{coffee['id']}"))["stock"] == 5 - 2
    assert owned(program) == before - 2 * 15 + 2 * 30
    for entry in PointTransaction.objects.filter(program=program, type="award").order_by("created_at"):
        answer = shop.client.get(f"/api/points/transactions/txn_{entry.pk.hex}")
        merged_into = named(bob) if entry.account.customer_id == alice.pk else None
        assert data(answer)["merged_into"] == merged_into
    assert verified(program) == []


def post_in_advance(program: Program, customer: Customer) -> None:
    account = AccountRef(program=program, definition=definitions.find(program, None), customer_id=customer.pk)
    now = datetime.datetime.now(datetime.UTC)
    ledger.award(account=account, points=Decimal(50), note=NOTE, at=now, valid_from=now + datetime.timedelta(days=30))
