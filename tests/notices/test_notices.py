"""Customers are written to about what happens to their points and tiers: each once, in their language, if the programme
wants it and they do not mind."""

import datetime
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection, transaction
from django.test import override_settings

from cards.models import Customer
from events.models import Event
from loyalty import ids
from loyalty.models import Program
from notices import following, sending
from notices.kinds import Kind
from notices.models import Notice, NoticeSettings
from points import reminders, reviews, rules
from rewards import persons
from tests.api.management.till import Till, data
from tests.api.v1.client import Client, done
from tests.factories import CardFactory, CustomerFactory
from tests.notices.conftest import DAY, NOON
from tests.notices.post import award, html, link, run, sent, subjects
from tests.points.threads import at_once, times
from tiers.models import Tier, TierScheme


def notices(program: Program) -> list[Notice]:
    return list(Notice.objects.filter(program=program).order_by("pk"))


def receipts(program: Program) -> list[tuple[str, str]]:
    return [(notice.kind, notice.state) for notice in notices(program)]


def test_write_a_receipt(shop: Client, program: Program, alice: Customer) -> None:
    award(shop, 120)
    [message] = sent()
    assert message.subject == "You have earned 120 points"
    assert message.to == ["alice@example.com"]
    assert message.from_email == "Corner Shop <loyalty@localhost>"
    assert message.body == (
        "Hello Alice,\n\n"
        "on March 2, 2026 you have earned: 120 points.\n\n"
        "Your balance: 120 points.\n\n"
        "Corner Shop\n\n\n"
        "You get this e-mail as a customer of Corner Shop.\n"
        f"Unsubscribe: http://127.0.0.1:8000{link(message)}\n"
    )
    assert "on March 2, 2026 you have earned: 120 points.</p>" in html(message)
    assert f'<a href="http://127.0.0.1:8000{link(message)}"' in html(message)
    [notice] = notices(program)
    assert message.extra_headers["Message-ID"] == f"<{notice.pk.hex}@127.0.0.1>"
    assert (notice.state, notice.language, notice.attempts, notice.sent_at) == ("sent", "en", 1, NOON)
    assert sent() == []


def test_write_nothing_unless_they_are_switched_on(silent: Program) -> None:
    shop = Client(silent)
    CustomerFactory(program=silent, email="alice@example.com", external_id="customer-77")
    assert not silent.sends_notices
    award(shop)
    assert sent() == []
    assert not Event.objects.filter(program=silent).exists()
    assert notices(silent) == []


def test_write_nothing_of_what_was_before_they_were_switched_on(silent: Program) -> None:
    Program.objects.filter(pk=silent.pk).update(keeps_events=True)
    shop = Client(silent)
    CustomerFactory(program=silent, email="alice@example.com", external_id="customer-77")
    award(shop, 1)
    NoticeSettings.objects.create(program=silent, kinds=Kind.values)
    with transaction.atomic(), connection.cursor() as cursor:
        # What is under way keeps the list from being told up to now.
        cursor.execute("SELECT pg_current_xact_id()")
        at_once(lambda: award(Client(silent), 2))
        at_once(lambda: following.switch(program=silent, is_on=True))
        at_once(lambda: award(Client(silent), 3))
    silent.refresh_from_db()
    assert subjects() == ["You have earned 3 points"]
    following.switch(program=silent, is_on=False)
    award(shop, 4)
    following.switch(program=silent, is_on=True)
    award(shop, 5)
    assert subjects() == ["You have earned 5 points"]
    following.switch(program=silent, is_on=False)


def test_drop_what_waits_when_they_are_switched_off(shop: Client, program: Program, alice: Customer) -> None:
    award(shop)
    following.follow(at=NOON)
    following.switch(program=program, is_on=False)
    assert sent() == []
    [notice] = notices(program)
    assert (notice.state, notice.fault) == ("dropped", "switched_off")


def test_write_receipts_only_where_they_are_chosen(shop: Client, program: Program, alice: Customer) -> None:
    NoticeSettings.objects.filter(program=program).update(kinds=[Kind.REDEEMED])
    award(shop, 120)
    done(shop.post("holds", {"customer_id": "customer-77", "points": 30}), 201)
    hold = Event.objects.get(program=program, type="points.held")
    done(shop.post(f"holds/{ids.public('hld', _hold(hold))}/capture", {"points": 20}))
    [message] = sent()
    assert message.subject == "You have used 20 points"
    assert f"Your balance: {120 - 20} points." in message.body


def _hold(event: Event) -> Any:
    from points.models import Hold

    return Hold.objects.get(account_id=event.account_id).id


def test_tell_points_that_come_later(program: Program, alice: Customer) -> None:
    till = Till(program, CardFactory(customer=alice))
    data(till.award(40, valid_from=(NOON + 10 * DAY).isoformat()), 201)
    [message] = sent()
    assert "You can use them from March 12, 2026 on.\n\nYour balance until then: 0 points." in message.body


