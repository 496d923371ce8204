"""Who bought has a customer and a card afterwards."""

import secrets
import threading

from django.db import transaction

from cards import enrolment
from cards.models import Card, Customer
from loyalty import ids
from points import definitions
from tests.points.importing.shop import ALICE, ALICE_AND_BOB, BOB, Shop, in_thread


def test_gives_each_customer_one_active_card(shop):
    shop.run("customer,date,amount,email,name\nalice,2026-01-10,1,,\nalice,2026-01-11,1,alice@example.com,Alice\n")
    [customer] = Customer.objects.filter(program=shop.program)
    assert (customer.external_id, customer.email, customer.name) == ("alice", "alice@example.com", "Alice")
    [card] = customer.cards.all()
    assert card.status == Card.Status.ACTIVE


def test_leaves_a_customer_alone_who_is_there_already(shop):
    alice = Customer.objects.create(program=shop.program, external_id="alice", name="Alice")
    lost = Card.objects.create(program=shop.program, customer=alice, number="LC000000000001", status="inactive")
    card = Card.objects.create(program=shop.program, customer=alice, number="LC000000000002")
    report = shop.run("customer,date,amount,name\nalice,2026-01-10,5.00,Alicia\n")
    assert report["Customers"] == "1 (0 new)"
    [entry] = shop.entries("alice")
    assert entry.card_id == card.pk
    assert list(alice.cards.order_by("number")) == [lost, card]
    alice.refresh_from_db()
    assert alice.name == "Alice"


def test_does_not_take_one_person_for_another_by_the_address(shop):
    Customer.objects.create(program=shop.program, name="Alice", email="alice@example.com")
    shop.run("customer,date,amount,email\nmallory,2026-01-10,5.00,Alice@example.com\nbob,2026-01-10,5.00,\n")
    assert shop.bad() == [(2, "Another customer has this e-mail address.", "mallory,2026-01-10,5.00,Alice@example.com")]
    assert shop.balances() == {"bob": 10}


def test_makes_nobody_of_an_id_of_this_service(shop):
    alice = Customer.objects.create(program=shop.program, name="Alice")
    ours = ids.public("cus", alice.pk)
    shop.run(f"customer_id,date,amount\n{ours},2026-01-10,5.00\nbob,2026-01-10,5.00\n")
    why = "The customer is not the shop's own id: it looks like one of this service."
    assert shop.bad() == [(2, why, f"{ours},2026-01-10,5.00")]
    assert shop.balances() == {"bob": 10}
    assert Customer.objects.filter(program=shop.program).count() == 2


def test_draws_again_where_a_card_has_the_number(shop, monkeypatch):
    drawn = iter([7, 7, 7, 8])
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(drawn))
    shop.run(ALICE_AND_BOB)
    numbers = Card.objects.filter(program=shop.program).order_by("number").values_list("number", flat=True)
    assert list(numbers) == ["LC000000000007", "LC000000000008"]


def test_gives_one_card_to_a_customer_whom_two_enrol_at_once(shop):
    alice = Customer.objects.create(program=shop.program, external_id="alice")
    with transaction.atomic():
        Customer.objects.select_for_update(no_key=True).get(pk=alice.pk)
        Card.objects.create(program=shop.program, customer=alice, number="LC000000000001")
        other = threading.Thread(target=in_thread, args=[lambda: shop.run(ALICE_AND_BOB)])
        other.start()
        other.join(0.5)
        assert other.is_alive()
    other.join()
    assert alice.cards.count() == 1
    assert shop.balances() == {"alice": ALICE, "bob": BOB}


def test_keeps_programmes_apart(shop, tmp_path):
    shop.run(ALICE_AND_BOB)
    other = Shop(definitions.create_program(slug=f"shop-{secrets.token_hex(6)}"), tmp_path)
    assert other.run(ALICE_AND_BOB)["Customers"] == "2 (2 new)"
    assert (shop.balances(), other.balances()) == ({"alice": ALICE, "bob": BOB}, {"alice": ALICE, "bob": BOB})


def test_enrols_more_customers_than_fit_in_a_batch(shop):
    people = [enrolment.Person(external_id=f"c{n}") for n in range(enrolment.BATCH + 1)]
    members = enrolment.enrol(program=shop.program, people=people)
    assert set(members) == {person.external_id for person in people}
    assert Card.objects.filter(program=shop.program).count() == len(people)
