"""`manage.py import_purchases`: each test writes a file and imports it into a programme of its own."""

import csv
import datetime
import io
import math
import secrets
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from cards import enrolment
from cards.models import Card, Customer
from loyalty.models import IdempotencyRecord, Program
from points import definitions, purchase_files, purchases
from points.models import PointAccount, PointLot, PointTransaction

SAMPLE = Path(purchases.__file__).parent / "data" / "CDNOW_sample.txt"
ALICE_AND_BOB = """\
customer,date,amount,order
alice,2026-02-01,10.25,A-1
bob,2026-01-15,30.00,B-1
alice,2026-01-10,5.00,A-2
"""
# Twice the amount, rounded down: of 10.25 and of 5.00, and of 30.00.
ALICE, BOB = 20 + 10, 60


@pytest.fixture
def program() -> Program:
    return definitions.create_program(slug=f"shop-{secrets.token_hex(6)}", timezone="Europe/Vilnius")


class Shop:
    """Imports files into a programme, and reads back what is in the database."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program = program
        self.file = folder / "purchases.csv"
        self.rejects = folder / "bad.csv"
        self.warning = ""

    def run(self, content: str | bytes | Path, *, rate: str = "2", **options: Any) -> dict[str, str]:
        """Answers what the command reports."""
        if isinstance(content, str):
            self.file.write_text(content)
        elif isinstance(content, bytes):
            self.file.write_bytes(content)
        out, err = io.StringIO(), io.StringIO()
        call_command(
            "import_purchases",
            str(content if isinstance(content, Path) else self.file),
            programme=self.program.slug,
            rate=rate,
            rejects=self.rejects,
            stdout=out,
            stderr=err,
            **options,
        )
        self.warning = err.getvalue()
        return {line[:15].strip(): line[16:] for line in out.getvalue().splitlines()}

    def bad(self) -> list[tuple[int, str, str]]:
        with open(self.rejects, newline="", errors="surrogateescape") as file:
            head, *rows = csv.reader(file)
        assert head == ["line", "reason", "row"]
        return [(int(line), reason, row) for line, reason, row in rows]

    def entries(self, customer: str | None = None) -> list[PointTransaction]:
        entries = PointTransaction.objects.filter(program=self.program).order_by("account_id", "version")
        return list(entries.filter(account__customer__external_id=customer) if customer else entries)

    def balances(self) -> dict[str | None, Decimal]:
        accounts = PointAccount.objects.filter(program=self.program)
        return dict(accounts.values_list("customer__external_id", "balance"))

    def awarded(self) -> Decimal:
        return sum(PointLot.objects.filter(program=self.program).values_list("points", flat=True), Decimal(0))


@pytest.fixture
def shop(program: Program, tmp_path: Path) -> Shop:
    return Shop(program, tmp_path)


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def in_thread(work: Callable[[], object]) -> None:
    """Every thread has a connection of its own."""
    try:
        work()
    finally:
        connection.close()


def many_rows() -> str:
    """2,400 purchases of 90 customers: more than two batches."""
    rows = [f"c{n % 90},2026-01-{n % 28 + 1:02},{n}.50" for n in range(2_400)]
    return "\n".join(["customer,date,amount", *rows])


# What becomes of rows


def test_awards_the_points_of_each_purchase(shop):
    report = shop.run(ALICE_AND_BOB)
    assert shop.balances() == {"alice": ALICE, "bob": BOB}
    assert report.pop("Seconds")
    assert report == {
        "Rows": "3",
        "Posted": "3",
        "Replayed": "0",
        "Earned nothing": "0",
        "Bad": "0",
        "Customers": "2 (2 new)",
        "Points": "90",
    }
    assert not shop.rejects.exists()
    assert shop.warning == ""


def test_posts_in_the_order_of_the_dates_with_their_moments_as_the_clock(shop):
    shop.run(ALICE_AND_BOB)
    first, second = shop.entries("alice")
    # The second row of the file is the earlier purchase. Vilnius is two hours ahead of UTC in winter.
    assert (first.points, first.effective_at) == (10, at("2026-01-09T22:00Z"))
    assert (second.points, second.effective_at) == (20, at("2026-01-31T22:00Z"))
    assert second.transaction_date == second.effective_at
    assert second.created_at > timezone.now() - datetime.timedelta(minutes=5)


def test_expires_what_had_expired_before_the_next_purchase(shop):
    shop.run("customer,date,amount\nalice,2024-01-10,5.00\nalice,2025-02-01,10.00\n")
    # The points last 12 months, and local midnight of 10 January 2025 is 22:00 UTC of the day before.
    assert [(e.type, e.points, e.effective_at) for e in shop.entries("alice")] == [
        ("award", 10, at("2024-01-09T22:00Z")),
        ("expire", -10, at("2025-01-09T22:00Z")),
        ("award", 20, at("2025-01-31T22:00Z")),
    ]


def test_remembers_what_was_bought(shop):
    shop.run("customer,date,amount,items,order\nalice,2026-02-01,10.25,3,A-1\nbob,2026-02-01,1,,\n")
    [entry] = shop.entries("alice")
    assert (entry.reason, entry.actor, entry.reference) == ("Purchase", "import", "A-1")
    assert entry.metadata == {"amount": "10.25", "items": 3}
    assert entry.card.customer.external_id == "alice"
    [entry] = shop.entries("bob")
    assert (entry.reference, entry.metadata) == (None, {"amount": "1"})


@pytest.mark.parametrize(
    ("amount", "rate", "places", "points"),
    [
        ("0.29", "100", 0, "29"),  # 28.999999999999996 in floating point
        ("12.99", "2", 0, "25"),  # 25.98
        ("12.55", "0.5", 2, "6.27"),  # 6.275
        ("1000000000.99", "999.999999", 2, "999999999989.99"),  # 999999999989.99999901
    ],
)
def test_rounds_down_to_the_decimals_of_the_definition(shop, amount, rate, places, points):
    definitions.create_definition(program=shop.program, code="other", name="Other", decimal_places=places)
    shop.run(f"customer,date,amount\nalice,2026-02-01,{amount}\n", rate=rate, definition="other")
    [entry] = shop.entries("alice")
    assert entry.points == Decimal(points)


def test_makes_customer_and_card_of_a_row_that_earns_nothing(shop):
    report = shop.run("customer,date,amount\nalice,2026-02-01,0.00\nalice,2026-02-01,0.49\nbob,2026-02-01,0.50\n")
    assert (report["Earned nothing"], report["Posted"], report["Bad"]) == ("2", "1", "0")
    assert Card.objects.get(customer__external_id="alice", program=shop.program).status == "active"
    assert shop.balances() == {"bob": 1}


def test_posts_rows_that_repeat_each_other_exactly(shop):
    report = shop.run("customer,date,amount\nalice,2026-02-01,5.00\nalice,2026-02-01,5.00\n")
    assert report["Posted"] == "2"
    assert shop.balances() == {"alice": 10 + 10}


# Doing it again


def test_posts_nothing_the_second_time(shop):
    shop.run(ALICE_AND_BOB)
    report = shop.run(ALICE_AND_BOB)
    assert (report["Posted"], report["Replayed"], report["Points"]) == ("0", "3", "0")
    assert report["Customers"] == "2 (0 new)"
    assert shop.balances() == {"alice": ALICE, "bob": BOB}


def test_knows_its_rows_by_the_entries_alone(shop):
    """Answers under idempotency keys are purged after a while; they are not what a repetition hangs on."""
    shop.run(ALICE_AND_BOB)
    assert not IdempotencyRecord.objects.filter(owner_id__in=PointAccount.objects.filter(program=shop.program)).exists()


def test_posts_what_the_file_has_gained(shop):
    shop.run(ALICE_AND_BOB)
    report = shop.run(ALICE_AND_BOB + "alice,2026-01-20,1.00,A-3\n")
    assert (report["Posted"], report["Replayed"]) == ("1", "3")
    assert shop.balances() == {"alice": ALICE + 2, "bob": BOB}


def test_posts_a_row_that_was_corrected(shop):
    shop.run(ALICE_AND_BOB.replace("10.25", "ten"))
    assert [line for line, _, _ in shop.bad()] == [2]
    assert shop.balances() == {"alice": ALICE - 20, "bob": BOB}
    report = shop.run(ALICE_AND_BOB)
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("1", "2", "0")
    assert shop.bad() == []
    assert shop.balances() == {"alice": ALICE, "bob": BOB}


def test_goes_on_where_an_interrupted_run_stopped(shop, program):
    class Killed(Exception):
        pass

    def stop(rows: int) -> None:
        if rows:
            raise Killed

    shop.file.write_text(many_rows())
    found = purchase_files.read(shop.file, zone=ZoneInfo(program.timezone), now=timezone.now())
    with pytest.raises(Killed):
        purchases.replay(
            program=program,
            definition=definitions.find(program, None),
            purchases=found.purchases,
            rate=Decimal(2),
            on_progress=stop,
        )
    assert len([entry for entry in shop.entries() if entry.type == "award"]) == 1_000
    report = shop.run(shop.file)
    assert (report["Posted"], report["Replayed"]) == ("1,400", "1,000")
    assert shop.awarded() == sum(2 * n + 1 for n in range(2_400))


def test_posts_once_when_two_run_at_once(shop):
    shop.file.write_text(many_rows())
    barrier = threading.Barrier(2)
    reports: list[dict[str, str]] = []

    def work() -> None:
        barrier.wait()
        reports.append(shop.run(shop.file))

    threads = [threading.Thread(target=in_thread, args=[work]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = [(int(r["Posted"].replace(",", "")), int(r["Replayed"].replace(",", ""))) for r in reports]
    assert [posted + replayed for posted, replayed in counts] == [2_400, 2_400]
    assert sum(posted for posted, _ in counts) == 2_400
    assert shop.awarded() == sum(2 * n + 1 for n in range(2_400))
    assert Customer.objects.filter(program=shop.program).count() == 90
    assert Card.objects.filter(program=shop.program).count() == 90


def test_posts_nothing_for_a_customer_whose_rows_have_moved(shop):
    """Otherwise the last row, which has a new number now, would be posted a second time."""
    shop.run(ALICE_AND_BOB)
    moved = ALICE_AND_BOB.replace("alice,", "alice,2026-01-01,7.00,A-0\nalice,", 1) + "bob,2026-02-02,1.00,B-2\n"
    report = shop.run(moved)
    assert shop.bad() == [
        (
            2,
            "Row 1 of this customer was imported before, with another date or other points.",
            "alice,2026-01-01,7.00,A-0",
        ),
        (
            3,
            "Row 2 of this customer was imported before, with another date or other points.",
            "alice,2026-02-01,10.25,A-1",
        ),
        (5, "Another row of this customer differs from what was imported before.", "alice,2026-01-10,5.00,A-2"),
    ]
    assert (report["Posted"], report["Replayed"], report["Bad"]) == ("1", "1", "3")
    assert shop.balances() == {"alice": ALICE, "bob": BOB + 2}


def test_refuses_another_rate_for_the_same_rows(shop):
    shop.run(ALICE_AND_BOB)
    assert shop.run(ALICE_AND_BOB, rate="3")["Bad"] == "3"
    assert shop.balances() == {"alice": ALICE, "bob": BOB}


def test_posts_the_rows_of_another_source(shop):
    shop.run(ALICE_AND_BOB)
    assert shop.run(ALICE_AND_BOB, source="shop-2")["Posted"] == "3"
    assert shop.run(ALICE_AND_BOB, source="shop-2")["Replayed"] == "3"
    assert shop.balances() == {"alice": 2 * ALICE, "bob": 2 * BOB}


# Bad rows


LONG = "x" * 101


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("alice,2026-02-30,5.00", "There is no such date: day is out of range for month."),
        ("alice,yesterday,5.00", "The date is neither YYYYMMDD nor ISO 8601."),
        ("alice,202602011230,5.00", "The date is neither YYYYMMDD nor ISO 8601."),
        ("alice,,5.00", "The date is neither YYYYMMDD nor ISO 8601."),
        ("alice,0197-02-01,5.00", "The year is not between 1900 and 9998."),
        ("alice,9999-12-31T23:00-05:00,5.00", "The year is not between 1900 and 9998."),
        ("alice,2126-02-01,5.00", "The date is in the future."),
        ("alice,2026-02-01,five", "The amount is not a number such as 12.50."),
        ("alice,2026-02-01,", "The amount is not a number such as 12.50."),
        ("alice,2026-02-01,NaN", "The amount is not a number such as 12.50."),
        ("alice,2026-02-01,1e3", "The amount is not a number such as 12.50."),
        ("alice,2026-02-01,\u0665", "The amount is not a number such as 12.50."),
        ("alice,2026-02-01,-5.00", "The amount is negative: returns are not imported."),
        ("alice,2026-02-01,12345678901234.56", "The amount has more than 15 digits."),
        ("alice,2026-02-01,999999999999999", "These points have at most 15 digits"),
        (",2026-02-01,5.00", "The customer is missing."),
        (f"{LONG},2026-02-01,5.00", "The customer has more than 100 characters."),
        ("alice,2026-02-01", "The row has 2 columns, the first line 3."),
        ("alice,2026-02-01,5,00", "The row has 4 columns, the first line 3."),
        ("al\0ice,2026-02-01,5.00", "The line holds a NUL character."),
        ('"alice,2026-02-01,5.00', "The line is not CSV: unexpected end of data."),
        ("alice,2026-02-01,5." + "0" * 20_000, "The line has more than 10,000 characters."),
    ],
)
def test_lists_a_bad_row_and_imports_the_others(shop, row, reason):
    report = shop.run(f"customer,date,amount\nbob,2026-02-01,1.00\n{row}\ncarol,2026-02-01,3.00\n")
    [(line, told, raw)] = shop.bad()
    assert (line, told, raw) == (3, told, row[:10_001])
    assert told.startswith(reason)
    assert (report["Rows"], report["Posted"], report["Bad"]) == ("3", "2", "1")
    assert str(shop.rejects) in shop.warning
    assert shop.awarded() == 2 + 6


def test_lists_a_row_that_is_not_utf_8_byte_for_byte(shop):
    report = shop.run(b"customer,date,amount\nJos\xe9,2026-02-01,1.00\nJos\xc3\xa9,2026-02-01,2.00\n")
    assert b'2,The line is not UTF-8.,"Jos\xe9,2026-02-01,1.00"\r\n' in shop.rejects.read_bytes()
    assert (report["Posted"], report["Bad"]) == ("1", "1")
    assert shop.balances() == {"José": 4}


def test_lists_what_the_ledger_refuses(shop):
    shop.run(ALICE_AND_BOB)
    Card.objects.filter(program=shop.program, customer__external_id="bob").update(status=Card.Status.BLOCKED)
    shop.run(ALICE_AND_BOB + "bob,2026-02-02,1.00,B-2\nalice,2026-02-02,1.00,A-3\n")
    assert shop.bad() == [(5, "The card is blocked.", "bob,2026-02-02,1.00,B-2")]
    assert shop.balances() == {"alice": ALICE + 2, "bob": BOB}
    assert Card.objects.filter(program=shop.program).count() == 2


def test_empties_the_list_of_an_earlier_run(shop):
    shop.run(ALICE_AND_BOB.replace("30.00", "?"))
    assert len(shop.bad()) == 1
    shop.run(ALICE_AND_BOB)
    assert shop.bad() == []


def test_posts_nothing_where_the_list_cannot_be_written(shop):
    shop.rejects = shop.file.parent / "missing" / "bad.csv"
    with pytest.raises(CommandError, match="cannot be written"):
        shop.run(ALICE_AND_BOB + "carol\n")
    assert shop.entries() == []


# Customers and cards


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


# Files


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffcustomer,date,amount\nalice,2026-01-10,5.00\n",
        "Customer ID;Purchase-Date;Total\r\n alice ; 20260110 ; 5.00 \r\n",
        '"amount"\t"customer"\t"note"\t"date"\n5.00\talice\t"He said ""hi"""\t2026-01-10\n',
        "customer|date|amount\n\n   \nalice|2026-01-10|5\n\n",
        "customer,date,amount\nalice,2026-01-10,+000000000000005.00\n",
        "customer,customer_id,date,amount\nAlice Liddell,alice,2026-01-10,5.\n",
        " customer_id  date number_of_cds  dollar_value\r\n alice 20260110  1   5.00\r\n",
    ],
    ids=[
        "byte order mark",
        "semicolons",
        "tabs and quotes",
        "blank lines",
        "leading zeros",
        "two columns for one",
        "spaces",
    ],
)
def test_finds_the_columns_by_their_names(shop, content):
    report = shop.run(content.encode())
    assert (report["Posted"], report["Bad"]) == ("1", "0")
    assert shop.balances() == {"alice": 10}


