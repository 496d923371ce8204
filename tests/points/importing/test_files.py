"""What a file may look like."""

import math
from decimal import Decimal

import pytest
import time_machine
from django.core.management import CommandError

from cards.models import Customer
from points import purchase_files
from points.models import PointLot
from tests.points.importing.shop import ALICE_AND_BOB, SAMPLE, at


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
