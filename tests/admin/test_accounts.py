"""Accounts in the admin: what there is, in which lots, by which entries; read a page at a time and never written."""

import datetime
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards.models import Card, Customer
from loyalty import console
from loyalty.models import Program
from points import definitions, ledger
from points.models import AccountRef, PointAccount
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.factories import CustomerFactory
from tests.points.till import NOON, Till, days


def rows(browser: Browser, term: str) -> set[PointAccount]:
    answer = browser.get(pages.listing(PointAccount), {"q": term})
    assert answer.status_code == 200
    return set(answer.context["cl"].result_list)


def test_finds_the_accounts_of_a_customer(viewer: Browser, program: Program, card: Card, till: Till) -> None:
    miles = definitions.create_definition(program=program, code="miles", name="Miles")
    of_miles = Till(AccountRef(program=program, definition=miles, customer_id=card.customer.pk))
    Till(AccountRef(program=program, definition=miles, customer_id=CustomerFactory(program=program).pk)).award(1)
    till.award(1)
    of_miles.award(2)

    assert rows(viewer, card.number) == {till.row(), of_miles.row()}
    assert rows(viewer, card.customer.email) == {till.row(), of_miles.row()}
    assert rows(viewer, "LC999999999999") == set()


def test_lists_what_accounts_have_by_the_clock(viewer: Browser, card: Card, till: Till) -> None:
    till.award(1000)
    till.redeem(300)

    page = pages.text(viewer.get(pages.listing(PointAccount), {"q": card.number}))

    assert "Alice Adams Points Corner Shop 700 0 0 1,000 300 0 2 Mar 2026, 14:00 EET" in page


def test_lists_without_writing_what_fell_due(viewer: Browser, card: Card, till: Till) -> None:
    till.award(100, at=days(-60), expires_at=NOON)

    page = pages.text(viewer.get(pages.listing(PointAccount), {"q": card.number}))

    assert "Alice Adams Points Corner Shop 0 0 0 100 0 100" in page
    assert till.history() == [("award", Decimal(100))]


def test_asks_the_database_no_more_for_more_accounts(viewer: Browser, program: Program, till: Till) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            viewer.get(pages.listing(PointAccount), {"q": "Clone"})
        return len(captured)

    def clone() -> None:
        customer = CustomerFactory(program=program, name=f"Clone {program.slug}")
        ref = AccountRef(program=program, definition=till.account.definition, customer_id=customer.pk)
        Till(ref).award(5, at=days(-60), expires_at=NOON)

    clone()
    few = queries()
    for _ in range(5):
        clone()
    assert queries() == few


def test_shows_figures_lots_and_entries(viewer: Browser, till: Till) -> None:
    till.award(100, at=days(-30))
    till.award(50, at=days(-20))
    till.award(77, valid_from=days(5))
    till.redeem(120, note=ledger.Note(reason="Coffee", actor="till", reference="order_9", staff_member="Zoe"))

    page = pages.text(viewer.get(pages.of(till.row())))

    assert "Balance 30 Pending 77 Held 0 Earned ever 150 Redeemed ever 120 Expired ever 0" in page
    assert "#2 50 30 Active At once 10 Feb 2027, 14:00 EET" in page
    assert "#3 77 77 Pending 7 Mar 2026, 14:00 EET" in page
    assert "#4 2 Mar 2026, 14:00 EET Redeem -120 30 100 from #1 , 20 from #2 Coffee order_9 Zoe" in page
    assert f"#1 31 Jan 2026, 14:00 EET Award +100 100 {console.NOTHING} Order reward {console.NOTHING} till" in page
    assert "Entries, newest first (4 in all)" in page


def test_shows_used_up_lots_when_asked(viewer: Browser, till: Till) -> None:
    till.award(100)
    till.redeem(100)

    assert "#1 100 0 Used up" not in pages.text(viewer.get(pages.of(till.row())))
    assert "#1 100 0 Used up" in pages.text(viewer.get(pages.of(till.row()), {"lots": "all"}))


def test_writes_what_fell_due_before_it_shows_entries(viewer: Browser, till: Till) -> None:
    till.award(100, at=days(-60), expires_at=days(-1))

    page = pages.text(viewer.get(pages.of(till.row())))

    assert "Balance 0 Pending 0 Held 0 Earned ever 100 Redeemed ever 0 Expired ever 100" in page
    assert "#2 1 Mar 2026, 14:00 EET Expire -100 0 100 from #1" in page
    assert till.history() == [("award", Decimal(100)), ("expire", Decimal(-100))]


