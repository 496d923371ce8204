import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from cards.models import Card, Customer
from loyalty import ids
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef
from tests.api.v1.client import Client, done, refused
from tests.factories import CardFactory, CustomerFactory
from tests.points.threads import at_once


def named(customer: Customer) -> str:
    return ids.public("cus", customer.pk)


def newest_first(people: list[Customer]) -> list[str]:
    return [named(one) for one in reversed(people)]


def told(body: dict[str, Any]) -> list[str]:
    return [row["id"] for row in body["data"]]


@pytest.fixture
def people(program: Program) -> list[Customer]:
    """Seven customers, the oldest first."""
    return [CustomerFactory(program=program) for _ in range(7)]


def test_lists_the_newest_first(shop: Client, people: list[Customer], stranger: Client) -> None:
    body = done(shop.get("customers"))
    assert (body["object"], body["has_more"]) == ("list", False)
    assert told(body) == newest_first(people)
    assert body["data"][0] == done(shop.get(f"customers/{named(people[-1])}"))
    assert done(stranger.get("customers")) == {"object": "list", "data": [], "has_more": False}


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_goes_through_all_pages_and_back(shop: Client, people: list[Customer], limit: int) -> None:
    everybody = newest_first(people)
    pages, query = [], {}
    while not pages or pages[-1]["has_more"]:
        pages.append(done(shop.get("customers", limit=limit, **query)))
        query = {"starting_after": told(pages[-1])[-1]}
    assert [told(page) for page in pages] == [everybody[n : n + limit] for n in range(0, 7, limit)]
    back, query = [], {"ending_before": everybody[-1]}
    while not back or back[-1]["has_more"]:
        back.append(done(shop.get("customers", limit=limit, **query)))
        query = {"ending_before": (told(back[-1]) or [everybody[0]])[0]}
    assert [one for page in reversed(back) for one in told(page)] == everybody[:-1]
    assert all(len(told(page)) == limit for page in back[:-1])


def test_is_empty_beyond_either_end(shop: Client, people: list[Customer]) -> None:
    everybody = newest_first(people)
    for query in ({"starting_after": everybody[-1]}, {"ending_before": everybody[0]}):
        assert done(shop.get("customers", **query)) == {"object": "list", "data": [], "has_more": False}


def test_neither_skips_nor_repeats_while_customers_are_added(shop: Client, people: list[Customer]) -> None:
    seen, query = [], {}
    for _ in range(7):
        page = done(shop.get("customers", limit=1, **query))
        seen += told(page)
        done(shop.post("customers", {}), 201)
        query = {"starting_after": seen[-1]}
    assert seen == newest_first(people)
    assert len(told(done(shop.get("customers")))) == 14


def test_does_not_tell_whom_another_could_still_come_before(shop: Client, program: Program) -> None:
    """Who began first is done last; nobody who reads on from the other may miss that customer."""
    with transaction.atomic():
        slow = CustomerFactory(program=program)
        [answer] = at_once(lambda: shop.post("customers", {"email": "fast@example.com"}))
        fast = done(answer, 201)["id"]
        [answer] = at_once(lambda: shop.get("customers"))
        assert told(done(answer)) == []
        # By name everybody is told at once.
        [answer] = at_once(lambda: shop.get("customers", email="fast@example.com"))
        assert told(done(answer)) == [fast]
    assert told(done(shop.get("customers"))) == [fast, named(slow)]
    assert told(done(shop.get("customers", ending_before=named(slow)))) == [fast]


