"""Held points, transfers and merges as staff see them: on the account, on the entry, lot by lot."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from cards.models import Customer
from loyalty.models import Program
from points import ledger
from points.models import Hold, PointTransaction
from rewards import persons
from tests.admin import pages
from tests.admin.conftest import Browser
from tests.factories import CustomerFactory
from tests.points.till import NOON, NOTE, Till, days


@pytest.fixture
def bob(program: Program, till: Till) -> Till:
    return Till(till.account.of(CustomerFactory(program=program, name="Bob Brown").pk))


@pytest.fixture
def held(till: Till) -> Hold:
    till.award(100)
    note = ledger.Note(reason="Checkout", actor="shop", reference="cart-7")
    entry = till.post(ledger.hold, points=Decimal(30), lasts=datetime.timedelta(hours=2), note=note)
    return Hold.objects.get(account_id=till.account.id, id=entry.id)


def release(hold: Hold) -> str:
    return reverse("admin:points_pointaccount_release", args=[hold.account_id, hold.id])


def test_shows_what_is_held_and_until_when(viewer: Browser, till: Till, customer: Customer, held: Hold) -> None:
    row = "30 cart-7 2 Mar 2026, 14:00 EET 2 Mar 2026, 16:00 EET"

    account = pages.text(viewer.get(pages.of(till.row())))
    assert "Balance 70 Pending 0 Held 30" in account
    assert f"Held points Points For Since Lapses {row}" in account
    assert "30 of #1 set aside" in account
    assert "Points 70 0 30 100 0 0" in pages.text(viewer.get(pages.of(customer)))
    assert row in pages.text(viewer.get(pages.of(customer)))
    assert release(held) not in viewer.get(pages.of(till.row())).content.decode()


def test_shows_no_hold_that_has_ended(viewer: Browser, till: Till, customer: Customer, held: Hold) -> None:
    till.post(ledger.capture, hold_id=held.id, points=Decimal(20))

    page = pages.text(viewer.get(pages.of(till.row())))

    assert "Held points" not in page
    # The newest first: what was left of it, and what it paid.
    assert "10 of #1 not set aside any more" in page
    assert "20 of #1 not set aside any more, 20 from #1" in page
    assert "Held points" not in pages.text(viewer.get(pages.of(customer)))


def test_releases_a_hold_once(adjuster: Browser, till: Till, customer: Customer, held: Hold) -> None:
    assert release(held) in adjuster.get(pages.of(customer)).content.decode()
    page = adjuster.get(release(held))
    assert "Release these points?" in pages.text(page)
    assert till.balance == 70

    for _ in range(2):
        answer = adjuster.post(release(held), {"key": pages.hidden_key(page)}, follow=True)
        assert "30 points are available again." in pages.text(answer)

    assert till.balance == 100
    assert [kind for kind, _ in till.history()] == ["award", "hold", "release"]
    assert till.entries()[-1].staff_member == "Adam Brown"


def test_says_that_a_hold_was_resolved_before(adjuster: Browser, till: Till, held: Hold) -> None:
    page = adjuster.get(release(held))
    till.post(ledger.capture, hold_id=held.id)
    before = till.everything()

    answer = adjuster.post(release(held), {"key": pages.hidden_key(page)})

    assert "The hold was captured, released or has lapsed." in pages.text(answer)
    assert till.everything() == before


def test_releases_for_those_alone_who_may_adjust(
    viewer: Browser, manager: Browser, adjuster: Browser, till: Till, held: Hold
) -> None:
    for browser in (viewer, manager):
        assert browser.get(release(held)).status_code == 403
        assert browser.post(release(held), {"key": 32 * "0"}).status_code == 403
    unknown = reverse("admin:points_pointaccount_release", args=[till.account.id, till.account.id])
    elsewhere = reverse("admin:points_pointaccount_release", args=[held.id, held.id])
    assert adjuster.get(unknown).status_code == 404
    assert adjuster.get(elsewhere).status_code == 404
    assert till.balance == 70


def test_shows_both_sides_of_a_transfer(viewer: Browser, program: Program, till: Till, bob: Till) -> None:
    Program.objects.filter(pk=program.pk).update(transfers_enabled=True)
    program.refresh_from_db()
    till.account.program.transfers_enabled = True
    till.award(20, expires_at=days(10))
    till.award(100, expires_at=days(20))
    sent = till.post(ledger.transfer, sender=till.account, receiver=bob.account, points=Decimal(50))
    [got] = bob.entries()

    assert "Transfer to Bob Brown #1 -50" in pages.text(viewer.get(pages.of(till.row())))
    account = viewer.get(pages.of(bob.row()))
    assert "Transfer from Alice Adams #3 +50" in pages.text(account)
    assert "#1 30 30 Active At once 22 Mar 2026, 14:00 EET from Alice Adams #3" in pages.text(account)
    assert pages.of(sent) in account.content.decode()
    # Lots that came together have ids of their own: they lead to the entry that made them.
    for lot in bob.lots():
        assert lot.pk == got.pk or pages.of(PointTransaction(pk=lot.pk)) not in account.content.decode()
    page = pages.text(viewer.get(pages.of(got)))
    assert "Other account from Alice Adams #3" in page
    assert "The lots that it made" in page
    assert "#1 20 20 Active" in page
    assert "#1 30 30 Active" in page
    assert "Other account to Bob Brown #1" in pages.text(viewer.get(pages.of(sent)))


@pytest.fixture
def merged(customer: Customer, till: Till, bob: Till) -> PointTransaction:
    """Alice's award of 100, who is Bob by now."""
    award = till.award(100)
    persons.merge(customer=customer, into=Customer.objects.get(pk=bob.account.customer_id), actor="test", at=NOON)
    return award