def test_reads_cdnow_without_a_header(shop):
    # Customer, date, CDs, amount; in the sample the customer has two ids.
    shop.run(" 00001 19970101  1   11.77\n", source="master")
    shop.run(" 00001 0001 19970101  2   29.33\n", source="sample")
    first, second = shop.entries("00001")
    assert (first.points, first.metadata) == (23, {"amount": "11.77", "items": 1})
    assert (second.points, second.metadata) == (58, {"amount": "29.33", "items": 2})


def test_imports_the_sample_to_the_point(shop):
    rows = [line.split() for line in SAMPLE.read_text().splitlines()]
    earned = [math.floor(Decimal(row[4]) * 2) for row in rows]
    report = shop.run(SAMPLE)
    assert report["Rows"] == f"{len(rows):,}" == "6,919"
    assert report["Posted"] == f"{sum(points > 0 for points in earned):,}" == "6,911"
    assert report["Earned nothing"] == f"{sum(points == 0 for points in earned)}" == "8"
    assert report["Customers"] == "2,357 (2,357 new)"
    assert report["Points"] == f"{sum(earned):,}" == "483,315"
    assert report["Bad"] == "0"
    assert shop.awarded() == sum(earned)
    left = PointLot.objects.filter(program=shop.program).values_list("remaining", flat=True)
    assert sum(left) == sum(shop.balances().values())


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-07-01", "2026-06-30T21:00Z"),  # Vilnius: +03:00 in summer
        ("20260110", "2026-01-09T22:00Z"),  # +02:00 in winter
        ("2026-01-10T12:30:15.5", "2026-01-10T10:30:15.5Z"),
        ("2026-01-10 12:30", "2026-01-10T10:30Z"),
        ("2026-01-10T12:30Z", "2026-01-10T12:30Z"),
        ("2026-01-10T12:30-05:00", "2026-01-10T17:30Z"),
        ("2026-03-29T03:30", "2026-03-29T01:30Z"),  # does not exist: 04:30 summer time
        ("2025-10-26T03:30", "2025-10-26T00:30Z"),  # exists twice: the first, in summer time
    ],
)
def test_reads_dates_in_the_programmes_time_zone(shop, written, moment):
    shop.run(f"customer,date,amount\nalice,{written},5.00\n")
    [entry] = shop.entries("alice")
    assert entry.effective_at == entry.transaction_date == at(moment)


