"""Files of each kind, as CSV and as a workbook: checked first, then imported, and again."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from cards.models import Card, Customer
from exchange import imports
from exchange.models import Import, ImportChunk
from points.models import PointDefinition, PointLot, PointTransaction
from rewards import persons
from rewards.models import Reward
from tests.exchange.shop import Shop, contents, counts, workbook
from tests.factories import CardFactory, CustomerFactory

CUSTOMERS = [
    ["external_id", "E-mail", "name", "phone", "locale", "metadata"],
    ["alice", "alice@example.com", "Alice", "+370 600 11111", "lt", '{"vip": true}'],
    ["bob", "", "Bob", "", "", ""],
]
CARDS = [
    ["number", "external_id", "status", "expires_at"],
    ["LC000000000001", "alice", "", "2100-01-31"],
    ["LC000000000002", "bob", "blocked", ""],
]
BALANCES = [
    ["external_id", "points", "earned_at", "expires_at"],
    ["alice", "100", "2026-06-01", ""],
    ["alice", "50", "2026-05-01", "2100-01-01"],
    ["bob", "7", "2026-06-01", ""],
]
PURCHASES = [
    ["customer", "date", "amount", "order"],
    ["alice", "2026-02-01", "10.25", "A-1"],
    ["bob", "2026-01-15", "30.00", "B-1"],
    ["alice", "2026-01-10", "5.00", "A-2"],
]
REWARDS = [
    ["name", "points_cost", "stock", "discount_amount", "active"],
    ["A coffee", "200", "7", "", "yes"],
    ["Money off", "500", "", "5.50", "no"],
]
FILES = {"customers": CUSTOMERS, "cards": CARDS, "opening_balances": BALANCES, "purchases": PURCHASES}
FILES["rewards"] = REWARDS


def csv(rows: list[list[str]]) -> str:
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in rows]
    return "\r\n".join(",".join(row) for row in quoted) + "\r\n"


def people(shop: Shop) -> None:
    CustomerFactory(program=shop.program, external_id="alice")
    CustomerFactory(program=shop.program, external_id="bob")


@pytest.fixture(params=["csv", "xlsx"])
def form(request: pytest.FixtureRequest) -> str:
    return request.param


def file(rows: list[list[str]], form: str) -> dict[str, Any]:
    if form == "csv":
        return {"content": csv(rows)}
    return {"content": workbook(rows), "name": "file.xlsx"}


def test_makes_customers(shop: Shop, form: str) -> None:
    upload = shop.bring("customers", **file(CUSTOMERS, form))

    assert (upload.state, counts(upload)) == ("done", (2, 0, 0, 0))
    alice = Customer.objects.get(program=shop.program, external_id="alice")
    assert (alice.email, alice.name, alice.phone) == ("alice@example.com", "Alice", "+370 600 11111")
    assert (alice.locale, alice.metadata) == ("lt", {"vip": True})
    assert Customer.objects.get(program=shop.program, external_id="bob").email is None
    assert not ImportChunk.objects.filter(of=upload).exists()


def test_makes_cards(shop: Shop, form: str) -> None:
    people(shop)

    upload = shop.bring("cards", **file(CARDS, form))

    assert counts(upload) == (2, 0, 0, 0)
    one, two = Card.objects.filter(program=shop.program).order_by("number")
    assert (one.customer.external_id, one.status) == ("alice", "active")
    assert one.expires_at == datetime.datetime.fromisoformat("2100-01-31T00:00+02:00")
    assert (two.customer.external_id, two.status) == ("bob", "blocked")


def test_posts_opening_balances_as_lots_with_their_dates(shop: Shop, form: str) -> None:
    people(shop)

    upload = shop.bring("opening_balances", **file(BALANCES, form))

    assert counts(upload) == (3, 0, 0, 0)
    assert shop.balances() == {"alice": 100 + 50, "bob": 7}
    lots = PointLot.objects.filter(program=shop.program, account__customer__external_id="alice")
    earlier, later = lots.order_by("version")
    assert (earlier.points, earlier.expires_at) == (50, datetime.datetime.fromisoformat("2100-01-01T00:00+02:00"))
    assert (later.points, later.expires_at) == (100, datetime.datetime.fromisoformat("2027-06-01T00:00+03:00"))
    entry = PointTransaction.objects.get(pk=later.entry_id)
    assert (entry.reason, entry.actor) == ("Opening balance", "import")
    assert entry.effective_at == datetime.datetime.fromisoformat("2026-06-01T00:00+03:00")


def test_awards_purchases(shop: Shop, form: str) -> None:
    upload = shop.bring("purchases", rate=Decimal(2), **file(PURCHASES, form))

    assert counts(upload) == (3, 0, 0, 0)
    assert shop.balances() == {"alice": 20 + 10, "bob": 60}


def test_makes_rewards(shop: Shop, form: str) -> None:
    upload = shop.bring("rewards", **file(REWARDS, form))

    assert counts(upload) == (2, 0, 0, 0)
    coffee, money = Reward.objects.filter(program=shop.program).order_by("name")
    assert (coffee.points_cost, coffee.stock, coffee.is_active, coffee.currency) == (200, 7, True, "EUR")
    assert (money.discount_amount, money.stock, money.is_active) == (Decimal("5.50"), None, False)


def test_knows_a_reward_by_its_name_in_the_letters_of_any_language(shop: Shop) -> None:
    names = ["\u039a\u0391\u03a6\u0395\u03a3", "\u0130\u00e7ecek", "Coffee"]
    content = csv([["name", "points_cost"], *([name, "200"] for name in names)])
    assert counts(shop.bring("rewards", content)) == (3, 0, 0, 0)
    assert counts(shop.bring("rewards", content)) == (0, 0, 3, 0)
    assert counts(shop.bring("rewards", content.replace("Coffee", "COFFEE"))) == (0, 0, 3, 0)


@pytest.mark.parametrize("email", ["\u0130brahim@example.com", "alice@\u039f\u0394\u039f\u03a3.example"])
def test_knows_a_customer_by_an_address_in_the_letters_of_any_language(shop: Shop, email: str) -> None:
    content = csv([["email", "name"], [email, "Alice"]])
    assert counts(shop.bring("customers", content)) == (1, 0, 0, 0)
    assert counts(shop.bring("customers", content)) == (0, 0, 1, 0)
    assert counts(shop.bring("opening_balances", csv([["email", "points"], [email, "20"]]))) == (1, 0, 0, 0)


@pytest.mark.parametrize("kind", list(FILES))
def test_writes_nothing_while_it_is_checked(shop: Shop, kind: str) -> None:
    if kind in ("cards", "opening_balances"):
        people(shop)
    before = contents()

    upload = shop.check(kind, csv(FILES[kind]))

    assert (upload.state, upload.added_count) == ("checked", len(FILES[kind]) - 1)
    assert contents() == before


@pytest.mark.parametrize("kind", list(FILES))
def test_brings_in_nothing_twice(shop: Shop, kind: str) -> None:
    if kind in ("cards", "opening_balances"):
        people(shop)
    first = shop.bring(kind, csv(FILES[kind]))
    before = contents()

    again = shop.bring(kind, csv(FILES[kind]))

    assert again.known_count == first.added_count == len(FILES[kind]) - 1
    assert counts(again)[0] == counts(again)[3] == 0
    assert contents() == before


def test_leaves_customers_who_are_there_or_changes_them(shop: Shop) -> None:
    CustomerFactory(program=shop.program, external_id="alice", name="Somebody", email="old@example.com")

    left = shop.bring("customers", csv(CUSTOMERS[:2]))
    assert counts(left) == (0, 0, 1, 0)
    assert Customer.objects.get(program=shop.program).name == "Somebody"

    changed = shop.bring("customers", csv(CUSTOMERS[:2]), changes_existing=True)
    assert counts(changed) == (0, 1, 0, 0)
    alice = Customer.objects.get(program=shop.program)
    assert (alice.name, alice.email) == ("Alice", "alice@example.com")
    assert counts(shop.bring("customers", csv(CUSTOMERS[:2]), changes_existing=True)) == (0, 0, 1, 0)


def test_imports_the_other_rows_where_some_have_faults(shop: Shop) -> None:
    upload = shop.bring("customers", "external_id,email\nalice,a@example.com\n,nothing\nbob,\n")

    assert (upload.state, counts(upload)) == ("done", (2, 0, 0, 1))
    assert shop.faults(upload) == [(3, "email", "It is not an e-mail address.")]


def test_imports_nothing_of_a_file_with_faults_that_is_to_be_whole(shop: Shop) -> None:
    upload = shop.check("customers", "external_id,email\nalice,\nbob,nothing\n", is_whole=True)

    with pytest.raises(imports.HasFaults):
        imports.confirm(upload=upload, by="staff:mary", at=timezone.now())
    assert Import.objects.get(pk=upload.pk).state == "checked"
    assert not Customer.objects.filter(program=shop.program).exists()


def test_stops_a_whole_import_at_a_fault_that_was_not_there_before(shop: Shop) -> None:
    upload = shop.check("customers", "external_id,email\nalice,alice@example.com\n", is_whole=True)
    CustomerFactory(program=shop.program, external_id="another", email="Alice@Example.com")

    upload = shop.confirm(upload)

    assert upload.state == "failed"
    assert upload.failure.startswith("Row 2: Another customer has this e-mail address. What came before it, 0 rows")
    assert not Customer.objects.filter(program=shop.program, external_id="alice").exists()


def test_does_nothing_once_it_is_cancelled(shop: Shop) -> None:
    upload = shop.check("customers", csv(CUSTOMERS))
    imports.confirm(upload=upload, by="staff:mary", at=timezone.now())
    imports.cancel(upload=upload, by="staff:adam", at=timezone.now())

    upload = shop.work(upload)

    assert (upload.state, upload.cancelled_by) == ("cancelled", "staff:adam")
    assert not ImportChunk.objects.filter(of=upload).exists()
    assert not Customer.objects.filter(program=shop.program).exists()
    for deed in (imports.cancel, imports.confirm):
        with pytest.raises((imports.Ended, imports.NotChecked)):
            deed(upload=upload, by="staff:mary", at=timezone.now())


def test_does_not_post_the_rows_of_a_customer_whose_rows_have_moved(shop: Shop) -> None:
    people(shop)
    shop.bring("opening_balances", csv(BALANCES))

    moved = shop.bring("opening_balances", csv([BALANCES[0], ["alice", "9", "2026-04-01", ""], *BALANCES[1:]]))

    assert counts(moved) == (0, 0, 1, 3)
    assert shop.balances() == {"alice": 100 + 50, "bob": 7}


def test_tells_files_of_balances_apart_by_their_source(shop: Shop) -> None:
    people(shop)
    shop.bring("opening_balances", csv(BALANCES))

    shop.bring("opening_balances", csv(BALANCES), source="another-system")

    assert shop.balances() == {"alice": 2 * (100 + 50), "bob": 2 * 7}


def test_takes_the_definition_of_the_row_or_of_the_import(shop: Shop) -> None:
    people(shop)
    miles = PointDefinition.objects.create(
        program=shop.program, number=2, code="miles", name="Miles", decimal_places=1, expiry_policy="none"
    )

    shop.bring("opening_balances", "external_id,points,definition\nalice,1.5,\nbob,2,points\n", definition=miles)

    found = PointTransaction.objects.filter(program=shop.program).values_list(
        "account__definition__code", "points", "expires_at"
    )
    (kind, points, ends_at), (other, whole, _) = sorted(found)
    assert (kind, points, ends_at, other, whole) == ("miles", Decimal("1.5"), None, "points", 2)


def test_reads_columns_by_their_names_and_ignores_others(shop: Shop) -> None:
    upload = shop.bring("customers", "\ufeffShoe size;Customer External-ID\n43;alice\n")

    assert (upload.columns_read, upload.columns_ignored) == (["external_id"], ["shoe_size"])
    assert counts(upload) == (1, 0, 0, 0)


def test_lets_go_of_files_that_nobody_confirmed_and_of_old_faults(shop: Shop) -> None:
    content = "external_id,email\nalice,\nbob,nothing\n"
    forgotten, young, ended = (
        shop.check("customers", content),
        shop.check("customers", content),
        shop.bring("customers", content),
    )
    now = timezone.now()
    old = now - datetime.timedelta(days=15)
    Import.objects.filter(pk=forgotten.pk).update(created_at=old)
    Import.objects.filter(pk=ended.pk).update(created_at=old, ended_at=old)

    imports.purge(before=now - datetime.timedelta(days=14))

    assert Import.objects.get(pk=forgotten.pk).state == "cancelled"
    assert not ImportChunk.objects.filter(of=forgotten).exists()
    assert Import.objects.get(pk=young.pk).state == "checked"
    assert ImportChunk.objects.filter(of=young).exists()
    assert shop.faults(ended) == []
    assert len(shop.faults(young)) == 1


def test_gives_a_card_to_those_who_have_none(shop: Shop) -> None:
    people(shop)

    for added, known in ((2, 0), (0, 2)):
        upload = shop.bring("cards", "external_id\nalice\nbob\n")
        assert counts(upload) == (added, 0, known, 0)
    assert Card.objects.filter(program=shop.program).count() == 2


def test_finds_customers_by_card_and_by_address(shop: Shop) -> None:
    alice = CustomerFactory(program=shop.program, external_id="alice", email="Alice@example.com")
    card = CardFactory(customer=alice)

    shop.bring("opening_balances", f"card_number,email,points\n{card.number},,5\n,alice@EXAMPLE.com,7\n")

    assert shop.balances() == {"alice": 5 + 7}


def test_posts_nothing_again_for_customers_who_were_merged_since(shop: Shop) -> None:
    people(shop)
    shop.bring("opening_balances", csv(BALANCES))
    alice, bob = (Customer.objects.get(program=shop.program, external_id=name) for name in ("alice", "bob"))
    with transaction.atomic():
        persons.merge(customer=bob, into=alice, actor="staff:mary", at=timezone.now())

    again = shop.bring("opening_balances", csv(BALANCES))

    assert counts(again) == (0, 0, 3, 0)
    assert shop.balances() == {"alice": 100 + 50 + 7, "bob": 0}
