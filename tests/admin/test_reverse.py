"""Reversing an entry in the admin: through the ledger, once, and within the limit of whoever does it."""

import threading
import uuid
from typing import Any

from django.db import connection

from loyalty.models import Program
from points.models import PointTransaction
from staff.audit_models import Action, AuditEntry
from tests.admin import pages
from tests.admin.conftest import ADJUSTER, Browser, staff, trust
from tests.points.till import Till, breaches, days


def send(browser: Browser, entry: PointTransaction, **said: Any) -> Any:
    form = {"points": "", "reason": "Returned", "key": str(uuid.uuid4())} | said
    return browser.post(pages.of(entry, "reverse"), form)


def test_takes_back_what_an_award_brought(adjuster: Browser, program: Program, till: Till) -> None:
    award = till.award(100)
    page = adjuster.get(pages.of(award, "reverse"))
    assert "Reverse this award?" in pages.text(page)
    assert send(adjuster, award).status_code == 302
    assert till.history() == [("award", 100), ("reverse", -100)]
    newest = till.entries()[-1]
    assert (newest.reverses_id, newest.reason, newest.staff_member) == (award.pk, "Returned", "Adam Brown")
    told = AuditEntry.objects.get(program=program, action=Action.REVERSED)
    assert (told.actor, told.facts["reverses"]) == (adjuster.user.get_username(), str(award.pk))
    assert breaches(program) == set()


def test_gives_a_part_of_a_redemption_back(adjuster: Browser, till: Till) -> None:
    till.award(100)
    redemption = till.redeem(60)
    send(adjuster, redemption, points="25")
    assert till.balance == 100 - 60 + 25
    text = pages.text(send(adjuster, redemption, points="36"))
    assert "Only 35 points are left to undo of it." in text
    assert till.balance == 100 - 60 + 25


def test_reverses_once_when_sent_twice(adjuster: Browser, till: Till) -> None:
    award = till.award(100)
    key = str(uuid.uuid4())
    for _ in range(2):
        assert send(adjuster, award, points="10", key=key).status_code == 302
    assert till.balance == 100 - 10


def test_says_that_points_are_spent(adjuster: Browser, till: Till) -> None:
    award = till.award(100)
    till.redeem(90)
    assert "The points are spent: the balance is 10." in pages.text(send(adjuster, award))
    assert till.history() == [("award", 100), ("redeem", -90)]


def test_is_held_to_the_limit_of_adjustments(program: Program, till: Till) -> None:
    browser = trust(staff("Lisa", ADJUSTER), program, at_once=50, a_day=80)
    award = till.award(200)
    before = till.everything()
    assert "above your limit" in pages.text(send(browser, award))
    assert "above your limit" in pages.text(send(browser, award, points="51"))
    assert till.everything() == before
    assert send(browser, award, points="50").status_code == 302
    assert "above your limit" in pages.text(send(browser, award, points="31"))
    assert send(browser, award, points="30").status_code == 302
    assert till.balance == 200 - 50 - 30


def test_two_at_once_stay_within_the_limit_of_the_day(program: Program, till: Till) -> None:
    browser = trust(staff("Lisa", ADJUSTER), program, at_once=50, a_day=80)
    award = till.award(200)
    answers = []

    def reverse() -> None:
        own = Browser(browser.user)
        try:
            answers.append(send(own, award, points="50").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=reverse) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 200, 200, 302]
    assert till.balance == 200 - 50


def test_is_not_offered_where_nothing_can_be_undone(adjuster: Browser, viewer: Browser, till: Till) -> None:
    award = till.award(100, valid_from=days(-1), expires_at=days(5))
    till.expire(10)
    expiry = till.entries()[-1]
    assert "/reverse/" in adjuster.get(pages.of(award)).content.decode()
    assert "/reverse/" not in adjuster.get(pages.of(expiry)).content.decode()
    assert send(adjuster, expiry).status_code == 404
    assert "/reverse/" not in viewer.get(pages.of(award)).content.decode()
    assert send(viewer, award).status_code == 403


def test_asks_for_a_reason_and_understands_no_nonsense(adjuster: Browser, till: Till) -> None:
    award = till.award(100)
    before = till.everything()
    for said in (
        {"reason": ""},
        {"points": "-5"},
        {"points": "NaN"},
        {"points": "1e30"},
        {"reason": "a\0b"},
        {"key": "x"},
    ):
        assert send(adjuster, award, **said).status_code == 200
    assert till.everything() == before
