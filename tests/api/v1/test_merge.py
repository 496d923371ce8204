"""POST /v1/customers/{id}/merge and DELETE /v1/customers/{id}: two who are one person, and one who wants to go."""

import json
from typing import Any

import pytest
from django.db import IntegrityError, connections

from cards import customers
from cards.models import Card, Customer
from loyalty import errors, ids
from loyalty.models import IdempotencyRecord, Program, Scope
from points import definitions
from points.models import PointTransaction
from tests.api.management.till import data, error
from tests.api.v1.client import Client, done, refused
from tests.api.v1.test_holds import award, hold, named, told
from tests.api.v3.system import verified
from tests.factories import CardFactory, CustomerFactory


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(program=program, external_id="customer-78", email=None, phone="+370 600 22222")


@pytest.fixture
def card(alice: Customer) -> Card:
    return CardFactory(customer=alice)


def merge(shop: Client, customer: Customer | str, into: Customer | str, *, key: str | None = None) -> Any:
    names = [name if isinstance(name, str) else named(name) for name in (customer, into)]
    return shop.post(f"customers/{names[0]}/merge", {"into": names[1]}, key=key)


def test_makes_two_one(program: Program, shop: Client, alice: Customer, bob: Customer, card: Card) -> None:
    award(shop, alice, 100)
    award(shop, bob, 10)
    held = done(hold(shop, alice, 30), 201)
    answer = done(merge(shop, alice, bob))
    assert (answer["id"], answer["points_balance"], answer["held_points"]) == (named(bob), 80, 30)
    assert [one["number"] for one in answer["cards"]] == [card.number]
    # What the one who stays does not say is taken over.
    assert (answer["email"], answer["phone"], answer["external_id"]) == (alice.email, "+370 600 22222", "customer-78")
    assert done(shop.post(f"holds/{held['id']}/capture"))["customer_id"] == named(bob)
    assert told(shop, bob) == (80, 0)
    assert verified(program) == []


def test_lets_every_old_name_mean_the_one_who_stays(
    program: Program, shop: Client, alice: Customer, bob: Customer, card: Card
) -> None:
    award(shop, alice, 100)
    done(merge(shop, alice, bob))
    for name in (named(alice), "customer-77", named(bob), "customer-78"):
        assert done(shop.get(f"customers/{name}"))["id"] == named(bob)
        assert done(shop.get("points", customer_id=name))["data"][0]["points"] == 100
    assert [row["id"] for row in done(shop.get("customers", email=alice.email))["data"]] == [named(bob)]
    assert [row["id"] for row in done(shop.get("customers", external_id="customer-77"))["data"]] == [named(bob)]
    assert [row["id"] for row in done(shop.get("customers"))["data"]] == [named(bob)]
    assert data(shop.client.get(f"/api/points/balance/{named(alice)}"))["current_balance"] == 100
    assert data(shop.client.get(f"/api/points/balance/{card.number}"))["current_balance"] == 100
    assert shop.client.get("/api/v3/point-accounts", {"contactId": str(alice.pk)}).json()["items"][0]["balance"] == 100
    spent = {"card_id": card.number, "points": 40, "reason": "Order"}
    data(shop.client.post("/api/points/redeem", spent, format="json"), 201)
    assert told(shop, bob) == (60, 0)
    assert verified(program) == []


def test_undoes_what_was_posted_before(program: Program, shop: Client, alice: Customer, bob: Customer) -> None:
    earned = award(shop, alice, 100)
    done(merge(shop, alice, bob))
    body = {"transaction_id": earned["id"], "points": 60, "reason": "Returned"}
    undone = data(shop.client.post("/api/points/reverse", body, format="json"), 201)
    assert (undone["customer_id"], undone["new_balance"]) == (named(bob), 40)
    entry = data(shop.client.get(f"/api/points/transactions/{earned['id']}"))
    assert (entry["reversed_points"], entry["merged_into"]) == (60, named(bob))
    assert told(shop, bob) == (40, 0)
    assert verified(program) == []


def test_merges_every_kind_of_points(program: Program, shop: Client, alice: Customer, bob: Customer) -> None:
    definitions.create_definition(program=program, code="gems", name="Gems")
    award(shop, alice, 100)
    award(shop, alice, 7, definition="gems")
    award(shop, bob, 1, definition="gems")
    done(merge(shop, alice, bob))
    assert done(shop.get(f"customers/{named(bob)}/explain", definition="gems"))["points_balance"] == 8
    assert verified(program) == []


