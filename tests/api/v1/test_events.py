"""GET /v1/events: what happened, in an order that a cursor can rely on."""

import datetime
import random
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connections, transaction

from cards import enrolment
from cards.models import Customer
from events.models import Event, WebhookEndpoint
from loyalty import ids
from loyalty.models import Program, Scope
from points import definitions
from points.models import AccountRef, PointTransaction
from rewards.models import VoucherRule
from tests.api.management.till import Till, data
from tests.api.v1.client import Client, done, refused
from tests.api.v1.test_points import named
from tests.api.v3.system import System, verified
from tests.api.v3.system import done as converted
from tests.factories import CardFactory, CustomerFactory, make_definition
from tests.points.threads import at_once

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def program(program: Program) -> Program:
    """It keeps an event log, and lets everybody do as much as they like."""
    program.keeps_events, program.transaction_limit, program.transfers_enabled = True, None, True
    program.save(update_fields=["keeps_events", "transaction_limit", "transfers_enabled"])
    return program


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(program=program, external_id="customer-78")


def post(shop: Client, path: str, points: Any = None, status: int = 201, **more: Any) -> dict[str, Any]:
    body = {"customer_id": "customer-77", "reason": "Purchase"} | ({} if points is None else {"points": points})
    return done(shop.post(path, body | more), status)


def events(shop: Client, **query: Any) -> list[dict[str, Any]]:
    """This will read the whole list, page by page."""
    rows: list[dict[str, Any]] = []
    while True:
        cursor = {"starting_after": rows[-1]["id"]} if rows else {}
        page = done(shop.get("events", **{"limit": 100} | query | cursor))
        rows += page["data"]
        if not page["has_more"]:
            return rows


def types(shop: Client, **query: Any) -> list[str]:
    return [event["type"] for event in events(shop, **query)]


# What is told


def test_tells_a_posting_as_the_list_of_transactions_does(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False):
        awarded = post(shop, "points/award", 100, metadata={"order_id": "order_1"})
        [event] = events(shop)
    assert event == {
        "id": event["id"],
        "object": "event",
        "type": "points.earned",
        "created_at": "2026-03-02T12:00:00Z",
        "sequence": 1,
        "customer_id": named(alice),
        "definition": "points",
        "data": awarded,
    }
    assert done(shop.get(f"events/{event['id']}")) == event


def test_tells_every_kind_of_entry_by_its_number(
    shop: Client, program: Program, alice: Customer, bob: Customer
) -> None:
    till = Till(program, CardFactory(customer=alice))
    with time_machine.travel(NOON, tick=False) as clock:
        data(till.award(100), 201)
        data(till.award(40, valid_from=(NOON + DAY).isoformat(), expires_at=(NOON + 3 * DAY).isoformat()), 201)
        spent = data(till.redeem(30), 201)
        data(till.adjust(-5), 201)
        clock.move_to(NOON + 2 * DAY)
        data(till.reverse(spent["transaction_id"], points=10), 201)
        held = post(shop, "holds", 20)
        done(shop.post(f"holds/{held['id']}/release"))
        done(
            shop.post(
                "transfers",
                {"from_customer_id": "customer-77", "to_customer_id": "customer-78", "points": 7, "reason": "Gift"},
            ),
            201,
        )
        clock.move_to(NOON + 4 * DAY)
        post(shop, "points/award", 1)
        told = events(shop, customer_id="customer-77", since_sequence=0)
    assert [(event["sequence"], event["type"], event["data"]["type"], event["data"]["points"]) for event in told] == [
        (1, "points.earned", "earned", 100),
        (2, "points.earned", "earned", 40),
        (3, "points.redeemed", "redeemed", -30),
        (4, "points.adjusted", "adjusted", -5),
        (5, "points.activated", "activated", 0),
        (6, "points.reversed", "reversed", 10),
        (7, "points.held", "held", 0),
        (8, "points.released", "released", 0),
        (9, "points.transferred", "transferred", -7),
        (10, "points.expired", "expired", -33),
        (11, "points.earned", "earned", 1),
    ]
    assert [event["data"]["points"] for event in events(shop, customer_id="customer-78")] == [7]


