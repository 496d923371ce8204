"""A file that names customers: lines of ids, addresses and card numbers, and whatever else is in files."""

import datetime
import io

import pytest
from django.utils import timezone

from campaigns import lists, segments
from campaigns.conditions import Conditions
from campaigns.models import CustomerList
from cards.models import Customer
from loyalty import ids, tasks
from loyalty.models import Program
from points.models import PointDefinition
from rewards import persons
from tests.campaigns.shop import MARY
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import NOON


def upload(program: Program, content: str | bytes) -> CustomerList:
    data = content.encode() if isinstance(content, str) else content
    return lists.upload(program=program, file=io.BytesIO(data), name="people.csv", actor=MARY)


def named(listing: CustomerList) -> list[str]:
    conditions = Conditions(listing_id=listing.pk)
    found = segments.find(program=listing.program, conditions=conditions, at=NOON)
    return sorted(customer.name for customer in found.first)


def test_finds_customers_by_every_name_they_have(program: Program) -> None:
    people = {
        name: CustomerFactory(program=program, name=name, email=f"{name.lower()}@example.com", external_id=f"no-{name}")
        for name in ("Alice", "Bob", "Carol", "Dora", "Emma")
    }
    CardFactory(customer=people["Dora"], number="LC000000000777")
    listing = upload(
        program,
        f"{ids.public('cus', people['Alice'].pk)}\n{people['Emma'].pk}\nBOB@example.com\nno-Carol\nlc 000000 000777\n",
    )
    assert (listing.customers, listing.lines, listing.missing, listing.missing_lines) == (5, 5, 0, [])
    assert named(listing) == ["Alice", "Bob", "Carol", "Dora", "Emma"]


def test_tells_the_lines_that_name_nobody(program: Program, alice: Customer) -> None:
    other = Program.objects.create(slug=f"other-{alice.pk.hex[-12:]}", name="Other Shop")
    stranger = CustomerFactory(program=other, email="stranger@example.com")
    listing = upload(
        program, f"{alice.pk}\nnobody@example.com\nstranger@example.com\n{stranger.pk}\n=1+1\n'; DROP TABLE x\n"
    )
    assert (listing.customers, listing.lines, listing.missing) == (1, 6, 5)
    assert listing.missing_lines == [
        "nobody@example.com",
        "stranger@example.com",
        str(stranger.pk),
        "=1+1",
        "'; DROP TABLE x",
    ]
    assert named(listing) == ["Alice"]


def test_reads_the_first_column_of_a_table_and_each_line_once(program: Program, alice: Customer) -> None:
    listing = upload(
        program,
        f'\ufeffemail;name;city\r\n"{alice.email}";Alice;Vilnius\r\n\r\n{alice.email};again\r\n{alice.pk};again;\r\n',
    )
    assert (listing.customers, listing.lines, listing.missing) == (1, 2, 0)


def test_follows_customers_who_were_merged_before_or_since(
    program: Program, definition: PointDefinition, alice: Customer, bob: Customer
) -> None:
    carol = CustomerFactory(program=program, name="Carol")
    persons.merge(customer=alice, into=bob, actor=MARY, at=NOON)
    listing = upload(program, f"{alice.pk}\n")
    assert named(listing) == ["Bob"]
    persons.merge(customer=bob, into=carol, actor=MARY, at=NOON)
    assert named(listing) == ["Carol"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "names nobody"),
        ("\n \n,,\n", "names nobody"),
        (b"\xff\xfe\x00 garbage", "no text in UTF-8"),
        ("alice\0@example.com\n", "no text"),
        ("x\n" * 200_001, "more than 200,000 lines"),
        (b"x" * 8_000_001, "larger than 8 MB"),
        (b'"' + b"x" * 200_000, "neither lines nor CSV"),
    ],
    ids=["empty", "blank", "bytes", "nul", "lines", "bytes_many", "quoted"],
)
def test_refuses_what_is_no_list(program: Program, content: str | bytes, says: str) -> None:
    with pytest.raises(lists.BadList, match=says):
        upload(program, content)
    assert not CustomerList.objects.filter(program=program).exists()


def test_keeps_no_more_than_the_first_lines_that_name_nobody(program: Program) -> None:
    listing = upload(program, "".join(f"{n:03}{'x' * 300}\n" for n in range(300)))
    assert (listing.missing, len(listing.missing_lines), len(listing.missing_lines[0])) == (300, 200, 120)


def test_forgets_the_lines_that_name_nobody_after_a_while(program: Program, alice: Customer) -> None:
    old = upload(program, f"{alice.pk}\nnobody@example.com\n")
    new = upload(program, "somebody@example.com\n")
    CustomerList.objects.filter(pk=old.pk).update(created_at=timezone.now() - datetime.timedelta(days=31))
    assert tasks.purge.call()["lists_purged"] >= 1
    old.refresh_from_db()
    new.refresh_from_db()
    assert (old.missing_lines, old.missing, old.customers) == ([], 1, 1)
    assert new.missing_lines == ["somebody@example.com"]
