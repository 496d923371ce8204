"""Rows that are not posted are listed."""

import pytest
from django.core.management import CommandError

from cards.models import Card
from tests.points.importing.shop import ALICE, ALICE_AND_BOB, BOB

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