def test_tells_what_becomes_of_customers_and_cards(shop: Client, program: Program) -> None:
    with time_machine.travel(NOON, tick=False):
        made = done(shop.post("customers", {"external_id": "customer-77", "name": "Jane Doe"}), 201)
        changed = done(shop.patch("customers/customer-77", {"phone": "+370 600 00000"}))
        till = Till(program, CardFactory(customer=Customer.objects.get(external_id="customer-77", program=program)))
        for path in ("block", "block", "unblock", "replace"):
            data(till.post(f"loyalty-cards/{till.card_id}/{path}", {"reason": "Lost"}))
        told = events(shop)
    assert [event["type"] for event in told] == [
        "customer.created",
        "customer.updated",
        "card.blocked",
        "card.blocked",
        "card.unblocked",
        "card.replaced",
        "card.created",
    ]
    assert [event["data"] for event in told[:2]] == [made, changed]
    assert [event["data"]["status"] for event in told[2:]] == ["blocked", "blocked", "active", "inactive", "active"]
    assert told[5]["data"]["replaced_by"] == told[6]["data"]["id"]
    assert {(event["sequence"], event["definition"], event["customer_id"]) for event in told} == {
        (None, None, made["id"])
    }


def test_tells_enrolment_with_points(shop: Client, program: Program) -> None:
    till = Till(program, CardFactory(customer=CustomerFactory(program=program)))
    enrolled = {"customer_email": "new@example.com", "customer_name": "New", "initial_points": 50}
    data(till.post("loyalty-cards", enrolled), 201)
    assert types(shop) == ["customer.created", "points.earned", "card.created"]


def test_tells_who_is_imported_once(shop: Client, program: Program) -> None:
    people = [enrolment.Person(external_id=f"c-{n}", name=f"Customer {n}") for n in range(3)]
    for _ in range(2):
        enrolment.enrol(program=program, people=people)
    told = events(shop)
    assert [event["type"] for event in told] == ["customer.created"] * 3 + ["card.created"] * 3
    assert {event["data"]["external_id"] for event in told[:3]} == {"c-0", "c-1", "c-2"}
    assert {event["customer_id"] for event in told[:3]} == {event["data"]["customer_id"] for event in told[3:]}