def test_shifts_all_dates_by_the_same_number_of_days(shop):
    # From 15 January to 20 July 2026 there are 186 days; the time of day stays, in summer time too.
    shop.run(ALICE_AND_BOB.replace("bob,2026-01-15", "bob,2026-02-01T09:00"), shift_to="2026-07-20")
    assert [entry.effective_at for entry in shop.entries("bob")] == [at("2026-07-20T06:00Z")]
    # 1 February and 10 January are 0 and 22 days before the last one.
    assert [e.effective_at for e in shop.entries("alice")] == [at("2026-06-27T21:00Z"), at("2026-07-19T21:00Z")]


def test_does_not_shift_into_the_future(shop):
    with time_machine.travel("2026-07-20T12:00Z", tick=False):
        shop.run(
            "customer,date,amount\nalice,2026-01-10T23:00,5.00\nbob,2026-01-10T15:00,5.00\n", shift_to="2026-07-20"
        )
    assert [(line, reason) for line, reason, _ in shop.bad()] == [(2, "The date is in the future.")]
    assert shop.balances() == {"bob": 10}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "The file is empty."),
        ("customer,date\nalice,2026-01-10\n", "The header has no column amount or total"),
        ("alice,2026-01-10,5.00\n", "The header has no column customer_id or customer"),
        ("customer,date,amount,date\nalice,2026-01-10,5.00,2026-01-11\n", "The header names date twice."),
        ("1 20260110 5.00\n", "need a header"),
        (b"\xff\xfec\0u\0s\0", "The header cannot be read"),
        ("customer,date,amount\n" + "alice,2026-01-10,5.00\n" * 3, "more than 3 rows"),
    ],
)
def test_refuses_a_file_that_makes_no_sense(shop, monkeypatch, content, message):
    monkeypatch.setattr(purchase_files, "MAX_ROWS", 3)
    with pytest.raises(CommandError, match=message):
        shop.run(content)
    assert not Customer.objects.filter(program=shop.program).exists()