def test_shows_debts_and_what_paid_them(viewer: Browser, program: Program, customer: Customer) -> None:
    credit = definitions.create_definition(program=program, code="credit", name="Credit", may_go_negative=True)
    till = Till(AccountRef(program=program, definition=credit, customer_id=customer.pk))
    till.adjust(-20)
    till.award(50)

    page = pages.text(viewer.get(pages.of(till.row())))

    assert "Adjust -20 -20 20 owed" in page
    assert "Award +50 30 20 from #2 for a debt, 20 of the debt paid" in page.replace(" ,", ",")


def test_shows_the_moving_end_of_points_that_end_by_inactivity(
    viewer: Browser, program: Program, customer: Customer
) -> None:
    kind = definitions.create_definition(
        program=program, code="busy", name="Busy", expiry_policy="inactivity", expiry_count=6
    )
    till = Till(AccountRef(program=program, definition=kind, customer_id=customer.pk))
    till.award(10)

    assert "2 Sep 2026, 14:00 EEST, unless there is activity" in pages.text(viewer.get(pages.of(till.row())))


def test_goes_through_many_entries_a_page_at_a_time(viewer: Browser, till: Till) -> None:
    for n in range(1, 61):
        till.award(n)
    seen, address = [], pages.of(till.row())
    for _ in range(3):
        page = viewer.get(address)
        section = page.content.decode().partition('id="entries"')[2]
        seen += [int(number) for number in re.findall(r">#(\d+)</a>", section)]
        older = re.search(r"\?before=\d+", section)
        address = pages.of(till.row()) + (older.group() if older else "")

    assert older is None
    assert seen == list(range(60, 0, -1))


def test_goes_through_many_lots_a_page_at_a_time(viewer: Browser, till: Till) -> None:
    for n in range(25):
        # The later made, the earlier they end.
        till.award(1, expires_at=days(100 - n))
    seen = []
    for number in (1, 2, 3, 4):
        section = viewer.get(pages.of(till.row()), {"page": number}).content.decode().partition('id="lots"')[2]
        section = section.partition('id="entries"')[0]
        seen += [int(lot) for lot in re.findall(r">#(\d+)</a>", section)]
        assert ("Next lots" in section) == (number in (1, 2))

    assert seen == list(range(25, 0, -1))


def test_reads_no_more_of_a_big_account_than_it_shows(viewer: Browser, till: Till) -> None:
    def queries() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            viewer.get(pages.of(till.row()))
        return [query["sql"] for query in captured]

    till.award(100)
    few = queries()
    for _ in range(40):
        till.award(1)
    many = queries()

    assert len(many) == len(few)
    for sql in many:
        if "points_pointtransaction" in sql or "points_pointlot" in sql:
            assert "LIMIT" in sql or "IN (" in sql, sql
            assert "COUNT(" not in sql


def test_names_only_the_first_lots_of_an_entry_that_many_paid(viewer: Browser, till: Till) -> None:
    for _ in range(8):
        till.award(1)
    till.redeem(8)

    page = pages.text(viewer.get(pages.of(till.row()))).replace(" ,", ",")

    assert "1 from #1, 1 from #2, 1 from #3, 1 from #4, 1 from #5, … Order reward" in page


@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=0", "page=0", "page=1e9", "page=" + "9" * 40])
def test_takes_nonsense_in_its_address(viewer: Browser, till: Till, query: str) -> None:
    till.award(100)

    assert viewer.get(f"{pages.of(till.row())}?{query}").status_code == 200


def test_leads_back_from_an_account_that_is_not_there(viewer: Browser, account: AccountRef) -> None:
    unknown = pages.of(PointAccount(pk=account.id))

    assert viewer.get(unknown).status_code == 302
    assert viewer.get(unknown.replace(str(account.id), "nonsense")).status_code == 302


def test_counts_no_further_than_some_hundreds(viewer: Browser, till: Till) -> None:
    till.award(1)
    with CaptureQueriesContext(connection) as captured:
        viewer.get(pages.listing(PointAccount))

    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 501" in sql for sql in counts)


def test_shows_times_where_the_programme_is(viewer: Browser, till: Till) -> None:
    till.award(1, at=datetime.datetime(2025, 7, 1, 21, 30, tzinfo=datetime.UTC))

    assert "2 Jul 2025, 00:30 EEST" in pages.text(viewer.get(pages.of(till.row())))