def test_tells_a_customer_who_was_changed_by_the_card_as_it_is(shop: Client, program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    done(shop.patch("customers/customer-77", {"email": "new@example.com"}))
    data(till.client.patch(f"/api/loyalty-cards/{till.card_id}", {"customer_name": "Jane"}, format="json"))
    told = events(shop)
    assert [event["type"] for event in told] == ["customer.updated", "customer.updated"]
    assert (told[1]["data"]["email"], told[1]["data"]["name"]) == ("new@example.com", "Jane")


def test_tells_changes_of_tiers(shop: Client, alice: Customer) -> None:
    awarded = post(shop, "points/award", 700)
    change = next(event for event in events(shop) if event["type"] == "customer.tier_changed")
    assert (change["sequence"], change["definition"]) == (None, "points")
    told = change["data"]
    assert (told["object"], told["customer_id"], told["transaction_id"]) == (
        "tier_change",
        named(alice),
        awarded["id"],
    )
    assert (told["from_tier"], told["to_tier"], told["points"]) == ("Bronze", "Silver", 700)


def test_tells_codes(shop: Client, alice: Customer) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        post(shop, "points/award", 1000)
        reward = {"name": "A coffee", "points_cost": 100, "stock": 7, "code_valid_days": 1, "on_expiry": "returned"}
        reward_id = done(shop.post("rewards", reward), 201)["id"]
        used, cancelled, lapsed = [post(shop, "points/redeem", reward_id=reward_id) for _ in range(3)]
        done(shop.post(f"redemptions/{used['code']}/use"))
        done(shop.post(f"redemptions/{cancelled['code']}/cancel"))
        clock.move_to(NOON + 3 * DAY)
        done(shop.get(f"redemptions/{lapsed['code']}"))
        told = [event for event in events(shop) if event["type"].startswith("redemption.")]
    assert [(event["type"], event["data"]["code"], event["data"]["status"]) for event in told] == [
        *(("redemption.created", code["code"], "active") for code in (used, cancelled, lapsed)),
        ("redemption.used", used["code"], "used"),
        ("redemption.cancelled", cancelled["code"], "cancelled"),
        ("redemption.expired", lapsed["code"], "expired"),
    ]
    assert told[0]["data"] == used


def test_tells_vouchers(shop: Client, program: Program, alice: Customer) -> None:
    definition = definitions.find(program, None)
    VoucherRule.objects.create(definition=definition, point_value="0.01", smallest_points=100)
    post(shop, "points/award", 500)
    system = System(program, alice, definition)
    voucher = converted(system.post("reward-vouchers", {"contactId": system.contact_id}), 201)
    converted(system.post(f"reward-vouchers/{voucher['id']}/redeem"))
    told = [event for event in events(shop) if event["type"].startswith("voucher.")]
    assert [(event["type"], event["data"]["status"], event["data"]["value"]) for event in told] == [
        ("voucher.created", "available", 5),
        ("voucher.redeemed", "redeemed", 5),
    ]


def test_tells_merges_and_lists_what_was_before(shop: Client, alice: Customer, bob: Customer) -> None:
    post(shop, "points/award", 100)
    post(shop, "points/award", 10, customer_id="customer-78")
    survivor = done(shop.post("customers/customer-77/merge", {"into": "customer-78"}))
    told = events(shop, customer_id="customer-77")
    assert [(event["type"], event["customer_id"]) for event in told[:2]] == [
        ("points.earned", named(alice)),
        ("points.earned", named(bob)),
    ]
    assert {(event["type"], event["customer_id"]) for event in told[2:4]} == {
        ("points.transferred", named(alice)),
        ("points.transferred", named(bob)),
    }
    assert [(event["type"], event["customer_id"]) for event in told[4:]] == [("customer.merged", named(bob))]
    assert told[-1]["data"] == survivor | {"merged_customer_id": named(alice)}
    # Where the survivor's points stand can be rebuilt by the numbers of that account.
    own = events(shop, customer_id="customer-77", since_sequence=0)
    assert [event["sequence"] for event in own] == [1, 2]
    assert own[-1]["data"]["balance_after"] == survivor["points_balance"] == 100 + 10


def test_forgets_an_erased_person(shop: Client, alice: Customer) -> None:
    done(shop.patch("customers/customer-77", {"name": "Jane Doe", "phone": "+370 600 00000"}))
    post(shop, "points/award", 100, reason="For Jane", metadata={"who": "Jane"})
    done(shop.delete("customers/customer-77"), 204)
    told = events(shop)
    assert [event["type"] for event in told] == [
        "customer.updated",
        "points.earned",
        "points.expired",
        "customer.erased",
    ]
    gone = {"id": named(alice), "object": "customer", "erased": True}
    assert (told[0]["data"], told[-1]["data"]) == (gone, gone)
    assert "Jane" not in str(told)


# Exactly one event of what is committed, none of what is not


def test_writes_nothing_where_nobody_listens(shop: Client, program: Program, alice: Customer) -> None:
    Program.objects.filter(pk=program.pk).update(keeps_events=False)
    post(shop, "points/award", 1)
    done(shop.post("customers", {"name": "Nobody listens"}), 201)
    assert not program.events.exists()
    endpoint = WebhookEndpoint.objects.create(program=program, url="https://shop.example/hook", event_types=["*"])
    post(shop, "points/award", 2)
    done(shop.post("customers", {"name": "Somebody listens"}), 201)
    assert sorted(event.type for event in program.events.all()) == ["customer.created", "points.earned"]
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(deleted_at=NOON)
    post(shop, "points/award", 3)
    assert program.events.count() == 2


def test_writes_nothing_of_what_is_refused_or_rolled_back(shop: Client, program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    refused(shop.post("points/redeem", {"customer_id": "customer-77", "points": 5}), 400, "insufficient_balance")
    award = {"operation": "award", "customer_id": named(alice), "points": 5, "reason": "x"}
    redeem = {"operation": "redeem", "customer_id": named(alice), "points": 50, "reason": "x"}
    till.post("points/bulk", {"operations": [award, redeem], "atomic": True})
    till.post("points/bulk", {"operations": [award], "validate_only": True})
    with transaction.atomic():
        post(shop, "points/award", 5)
        transaction.set_rollback(True)
    assert not PointTransaction.objects.filter(program=program).exists()
    assert not program.events.exists()


def test_writes_nothing_of_somebody_who_is_there_already(shop: Client, program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    refused(shop.post("customers", {"email": alice.email}), 409, "customer_exists", "email")
    assert till.post("loyalty-cards", {"customer_email": alice.email, "customer_name": "Jane"}).status_code == 409
    refused(
        shop.patch("customers/customer-77", {"external_id": "cus_" + "0" * 32}), 400, "parameter_invalid", "external_id"
    )
    assert events(shop) == []


def test_writes_one_event_of_a_repeated_request(shop: Client, alice: Customer) -> None:
    for _ in range(3):
        done(shop.post("points/award", {"customer_id": "customer-77", "points": 5, "reason": "x"}, key="order-1"), 201)
    answers = at_once(*[partial(shop.post, "customers", {"name": "Jane"}, key="enrol-1")] * 4)
    assert len({answer.content for answer in answers}) == 1
    assert types(shop) == ["points.earned", "customer.created"]


def test_has_one_event_of_every_entry_however_many_post(shop: Client, program: Program, alice: Customer) -> None:
    other = CustomerFactory(program=program, external_id="customer-78")
    till = Till(program, CardFactory(customer=alice))

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            match chance.randrange(4):
                case 0:
                    shop.post("points/award", {"customer_id": "customer-77", "points": 10, "reason": "x"})
                case 1:
                    shop.post("points/redeem", {"customer_id": "customer-77", "points": 5})
                case 2:
                    way = ["customer-77", "customer-78"]
                    chance.shuffle(way)
                    shop.post(
                        "transfers",
                        {"from_customer_id": way[0], "to_customer_id": way[1], "points": 3, "reason": "Gift"},
                    )
                case 3:
                    operations = [
                        {"operation": "award", "customer_id": named(who), "points": 4, "reason": "x"}
                        for who in (alice, other)
                    ]
                    till.post("points/bulk", {"operations": operations})

    at_once(*[partial(work, seed) for seed in range(6)])
    entries = PointTransaction.objects.filter(program=program).values_list("account_id", "version", "id")
    told = program.events.exclude(sequence=None).values_list("account_id", "sequence", "subject_id")
    assert len(entries) > 50
    assert sorted(told) == sorted(entries)
    assert verified(program) == []


def test_cannot_have_two_events_of_one_entry(shop: Client, program: Program, alice: Customer) -> None:
    post(shop, "points/award", 5)
    event = program.events.get()
    for wrong in (
        {"sequence": 1},
        {"sequence": 2, "subject_id": None, "data": {}},
        {"sequence": None, "data": {"a": 1}},
        {"sequence": None, "subject_id": None},
    ):
        row = {
            "program": program,
            "account_id": event.account_id,
            "customer_id": alice.pk,
            "type": "points.earned",
            "subject_id": uuid.uuid4(),
            "created_at": NOON,
        }
        with pytest.raises(IntegrityError), transaction.atomic():
            Event.objects.create(**row | wrong)


# Reading on


def test_neither_skips_nor_repeats_while_others_write(shop: Client, program: Program, alice: Customer) -> None:
    writers = [CustomerFactory(program=program, external_id=f"writer-{n}") for n in range(4)]
    is_over = threading.Event()

    def write(customer: Customer) -> None:
        for _ in range(25):
            with transaction.atomic():
                shop.post("points/award", {"customer_id": customer.external_id, "points": 1, "reason": "x"})

    def read() -> list[str]:
        seen: list[str] = []
        while True:
            last_look = is_over.is_set()
            query = {"starting_after": seen[-1]} if seen else {}
            page = done(shop.get("events", limit=7, type="points.earned", **query))
            seen += [event["id"] for event in page["data"]]
            if last_look and not page["has_more"]:
                return seen

    def write_all() -> None:
        threads = [threading.Thread(target=_closing, args=[partial(write, customer)]) for customer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        is_over.set()

    _, seen = at_once(write_all, read)
    assert len(seen) == len(set(seen)) == 4 * 25
    assert set(seen) == {ids.public("evt", event.pk) for event in program.events.all()}


def _closing(work: Callable[[], Any]) -> None:
    try:
        work()
    finally:
        connections.close_all()


def test_goes_back_as_well(shop: Client, alice: Customer) -> None:
    for n in range(1, 6):
        post(shop, "points/award", n)
    for more in ({}, {"customer_id": "customer-77", "since_sequence": 0}):
        told = [event["id"] for event in events(shop, **more)]
        page = done(shop.get("events", ending_before=told[3], limit=2, **more))
        assert ([event["id"] for event in page["data"]], page["has_more"]) == (told[1:3], True)
        page = done(shop.get("events", starting_after=told[1], limit=2, **more))
        assert ([event["id"] for event in page["data"]], page["has_more"]) == (told[2:4], True)


def test_lists_one_type_one_customer_one_definition(
    shop: Client, program: Program, alice: Customer, bob: Customer
) -> None:
    make_definition(program, code="stars", is_default=False)
    post(shop, "points/award", 1)
    post(shop, "points/award", 2, definition="stars")
    post(shop, "points/award", 3, customer_id="customer-78")
    done(shop.patch("customers/customer-77", {"name": "Jane"}))

    def told(**query: Any) -> list[Any]:
        return [event["data"].get("points", event["type"]) for event in events(shop, **query)]

    assert told() == [1, 2, 3, "customer.updated"]
    assert told(type="points.earned") == [1, 2, 3]
    assert told(customer_id="customer-77") == told(customer_id=named(alice)) == [1, 2, "customer.updated"]
    assert told(customer_id="customer-77", definition="stars") == [2]
    assert told(customer_id="customer-77", definition="stars", since_sequence=0) == [2]
    assert told(customer_id="customer-77", since_sequence=1) == []


def test_rebuilds_balances_elsewhere(shop: Client, program: Program, alice: Customer) -> None:
    chance = random.Random(7)
    for _ in range(30):
        shop.post("points/award", {"customer_id": "customer-77", "points": chance.randint(1, 9), "reason": "x"})
        shop.post("points/redeem", {"customer_id": "customer-77", "points": chance.randint(1, 9)})
    mirror, last = 0, 0
    for event in events(shop, customer_id="customer-77", since_sequence=0, limit=7):
        assert event["sequence"] == last + 1
        last, mirror = event["sequence"], mirror + event["data"]["points"]
        assert event["data"]["balance_after"] == mirror
    customer = done(shop.get("customers/customer-77"))
    assert customer["points_balance"] == mirror
    account = AccountRef(program=program, definition=definitions.find(program, None), customer_id=alice.pk)
    assert PointTransaction.objects.filter(account_id=account.id).count() == last


# Who may, and nonsense


def test_shows_nothing_of_other_programmes(shop: Client, stranger: Client, alice: Customer) -> None:
    post(shop, "points/award", 1)
    [event] = events(shop)
    assert events(stranger) == []
    refused(stranger.get(f"events/{event['id']}"), 404, "event_not_found")
    refused(stranger.get("events", starting_after=event["id"]), 400, "parameter_invalid", "starting_after")
    refused(stranger.get("events", customer_id=named(alice)), 404, "customer_not_found")


@pytest.mark.parametrize("scopes", [[Scope.POINTS_READ], [Scope.LOYALTY_READ]])
def test_needs_both_scopes(program: Program, scopes: list[Scope]) -> None:
    client = Client(program, scopes=scopes)
    missing = {Scope.POINTS_READ, Scope.LOYALTY_READ} - set(scopes)
    for path in ("events", "events/evt_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"):
        assert refused(client.get(path), 403, "forbidden") == {"required_permissions": [str(*missing)]}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"type": "points.stolen"}, "type"),
        ({"type": "points\0earned"}, "type"),
        ({"since_sequence": 0}, "since_sequence"),
        ({"definition": "points"}, "definition"),
        ({"customer_id": "customer-77", "since_sequence": "-1"}, "since_sequence"),
        ({"customer_id": "customer-77", "since_sequence": "9" * 40}, "since_sequence"),
        ({"customer_id": "customer-77", "since_sequence": "one"}, "since_sequence"),
        ({"customer_id": "customer-77", "definition": "none"}, "definition"),
        ({"limit": "0"}, "limit"),
        ({"starting_after": "evt_1"}, "starting_after"),
        ({"starting_after": "evt_" + "0" * 32, "ending_before": "evt_" + "0" * 32}, "ending_before"),
    ],
)
def test_refuses_nonsense(shop: Client, alice: Customer, query: dict[str, Any], param: str) -> None:
    code = "malformed" if "\0" in str(query.values()) else "parameter_invalid"
    answer = shop.get("events", **query)
    assert answer.status_code == 400, answer.content
    assert (code, answer.json()["error"]["param"]) in ((code, param), ("malformed", None))


@pytest.mark.parametrize("event_id", ["evt_1", "evt_" + "0" * 32, "evt_" + "f" * 33, "%00", "points", "-1"])
def test_does_not_find_what_is_not_there(shop: Client, event_id: str) -> None:
    refused(shop.get(f"events/{event_id}"), 404, "event_not_found")