def test_shows_both_sides_of_a_merge(viewer: Browser, till: Till, bob: Till, merged: PointTransaction) -> None:
    old = pages.text(viewer.get(pages.of(till.row())))
    assert "Merged into the account of Bob Brown" in old
    assert "Merge into Bob Brown #1 -100" in old
    assert "Merge from Alice Adams #2 +100" in pages.text(viewer.get(pages.of(bob.row())))


def test_finds_a_reversal_where_the_points_are_by_now(
    viewer: Browser, till: Till, bob: Till, merged: PointTransaction
) -> None:
    till.reverse(merged, 30)

    undoing = bob.entries()[-1]
    assert "Reversed by, as points of Bob Brown" in pages.text(viewer.get(pages.of(merged)))
    assert "Reverses #1" in pages.text(viewer.get(pages.of(undoing)))


def test_adjusts_no_account_that_is_over(
    superuser: Browser, customer: Customer, till: Till, bob: Till, merged: PointTransaction
) -> None:
    persons.erase(customer=Customer.objects.get(pk=bob.account.customer_id), actor="test", at=NOON)

    for each, words in ((till, "Merged into the account"), (bob, "Closed on 2 Mar 2026, 14:00 EET")):
        page = pages.text(superuser.get(pages.of(each.row())))
        assert words in page
        assert "Adjust points" not in page
        before = each.everything()
        sent: dict[str, Any] = {"definition": each.account.definition.pk, "points": 5, "reason": "X", "key": 32 * "0"}
        assert superuser.post(pages.of(each.row(), "adjust"), sent).status_code == 404
        assert each.everything() == before


def test_notes_are_of_their_entries(viewer: Browser, till: Till, held: Hold) -> None:
    [award, hold] = till.entries()

    assert "Held after it 30" in pages.text(viewer.get(pages.of(hold)))
    assert "Held after it 0" in pages.text(viewer.get(pages.of(award)))
    assert NOTE.reason in pages.text(viewer.get(pages.of(award)))