# Languages


@pytest.mark.parametrize(
    ("locales", "subject"),
    [
        (("lt", "en"), "Jums įskaityta: 2 taškai"),
        (("lt-LT", "en"), "Jums įskaityta: 2 taškai"),
        (("LT_lt", "en"), "Jums įskaityta: 2 taškai"),
        (("", "lt"), "Jums įskaityta: 2 taškai"),
        (("pl", "lt"), "Jums įskaityta: 2 taškai"),
        (("en", "lt"), "You have earned 2 points"),
        (("pl", "pl"), "You have earned 2 points"),
        (("", ""), "You have earned 2 points"),
    ],
)
def test_speak_the_customers_language_or_else_the_programmes_or_else_english(
    shop: Client, program: Program, alice: Customer, locales: tuple[str, str], subject: str
) -> None:
    customers, programmes = locales
    Customer.objects.filter(pk=alice.pk).update(locale=customers)
    Program.objects.filter(pk=program.pk).update(locale=programmes)
    award(shop, 2)
    assert subjects() == [subject]


def test_write_numbers_and_days_as_the_language_does(shop: Client, program: Program, alice: Customer) -> None:
    Customer.objects.filter(pk=alice.pk).update(locale="lt", name="")
    program.definitions.update(decimal_places=2)
    award(shop, 7.25)
    [message] = sent()
    assert message.body.startswith(
        "Sveiki, gerbiamas kliente!\n\nJums įskaityta: 7,25 taško (2026 m. kovo 2 d.).\n\nJūsų likutis: 7,25 taško."
    )
    assert '<html lang="lt">' in html(message)


# Reminders and tiers


def test_tell_points_that_expire_soon(shop: Client, alice: Customer, clock: time_machine.Traveller) -> None:
    # What ends as the 12th begins in Vilnius can be used on the 11th.
    award(shop, 120, expires_at="2026-03-12T00:00:00+02:00")
    award(shop, 5)
    sent()
    told = []
    for _ in range(10):
        reminders.remind(at=datetime.datetime.now(datetime.UTC))
        told += sent()
        clock.shift(DAY)
    assert [message.subject for message in told] == ["120 points will expire soon"] * 3
    assert (
        "120 points will expire soon. The last day on which you can use them: March 11, 2026.\n\n"
        "Your balance: 125 points."
    ) in told[0].body


def test_tell_no_reminder_after_the_day(
    shop: Client, program: Program, alice: Customer, clock: time_machine.Traveller
) -> None:
    award(shop, 120, expires_at=(NOON + DAY).isoformat())
    sent()
    reminders.remind(at=NOON)
    following.follow(at=NOON)
    clock.shift(DAY)
    assert sent() == []
    assert [(notice.kind, notice.state, notice.fault) for notice in notices(program)][1:] == [
        ("expiring_soon", "dropped", "too_late")
    ]


def test_tell_a_higher_and_a_lower_tier_in_other_words(
    shop: Client, program: Program, alice: Customer, clock: time_machine.Traveller
) -> None:
    NoticeSettings.objects.filter(program=program).update(kinds=[Kind.TIER_UP, Kind.TIER_DOWN, Kind.TIER_AT_RISK])
    Tier.objects.filter(program=program).delete()
    for name, threshold in (("Silver", 100), ("Gold", 500)):
        Tier.objects.create(program=program, code=name.lower(), name=name, threshold=threshold)
    TierScheme.objects.update_or_create(program=program, defaults={"basis": "rolling", "window_months": 1})
    rules.publish(program=program, by="staff", at=NOON)
    award(shop, 50)
    assert sent() == []
    award(shop, 50)
    [silver] = sent()
    award(shop, 400)
    [gold] = sent()
    assert (silver.subject, gold.subject) == ("You have reached Silver", "You have reached Gold")
    assert "It is Silver now; before, it was: no tier." in silver.body
    assert "It is Gold now; before, it was: Silver." in gold.body
    # March and April are its window; the last day on which it holds is that of April.
    clock.move_to(datetime.datetime(2026, 4, 20, 12, tzinfo=datetime.UTC))
    reminders.remind(at=datetime.datetime.now(datetime.UTC))
    [risk] = sent()
    assert risk.subject == "Keep your tier: Gold"
    assert (
        "It lasts until April 30, 2026; after that it will be: no tier.\n\nTo keep it, earn before then: 500 points."
        in (risk.body)
    )
    clock.move_to(datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC))
    reviews.review(at=datetime.datetime.now(datetime.UTC))
    [fall] = sent()
    assert fall.subject == "Your tier has changed"
    assert "your tier has changed on May 1, 2026. It was Gold; now it is: no tier." in fall.body


