"""What can be wrong with rows: each fault is told by row and column, the other rows are imported."""

from typing import Any

import pytest

from cards.models import Card, Customer
from exchange import people
from points.models import PointTransaction
from rewards.models import Reward
from tests.exchange.shop import Shop, counts
from tests.factories import CardFactory, CustomerFactory

TOO_LONG = "x" * 33_000


def found(shop: Shop, kind: str, content: str, **options: Any) -> list[tuple[int, str, str]]:
    """This will check a file and import it, and answer the faults: both find the same."""
    upload = shop.check(kind, content, **options)
    assert upload.state == "checked", upload.failure
    faults = shop.faults(upload)
    again = shop.confirm(upload)
    assert shop.faults(again) == faults
    assert counts(again)[3] == len({row for row, _, _ in faults})
    return faults


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a,bob@,,,", ("email", "It is not an e-mail address.")),
        (f"{'x' * 101},,,,", ("external_id", "It has more than 100 characters.")),
        (f"a,,{'x' * 201},,", ("name", "It has more than 200 characters.")),
        ("a,,,english please,", ("locale", "It is not a language such as lt.")),
        (",,Nobody,,", ("external_id", "There is neither an external_id nor an e-mail address.")),
        (f"cus_{'0' * 32},,,,", ("external_id", "It looks like an id of this service.")),
        ('a,,,,"[1]"', ("metadata", "It is not a JSON object.")),
        ('a,,,,"{""a"": NaN}"', ("metadata", "It is not JSON.")),
        ('a,,,,"{""a"": ""\\u0000""}"', ("metadata", "It is not a JSON object.")),
        ('a,,,,"{""a"": ""\\ud800""}"', ("metadata", "It is not JSON.")),
        ("a,,,," + "[" * 1_000, ("metadata", "It is not JSON.")),
        ("a,ALICE@example.com,,,", ("email", "Another customer has this e-mail address.")),
        ("first,,,,", ("external_id", "Row 2 has the same.")),
        ("a,FIRST@example.com,,,", ("email", "Row 2 has the same.")),
        ("a,,\0,,", ("", "A cell has a character that is no text, such as NUL.")),
        (f"a,,{TOO_LONG},,", ("", "A cell has more than 32,767 characters.")),
        ("a" + "," * 200 + "z", ("", "The row has more than 100 columns.")),
        ('a,"b"c,,,', ("", "The row is not CSV: a quote is missing, or a cell is too long.")),
    ],
)
def test_tells_what_is_wrong_with_a_customer(shop: Shop, row: str, fault: tuple[str, str]) -> None:
    CustomerFactory(program=shop.program, external_id="alice", email="alice@example.com")
    head = "external_id,email,name,locale,metadata"

    assert found(shop, "customers", f"{head}\nfirst,first@example.com,,,\n{row}\nlast,,,,\n") == [(3, *fault)]
    known = Customer.objects.filter(program=shop.program).values_list("external_id", flat=True)
    assert set(known) == {"alice", "first", "last"}


def test_spoils_no_rows_after_a_quote_that_is_never_closed(shop: Shop) -> None:
    upload = shop.check("customers", 'external_id,name\na,"open\n' + "b,B\n" * 50_000 + "c,C\n")

    [fault, *_] = shop.faults(upload)
    # As many as a cell could hold, and the one in which it became too long.
    lines = 1 + (131_072 - len("open\n")) // len("b,B\n") + 1
    swallowed = f"{lines:,} lines of the file are taken for this row."
    assert fault == (2, "", f"The row is not CSV: a quote is missing, or a cell is too long. {swallowed}")
    assert counts(upload)[0] == 2