def test_reads_everybody_once_while_many_are_made_at_once(shop: Client, program: Program) -> None:
    """Each of four makes customers while a fifth follows the list by its newest row."""
    first = done(shop.post("customers", {}), 201)["id"]
    followed: list[str] = [first]

    def make() -> None:
        for _ in range(15):
            done(shop.post("customers", {}), 201)

    def follow() -> None:
        for _ in range(40):
            followed.extend(reversed(told(done(shop.get("customers", ending_before=followed[-1], limit=3)))))

    at_once(make, make, make, make, follow)
    while rest := told(done(shop.get("customers", ending_before=followed[-1], limit=50))):
        followed.extend(reversed(rest))
    assert len(followed) == len(set(followed)) == 1 + 4 * 15
    assert followed[::-1] == told(done(shop.get("customers", limit=100)))


def test_finds_by_address_in_any_case_and_by_external_id(shop: Client, program: Program, alice: Customer) -> None:
    CustomerFactory(program=program, email="bob@example.com", external_id="bob")
    for query in ({"email": str(alice.email).upper()}, {"external_id": "customer-77"}):
        assert told(done(shop.get("customers", **query))) == [named(alice)]
    for query in ({"external_id": "CUSTOMER-77"}, {"email": "x"}, {"email": "bob@example.com", "external_id": "x"}):
        assert told(done(shop.get("customers", **query))) == []
    assert len(told(done(shop.get("customers", email="", external_id="")))) == 2


def test_goes_on_from_an_external_id(shop: Client, people: list[Customer], alice: Customer) -> None:
    assert told(done(shop.get("customers", starting_after="customer-77"))) == newest_first(people)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": "9" * 101}, "limit"),
        ({"starting_after": "cus_" + "0" * 32}, "starting_after"),
        ({"starting_after": "nobody"}, "starting_after"),
        ({"ending_before": "nobody"}, "ending_before"),
        ({"ending_before": "x" * 101}, "ending_before"),
        ({"starting_after": "a", "ending_before": "b"}, "ending_before"),
        ({"starting_after": "a\0b"}, "starting_after"),
        ({"email": "a\0b"}, "email"),
        ({"email": "x" * 255}, "email"),
        ({"external_id": "a\0b"}, "external_id"),
        ({"external_id": "x" * 101}, "external_id"),
    ],
)
def test_names_what_is_wrong(shop: Client, query: dict[str, str], param: str) -> None:
    refused(shop.get("customers", **query), 400, "parameter_invalid", param)


def test_does_not_go_on_from_a_customer_of_another(stranger: Client, alice: Customer) -> None:
    for reference in (named(alice), "customer-77"):
        refused(stranger.get("customers", starting_after=reference), 400, "parameter_invalid", "starting_after")


def test_lowers_a_limit_above_100(shop: Client, program: Program) -> None:
    Customer.objects.bulk_create([Customer(program=program) for _ in range(101)])
    for limit in (101, 10**30):
        body = done(shop.get("customers", limit=limit))
        assert (len(body["data"]), body["has_more"]) == (100, True)
    assert len(done(shop.get("customers"))["data"]) == 20


def test_asks_the_database_as_often_for_many_as_for_two(shop: Client, program: Program) -> None:
    now = datetime.datetime.now(datetime.UTC)

    def add() -> None:
        """A customer with two cards, and with points that have expired by now, which nothing has written yet."""
        customer = CustomerFactory(program=program)
        CardFactory.create_batch(2, customer=customer)
        account = AccountRef(program=program, definition=definitions.find(program, None), customer_id=customer.pk)
        note = ledger.Note(reason="Order", actor="test")
        at = now - datetime.timedelta(days=10)
        ledger.award(account=account, points=Decimal(5), note=note, at=at, expires_at=at + datetime.timedelta(days=1))
        ledger.award(account=account, points=Decimal(7), note=note, at=at)

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            rows = done(shop.get("customers"))["data"]
        assert {(row["points_balance"], len(row["cards"])) for row in rows} == {(7, 2)}
        return len([query for query in queries if not query["sql"].startswith("PREPARE")])

    add()
    add()
    few = statements()
    for _ in range(15):
        add()
    assert statements() == few <= 7
    assert Card.objects.filter(program=program).count() == 2 * 17