# What must not be written


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"email": None}, "no_address"), ({"unsubscribed_from": ["receipts"]}, "unsubscribed")],
)
def test_leave_alone_who_cannot_be_written_to(
    shop: Client, program: Program, alice: Customer, change: dict[str, Any], reason: str
) -> None:
    rows = Customer.objects.filter(pk=alice.pk)
    rows.update(**change)
    award(shop, 1)
    assert sent() == []
    assert notices(program) == []
    # Also who changes while one waits.
    rows.update(email="alice@example.com", unsubscribed_from=[])
    award(shop, 2)
    following.follow(at=NOON)
    rows.update(**change)
    assert sent() == []
    [notice] = notices(program)
    assert (notice.state, notice.fault) == ("dropped", reason)


def test_leave_alone_who_was_erased(shop: Client, program: Program, alice: Customer) -> None:
    award(shop)
    following.follow(at=NOON)
    Customer.objects.filter(pk=alice.pk).update(unsubscribed_from=["tiers"])
    persons.erase(customer=Customer.objects.get(pk=alice.pk), actor="test", at=NOON)
    assert sent() == []
    [notice] = notices(program)
    assert (notice.state, notice.fault) == ("dropped", "no_customer")
    assert Customer.objects.get(pk=alice.pk).unsubscribed_from == []


def test_go_to_whom_the_customer_was_merged_into(shop: Client, program: Program, alice: Customer) -> None:
    award(shop)
    bob = CustomerFactory(program=program, name="Bob", email="bob@example.com")
    persons.merge(customer=alice, into=bob, actor="test", at=NOON)
    [message] = sent()
    assert message.to == ["bob@example.com"]
    assert message.body.startswith("Hello Bob,")


def test_are_not_written_of_long_ago(shop: Client, program: Program, alice: Customer) -> None:
    award(shop)
    with time_machine.travel(NOON + 4 * DAY, tick=False):
        assert sent() == []
    assert notices(program) == []


def test_write_nothing_without_an_address_that_links_can_lead_to(shop: Client, alice: Customer) -> None:
    award(shop)
    with override_settings(PUBLIC_URL=""):
        assert sent() == []
        assert "PUBLIC_URL is not set" in str(following.problem())
    with override_settings(SENDS_MAIL=False):
        assert sent() == []
        assert "EMAIL_URL is not set" in str(following.problem())
    assert following.problem() is None
    assert subjects() == ["You have earned 120 points"]


# Once


def test_are_sent_once_though_the_job_runs_many_times_at_once(shop: Client, program: Program, alice: Customer) -> None:
    for points in range(1, 21):
        award(shop, points)
    before = len(mail.outbox)
    at_once(*times(4, run))
    assert sorted(str(message.subject) for message in mail.outbox[before:]) == sorted(
        f"You have earned {points} point{'s' if points > 1 else ''}" for points in range(1, 21)
    )
    assert receipts(program) == [("earned", "sent")] * 20


def test_are_taken_by_one_worker_alone(shop: Client, program: Program, alice: Customer) -> None:
    award(shop, 1)
    award(shop, 2)
    following.follow(at=NOON)
    with transaction.atomic():
        # A worker is about to take the first: another does not wait for it, and takes the second.
        assert sending._claim(NOON) is not None
        assert at_once(subjects) == [["You have earned 2 points"]]
    assert sent() == []


def test_are_written_once_though_the_job_dies_between_reading_and_sending(
    shop: Client, program: Program, alice: Customer
) -> None:
    award(shop)
    following.follow(at=NOON)
    # As if the cursor had not been moved.
    NoticeSettings.objects.filter(program=program).update(cursor_xid="3")
    assert subjects() == ["You have earned 120 points"]
    assert receipts(program) == [("earned", "sent")]
    NoticeSettings.objects.filter(program=program).update(cursor_xid="3")
    assert sent() == []


def test_wait_for_a_worker_that_may_have_sent_them(
    shop: Client, program: Program, alice: Customer, clock: time_machine.Traveller
) -> None:
    award(shop)
    following.follow(at=NOON)
    # A worker takes it, and is killed.
    assert sending._claim(NOON) is not None
    assert sent() == []
    clock.shift(sending.CLAIM)
    assert subjects() == ["You have earned 120 points"]
    [notice] = notices(program)
    assert notice.attempts == 2


def test_miss_nothing_that_was_under_way(shop: Client, program: Program, alice: Customer) -> None:
    bob = CustomerFactory(program=program, email="bob@example.com")

    def another() -> int:
        award(Client(program), 2, customer_id=ids.public("cus", bob.pk))
        return len(sent())

    with transaction.atomic():
        award(shop, 1)
        # Written later and there already: the list ends before what is under way.
        assert at_once(another) == [0]
    assert subjects() == ["You have earned 1 point", "You have earned 2 points"]