def test_takes_the_rest_of_a_line_that_is_too_long_for_no_row(shop: Shop) -> None:
    fillings = ["x" * (1 << length) for length in range(20, 25)]
    for filling in [*fillings, "L" + "," * (1 << 24)]:
        line = f"{filling}smuggled,Smuggled"
        upload = shop.check("customers", f"external_id,name\na,{line}\nlast,L\n")

        assert [row for row, _, _ in shop.faults(upload)] == [2]
        assert counts(upload) == (1, 0, 0, 1)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("77,alice,,,", ("number", "It is not LC and 12 digits.")),
        ("LC000000000009,nobody,,,", ("external_id", "There is no such customer in the programme.")),
        ("LC000000000009,,,,", people.NOBODY[0]),
        ("LC000000000009,alice,lost,,", ("status", "It is none of active, inactive, blocked.")),
        ("LC000000000009,alice,,tomorrow,", ("expires_at", "The date is neither YYYYMMDD nor ISO 8601.")),
        ("LC000000000009,alice,,2026-02-30,", ("expires_at", "There is no such date: day is out of range for month.")),
        ("LC000000000009,alice,,,bob@example.com", ("external_id", "The columns name different customers.")),
        ("LC000000000001,alice,,,", ("number", "Row 2 has the same.")),
        ("LC000000000007,alice,,,", ("number", "Another customer has the card of this number.")),
    ],
)  # fmt: skip
def test_tells_what_is_wrong_with_a_card(shop: Shop, row: str, fault: tuple[str, str]) -> None:
    CustomerFactory(program=shop.program, external_id="alice")
    bob = CustomerFactory(program=shop.program, external_id="bob", email="bob@example.com")
    CardFactory(customer=bob, number="LC000000000007")
    head = "number,external_id,status,expires_at,email"

    assert found(shop, "cards", f"{head}\nLC000000000001,alice,,,\n{row}\n") == [(3, *fault)]
    assert Card.objects.filter(program=shop.program, customer__external_id="alice").count() == 1


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("alice,,,,", ("points", "It is missing.")),
        ("alice,0,,,", ("points", "It must be above zero.")),
        ("alice,-5,,,", ("points", "It is not a number such as 12.50.")),
        ('alice,"1,000",,,', ("points", "It is not a number such as 12.50.")),
        ("alice,1e3,,,", ("points", "It is not a number such as 12.50.")),
        ("alice,NaN,,,", ("points", "It is not a number such as 12.50.")),
        ("alice,1.5,,,", ("points", "These points have at most 0 decimals.")),
        ("alice,1.505,,,", ("points", "It has more than two decimals.")),
        ("alice,1234567890123456,,,", ("points", "It has more than 15 digits.")),
        ("nobody,5,,,", ("external_id", "There is no such customer in the programme.")),
        ("elsewhere,5,,,", ("external_id", "There is no such customer in the programme.")),
        (",5,,,", people.NOBODY[0]),
        ("alice,5,2100-01-01,,", ("earned_at", "It is in the future.")),
        ("alice,5,2001-01-01,,", ("earned_at", "These points have expired already.")),
        ("alice,5,2026-01-01,2026-02-01,", ("expires_at", "These points have expired already.")),
        ("alice,5,,,gold", ("definition", "The programme has no such definition.")),
        ("alice,5,,,Gold!", ("definition", "It is not the code of a definition.")),
    ],
)  # fmt: skip
def test_tells_what_is_wrong_with_an_opening_balance(
    shop: Shop, other_shop: Shop, row: str, fault: tuple[str, str]
) -> None:
    CustomerFactory(program=shop.program, external_id="alice")
    CustomerFactory(program=shop.program, external_id="bob")
    CustomerFactory(program=other_shop.program, external_id="elsewhere")
    head = "external_id,points,earned_at,expires_at,definition"

    assert found(shop, "opening_balances", f"{head}\nbob,7,,,\n{row}\n") == [(3, *fault)]
    assert shop.balances() == {"bob": 7}
    assert not PointTransaction.objects.filter(program=other_shop.program).exists()


@pytest.mark.parametrize("column", ["customer_id", "card_number"])
def test_finds_nobody_of_another_programme(shop: Shop, other_shop: Shop, column: str) -> None:
    stranger = CustomerFactory(program=other_shop.program)
    card = CardFactory(customer=stranger)
    named = f"cus_{stranger.pk.hex}" if column == "customer_id" else card.number

    faults = found(shop, "opening_balances", f"{column},points\n{named},5\n")

    assert faults == [(2, column, "There is no such customer in the programme.")]
    assert not PointTransaction.objects.filter(program__in=[shop.program, other_shop.program]).exists()


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("alice,2026-01-10,-1", ("amount", "The amount is negative: returns are not imported.")),
        ("alice,2100-01-10,1", ("purchased_at", "It is in the future.")),
        ("alice,10/01/2026,1", ("purchased_at", "The date is neither YYYYMMDD nor ISO 8601.")),
        (",2026-01-10,1", ("customer_id", "It is missing.")),
    ],
)
def test_tells_what_is_wrong_with_a_purchase(shop: Shop, row: str, fault: tuple[str, str]) -> None:
    assert found(shop, "purchases", f"customer,date,amount\n{row}\nbob,2026-01-15,30\n", rate=2) == [(2, *fault)]
    assert shop.balances() == {"bob": 60}


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",200,,,", ("name", "It is missing.")),
        ("Tea,free,,,", ("points_cost", "It is not a number such as 12.50.")),
        ("Tea,1.5,,,", ("points_cost", "These points have at most 0 decimals.")),
        ("Tea,200,5,5,", ("discount_percent", "The discount is an amount or a part, not both.")),
        ("Tea,200,,,diamond", ("min_tier", "There is no such tier.")),
        ("a COFFEE,200,,,", ("name", "Row 2 has the same.")),
    ],
)
def test_tells_what_is_wrong_with_a_reward(shop: Shop, row: str, fault: tuple[str, str]) -> None:
    head = "name,points_cost,discount_amount,discount_percent,min_tier"

    assert found(shop, "rewards", f"{head}\nA coffee,200,,,silver\n{row}\n") == [(3, *fault)]
    assert list(Reward.objects.filter(program=shop.program).values_list("name", flat=True)) == ["A coffee"]


def test_tells_all_that_is_wrong_with_a_row(shop: Shop) -> None:
    faults = found(shop, "opening_balances", "external_id,points,earned_at\n,x,y\nnobody,1,\n")

    assert [(row, column) for row, column, _ in faults] == [(2, "points"), (2, "earned_at"), (3, "external_id")]
