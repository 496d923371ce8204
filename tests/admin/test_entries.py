"""Ledger entries in the admin: newest first, found by reference, customer, card or id; each with its whole story."""

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from cards.models import Card
from loyalty import ids
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef, EntryType, PointTransaction
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.factories import CustomerFactory
from tests.points.till import NOON, Till, posting


def listed(browser: Browser, program: Program, **asked: Any) -> list[str]:
    """This will answer the reasons of the entries that are listed, in their order."""
    answer = browser.get(pages.listing(PointTransaction), {"program": program.pk} | asked)
    assert answer.status_code == 200
    return [entry.reason for entry in answer.context["cl"].result_list]


def note(reason: str, **facts: Any) -> ledger.Note:
    return ledger.Note(reason=reason, actor="till", **facts)


@pytest.fixture
def bob(program: Program, till: Till) -> Till:
    customer = CustomerFactory(program=program, name="Bob", email="bob@example.com")
    return Till(AccountRef(program=program, definition=till.account.definition, customer_id=customer.pk))


def test_lists_the_newest_first(viewer: Browser, program: Program, till: Till, bob: Till) -> None:
    till.award(1, note=note("first"))
    bob.award(1, note=note("second"))
    till.award(1, note=note("third"))

    assert listed(viewer, program) == ["third", "second", "first"]


def test_shows_what_when_who_and_why(viewer: Browser, program: Program, card: Card, till: Till) -> None:
    till.award(1250, note=note("Order reward", reference="order_7", staff_member="Zoe", card_id=card.pk))

    page = pages.text(viewer.get(pages.listing(PointTransaction), {"program": program.pk}))

    assert (
        "2 Mar 2026, 14:00 EET Award +1,250 1,250 Alice Adams"
        f" {card.number} Order reward order_7 Zoe 2 Mar 2026, 14:00 EET Corner Shop"
    ) in page


def test_keeps_programmes_apart(viewer: Browser, program: Program, till: Till) -> None:
    other = definitions.create_program(slug=f"other-{program.slug}")
    customer = CustomerFactory(program=other)
    elsewhere = AccountRef(program=other, definition=definitions.find(other, None), customer_id=customer.pk)
    Till(elsewhere).award(1, note=note("elsewhere"))
    till.award(1, note=note("here"))

    assert listed(viewer, program) == ["here"]
    assert listed(viewer, other) == ["elsewhere"]


def test_finds_by_reference_customer_card_and_id(
    viewer: Browser, program: Program, card: Card, till: Till, bob: Till
) -> None:
    entry = till.award(1, note=note("hers", reference="order_7"))
    bob.award(1, note=note("his", reference="order_8"))

    assert listed(viewer, program, q="order_8") == ["his"]
    assert listed(viewer, program, q=card.customer.email) == ["hers"]
    assert listed(viewer, program, q=card.number) == ["hers"]
    assert listed(viewer, program, q=ids.public("txn", entry.pk)) == ["hers"]
    assert listed(viewer, program, q="order_") == []


def test_searches_all_programmes_unless_one_is_chosen(viewer: Browser, program: Program, till: Till) -> None:
    reference = f"order_{uuid.uuid4().hex}"
    till.award(1, note=note("here", reference=reference))
    other = definitions.create_program(slug=f"other-{program.slug}")

    answer = viewer.get(pages.listing(PointTransaction), {"q": reference})

    assert [entry.reason for entry in answer.context["cl"].result_list] == ["here"]
    assert listed(viewer, other, q=reference) == []


def test_filters_by_account_and_type(viewer: Browser, program: Program, till: Till, bob: Till) -> None:
    till.award(10, note=note("hers"))
    till.redeem(5, note=note("spent"))
    bob.award(1, note=note("his"))

    assert listed(viewer, program, account=till.account.id) == ["spent", "hers"]
    assert listed(viewer, program, account=till.account.id, type__exact="redeem") == ["spent"]
    assert listed(viewer, program, type__exact="award") == ["his", "hers"]


def test_goes_by_the_order_of_writing_whatever_the_ids(viewer: Browser, program: Program, till: Till) -> None:
    for name, digit in (("first", "f"), ("second", "0"), ("third", "a")):
        posting = ledger.Posting(
            type=EntryType.AWARD,
            account=till.account,
            points=Decimal(1),
            at=NOON,
            note=note(name),
            entry_id=uuid.UUID(digit + uuid.uuid4().hex[1:]),
        )
        ledger.post(posting)

    assert listed(viewer, program) == ["third", "second", "first"]
    assert listed(viewer, program, account=till.account.id) == ["third", "second", "first"]


@pytest.mark.parametrize("asked", [{"program": "x"}, {"account": "x"}, {"p": "999"}, {"type__exact": "x"}, {"o": "1"}])
def test_takes_nonsense_in_its_address(viewer: Browser, till: Till, asked: dict[str, str]) -> None:
    till.award(1)

    assert viewer.get(pages.listing(PointTransaction), asked, follow=True).status_code == 200


def test_asks_the_database_no_more_for_more_entries(viewer: Browser, program: Program, till: Till, bob: Till) -> None:
    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            listed(viewer, program)
        return [query["sql"] for query in captured]

    till.award(1)
    few = queries()
    for each in (till, bob) * 5:
        each.award(1)
    many = queries()

    assert len(many) == len(few)
    assert all("LIMIT 501" in sql for sql in many if "COUNT(" in sql)


def test_reads_few_entries_to_find_those_of_a_rare_type(viewer: Browser, program: Program, till: Till) -> None:
    ledger.post_many([posting(till.account, "award", 1) for _ in range(2000)])
    till.adjust(5, note=note("rare"))
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE points_pointtransaction")
    with transaction.atomic():
        before = entries_read()
        assert listed(viewer, program, type__exact="adjust") == ["rare"]
        assert listed(viewer, program, type__exact="transfer") == []
        assert entries_read() - before <= 150


def entries_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = %s",
            [PointTransaction._meta.db_table],
        )
        return int(cursor.fetchone()[0])


def test_tells_the_story_of_an_award(viewer: Browser, till: Till) -> None:
    award = till.award(100, note=note("Order reward", metadata={"total": "50.00"}, reference="order_7"))
    till.redeem(30, note=note("Coffee"))
    till.reverse(award, 20, note=note("Returned"))

    page = pages.text(viewer.get(pages.of(award)))

    assert "#1 Award +100" in page
    assert f"Transaction id {ids.public('txn', award.pk)}" in page
    assert 'Metadata {"total": "50.00"}' in page
    assert "Balance before 0 Balance 100" in page
    assert "#1 100 50 Active At once 2 Mar 2027, 14:00 EET" in page
    assert "#2 2 Mar 2026, 14:00 EET Redeem -30 Coffee" in page
    assert "#3 2 Mar 2026, 14:00 EET Reverse -20 Returned" in page
    assert "Reversed by" in page


def test_tells_which_lots_paid(viewer: Browser, till: Till) -> None:
    till.award(10)
    till.award(20)
    spent = till.redeem(25)
    back = till.reverse(spent, 5)

    assert "What it did to lots In this order 10 from #1 15 from #2" in pages.text(viewer.get(pages.of(spent)))
    story = pages.text(viewer.get(pages.of(back)))
    assert "What it did to lots In this order 5 back to #2" in story
    assert "Reverses #3" in story


def test_leads_back_from_an_entry_that_is_not_there(viewer: Browser) -> None:
    unknown = pages.of(PointTransaction(pk=uuid.uuid4()))

    assert viewer.get(unknown).status_code == 302
    assert viewer.get(unknown.replace("/change/", "x/change/")).status_code == 302