@pytest.mark.parametrize("changes", [{"phone": "+370 600 33333"}, {}])
def test_changes_nothing_of_who_was_merged_meanwhile(
    shop: Client, alice: Customer, bob: Customer, changes: dict[str, Any]
) -> None:
    found = customers.find(program=shop.program, reference=named(alice))
    done(merge(shop, alice, bob))
    before = done(shop.get(f"customers/{named(bob)}"))
    with pytest.raises(errors.Unavailable):
        customers.change(customer=found, changes=changes)
    alice.refresh_from_db()
    assert alice.phone != "+370 600 33333"
    assert done(shop.get(f"customers/{named(bob)}")) == before


def test_goes_on_over_several_merges(program: Program, shop: Client, alice: Customer, bob: Customer) -> None:
    carol = CustomerFactory(program=program)
    award(shop, alice, 100)
    done(merge(shop, alice, bob))
    done(merge(shop, bob, carol))
    assert done(shop.get("customers/customer-77"))["id"] == named(carol)
    award(shop, alice, 5)
    assert told(shop, carol) == (105, 0)
    assert verified(program) == []


def test_answers_the_same_when_repeated(shop: Client, alice: Customer, bob: Customer) -> None:
    award(shop, alice, 100)
    first = done(merge(shop, alice, bob, key="merge"))
    assert done(merge(shop, alice, bob, key="merge")) == first
    assert done(merge(shop, alice, bob)) == first
    refused(merge(shop, bob, alice), 400, "parameter_invalid", "into")


def test_answers_a_posting_again_that_was_posted_before(shop: Client, alice: Customer, bob: Customer) -> None:
    body = {"customer_id": named(alice), "points": 10, "reason": "Purchase"}
    first = shop.post("points/award", body, key="order_1")
    done(merge(shop, alice, bob))
    assert shop.post("points/award", body, key="order_1").content == first.content
    assert told(shop, bob) == (10, 0)


def test_refuses_what_is_not_two(shop: Client, stranger: Client, alice: Customer, bob: Customer) -> None:
    award(shop, alice, 10)
    refused(merge(shop, alice, alice), 400, "parameter_invalid", "into")
    refused(merge(shop, alice, "customer-77"), 400, "parameter_invalid", "into")
    refused(merge(shop, alice, "nobody"), 404, "customer_not_found")
    refused(merge(shop, "nobody", alice), 404, "customer_not_found")
    refused(shop.post(f"customers/{named(alice)}/merge", {}), 400, "parameter_missing", "into")
    refused(shop.post(f"customers/{named(alice)}/merge", {"into": 7}), 400, "parameter_invalid", "into")
    refused(merge(stranger, alice, bob), 404, "customer_not_found")
    assert (told(shop, alice), told(shop, bob)) == ((10, 0), (0, 0))


def test_needs_the_scope(program: Program, alice: Customer, bob: Customer) -> None:
    reader = Client(program, scopes=[Scope.LOYALTY_READ])
    refused(merge(reader, alice, bob), 403, "forbidden")
    refused(reader.delete(f"customers/{named(alice)}"), 403, "forbidden")


# Erasing


def test_lets_the_person_go_and_keeps_the_ledger(program: Program, shop: Client, alice: Customer, card: Card) -> None:
    earned = award(shop, alice, 100, metadata={"name": "Alice"}, reference="order_1")
    assert shop.delete("customers/customer-77").status_code == 204
    alice.refresh_from_db()
    assert (alice.email, alice.name, alice.phone, alice.external_id) == (None, "", "", None)
    entries = PointTransaction.objects.filter(account__customer=alice).order_by("version")
    assert [(entry.type, entry.points, entry.balance_after) for entry in entries] == [
        ("award", 100, 100),
        ("expire", -100, 0),
    ]
    assert {(entry.reason, entry.reference, entry.metadata) for entry in entries} == {(None, None, None)}
    told_entry = data(shop.client.get(f"/api/points/transactions/{earned['id']}"))
    assert (told_entry["points"], told_entry["reason"], told_entry["metadata"]) == (100, "Erased", None)
    assert verified(program) == []


def test_is_not_found_any_more(program: Program, shop: Client, alice: Customer, card: Card) -> None:
    award(shop, alice, 100)
    assert shop.delete(f"customers/{named(alice)}").status_code == 204
    for name in (named(alice), "customer-77"):
        refused(shop.get(f"customers/{name}"), 404, "customer_not_found")
        refused(shop.delete(f"customers/{name}"), 404, "customer_not_found")
        refused(shop.get("points", customer_id=name), 404, "customer_not_found")
        refused(shop.get(f"customers/{name}/explain"), 404, "customer_not_found")
    assert done(shop.get("customers"))["data"] == []
    body = {"customer_id": named(alice), "points": 10, "reason": "Purchase"}
    refused(shop.post("points/award", body), 404, "customer_not_found")
    till = {"card_id": card.number, "points": 1, "reason": "Order"}
    error(shop.client.post("/api/points/award", till, format="json"), 403, "CARD_INACTIVE")
    error(shop.client.post(f"/api/loyalty-cards/{card.number}/activate"), 404, "CARD_NOT_FOUND")
    for change in ({"customer_name": "Jane"}, {"customer_phone": "1"}, {"card_design": "gold"}, {"metadata": {"a": 1}}):
        answer = shop.client.patch(f"/api/loyalty-cards/{card.number}", change, format="json")
        error(answer, 404, "CARD_NOT_FOUND")
    card.refresh_from_db()
    assert (card.customer.name, card.customer.phone, card.design, card.metadata) == ("", "", "default", {})
    account = shop.client.get("/api/v3/point-accounts", {"contactId": str(alice.pk)})
    assert (account.status_code, account.json()["errorCode"]) == (404, "ContactNotFound")
    # The address and the shop's own id are free again.
    done(shop.post("customers", {"email": alice.email, "external_id": "customer-77"}), 201)