def test_refuses_a_file_that_is_not_there(shop, tmp_path):
    with pytest.raises(CommandError, match="cannot be read: No such file or directory"):
        shop.run(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": "0"}, "a number above zero"),
        ({"rate": "-1"}, "a number above zero"),
        ({"rate": "NaN"}, "a number above zero"),
        ({"source": "no spaces"}, "letters, digits"),
        ({"shift_to": "yesterday"}, "a date such as"),
        ({"shift_to": "0001-01-01"}, "a date from 1900 on"),
        ({"definition": "miles"}, "no such definition"),
    ],
)
def test_refuses_options_that_make_no_sense(shop, options, message):
    with pytest.raises(CommandError, match=message):
        shop.run(ALICE_AND_BOB, **options)
    assert shop.entries() == []


def test_refuses_a_programme_that_is_not_there(shop):
    shop.program = Program(slug="nowhere")
    with pytest.raises(CommandError, match="there is no programme nowhere"):
        shop.run(ALICE_AND_BOB)


def test_does_not_overwrite_the_file_of_purchases(shop):
    shop.rejects = shop.file
    with pytest.raises(CommandError, match="names the file of purchases itself"):
        shop.run(ALICE_AND_BOB)
    assert shop.file.read_text() == ALICE_AND_BOB


def test_shows_no_progress_bar_where_nobody_looks(shop, capsys):
    shop.run(ALICE_AND_BOB)
    assert capsys.readouterr().err == ""