def test_resolves_the_holds_of_who_is_erased(program: Program, shop: Client, alice: Customer) -> None:
    award(shop, alice, 100)
    held = done(hold(shop, alice, 30), 201)
    done(shop.delete(f"customers/{named(alice)}"), 204)
    assert done(shop.get(f"holds/{held['id']}"))["status"] == "released"
    refused(shop.post(f"holds/{held['id']}/capture"), 409, "hold_resolved")
    refused(shop.post(f"holds/{held['id']}/release"), 409, "hold_resolved")
    assert verified(program) == []


def test_erases_what_was_answered(shop: Client) -> None:
    body = {"email": "jane@example.com", "name": "Jane Doe"}
    made = done(shop.post("customers", body, key="jane"), 201)
    posted = {"customer_id": made["id"], "points": 10, "reason": "For Jane"}
    done(shop.post("points/award", posted, key="order_1"), 201)
    other = done(shop.post("customers", {"email": "doe@example.com"}, key="doe"), 201)
    assert shop.delete(f"customers/{made['id']}").status_code == 204
    refused(shop.post("customers", body, key="jane"), 410, "erased")
    refused(shop.post("points/award", posted, key="order_1"), 404, "customer_not_found")
    assert done(shop.post("customers", {"email": "doe@example.com"}, key="doe"), 201) == other


def test_erases_rows_that_were_refused_on_the_accounts_face(program: Program, shop: Client, alice: Customer) -> None:
    number = program.definitions.get(is_default=True).number
    row = {"contactId": str(alice.pk).upper(), "definitionId": number, "amount": -5, "description": "For Alice"}
    rows = [row | {"source": "Purchase"}]

    def post() -> Any:
        return shop.client.post(
            "/api/v3/point-accounts/transactions", rows, format="json", HTTP_IDEMPOTENCY_KEY="night-1"
        )

    assert "For Alice" in post().content.decode()
    assert post().headers["Idempotent-Replayed"] == "true"
    done(shop.delete("customers/customer-77"), 204)
    again = post()
    assert (again.status_code, again.json()["errorCode"]) == (410, "Erased")
    assert not IdempotencyRecord.objects.filter(owner_id=program.pk, body__contains="Alice").exists()


def test_erases_those_who_were_merged_into_the_customer(
    program: Program, shop: Client, alice: Customer, bob: Customer
) -> None:
    award(shop, alice, 100)
    done(merge(shop, alice, bob))
    assert shop.delete("customers/customer-77").status_code == 204
    people = Customer.objects.filter(program=program)
    assert {(one.email, one.name, one.external_id) for one in people} == {(None, "", None)}
    reasons = PointTransaction.objects.filter(program=program).values_list("reason", flat=True)
    assert set(reasons) == {None}
    assert verified(program) == []


def test_tells_nobody_elsewhere(stranger: Client, shop: Client, alice: Customer) -> None:
    refused(stranger.delete(f"customers/{named(alice)}"), 404, "customer_not_found")
    refused(shop.delete(f"customers/{ids.public('cus', ids.new_id())}"), 404, "customer_not_found")
    assert json.loads(shop.get(f"customers/{named(alice)}").content)["email"] == alice.email


@pytest.mark.parametrize("database", ["default", "owner"])
def test_cannot_be_taken_back_behind_the_services_back(
    database: str, shop: Client, alice: Customer, bob: Customer
) -> None:
    carol = CustomerFactory(program=alice.program)
    done(merge(shop, alice, bob))
    assert shop.delete(f"customers/{named(carol)}").status_code == 204
    for customer, change in (
        (alice, "merged_into_id = NULL"),
        (alice, "merged_at = now()"),
        (carol, "erased_at = NULL"),
    ):
        with pytest.raises(IntegrityError, match="stays so"), connections[database].cursor() as cursor:
            cursor.execute(f"UPDATE cards_customer SET {change} WHERE id = %s", [customer.pk])
