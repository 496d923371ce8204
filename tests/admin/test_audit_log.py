"""The audit log: what staff do is in it, in the same transaction, and stays as it was written."""

import contextlib
import datetime
import secrets
import uuid
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any
from unittest import mock

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, models
from django.test import Client
from django.urls import reverse

from cards.models import Card, Customer
from events import endpoints
from loyalty import api_keys
from loyalty.models import ApiKey, Program
from points.models import EarningRule, PointDefinition
from staff import audit
from staff.audit_models import AuditEntry
from staff.models import AdjustmentLimit, AdjustmentReason, AdjustmentRequest
from tests.admin import pages
from tests.admin.conftest import ADJUSTER, Browser, staff, trust
from tests.factories import CardFactory, CustomerFactory
from tests.points.round_the_ledger import run
from tests.points.threads import at_once
from tests.points.till import NOON, Till, days

PASSWORD = "correct-horse-battery"


def entries(**named: Any) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(**named).order_by("id"))


def about(row: models.Model) -> list[str]:
    """What was done to a row, the oldest first."""
    return [entry.action for entry in entries(object_id=str(row.pk))]


@pytest.fixture
def auditor() -> Browser:
    browser = staff("Otto", [])
    browser.user.groups.add(Group.objects.get(name="Auditor"))
    return browser


@contextlib.contextmanager
def without_room_in_the_log() -> Iterator[None]:
    """The database takes no more audit entries."""
    run("owner", "ALTER TABLE staff_auditentry ADD CONSTRAINT no_room CHECK (FALSE) NOT VALID")
    try:
        with pytest.raises(IntegrityError, match="no_room"):
            yield
    finally:
        run("owner", "ALTER TABLE staff_auditentry DROP CONSTRAINT no_room")


# What is in it


def test_tells_who_changed_a_programme_to_what(manager: Browser, program: Program) -> None:
    page = manager.get(pages.of(program)).content.decode()
    said = {"name": "Other Shop", "currency": "USD", "timezone": "Europe/Vilnius", "locale": "en"}
    said |= {"transaction_limit": "100", "has_point_accounts": "on"}
    assert "Corner Shop" in page

    answer = manager.post(pages.of(program), said, headers={"X-Request-Id": "req-77"})

    assert answer.status_code == 302, pages.text(answer)
    [entry] = entries(object_id=str(program.pk), action="changed")
    assert (entry.actor, entry.user_id, entry.at) == (manager.user.username, manager.user.pk, NOON)
    assert (entry.object_kind, entry.program, entry.request_id) == ("loyalty.program", program, "req-77")
    assert entry.facts["values"] == {
        "name": {"from": "Corner Shop", "to": "Other Shop"},
        "currency": {"from": "EUR", "to": "USD"},
    }


def test_tells_nothing_where_nothing_was_changed(manager: Browser, program: Program) -> None:
    reason = AdjustmentReason.objects.create(program=program, code="goodwill", name="Goodwill")
    somebody = staff("Mary", ["view_adjustmentreason", "change_adjustmentreason"])

    somebody.post(pages.of(reason), {"name": "Goodwill", "is_active": "on"})
    assert about(reason) == []
    somebody.post(pages.of(reason), {"name": "Goodwill"})
    [entry] = entries(object_id=str(reason.pk))
    assert entry.facts == {
        "name": "Goodwill",
        "fields": ["is_active"],
        "values": {"is_active": {"from": True, "to": False}},
    }


def test_tells_of_limits_that_were_made_and_deleted(program: Program) -> None:
    anna = staff("Anna", [f"{verb}_adjustmentlimit" for verb in ("view", "add", "change", "delete")])
    role = Group.objects.create(name=f"role-{program.slug}")
    anna.post(pages.adding(AdjustmentLimit), {"program": program.pk, "group": role.pk, "most_points": "100"})
    limit = AdjustmentLimit.objects.get(program=program)
    anna.post(pages.of(limit, "remove"))

    made, removed = entries(object_id=str(limit.pk))
    assert (made.action, made.facts["values"]["most_points"]) == ("added", "100")
    assert (removed.action, removed.facts) == ("removed", {"name": f"role-{program.slug} in Corner Shop"})


def test_tells_of_rules(manager: Browser, program: Program) -> None:
    rule = EarningRule.objects.filter(program=program).latest("pk")
    manager.post(pages.of(rule, "remove"))
    assert about(rule) == ["removed"]


def test_tells_of_adjustments(
    adjuster: Browser, till: Till, program: Program, customer: Customer, definition: PointDefinition
) -> None:
    sent = {"definition": definition.pk, "points": "50", "reason": "Her words", "key": str(uuid.uuid4())}
    for _ in range(2):
        adjuster.post(pages.of(customer, "adjust"), sent)
    adjuster.post(pages.of(customer, "adjust"), sent | {"points": "-51", "key": str(uuid.uuid4())})

    # Once, though it was sent twice; and nothing of what the ledger refused.
    [entry] = entries(program=program, action="adjusted")
    assert (entry.object_kind, entry.object_id) == ("points.pointaccount", str(till.account.id))
    assert entry.facts == {"points": "50", "entry": str(till.entries()[0].pk)}


def test_tells_of_requests(
    program: Program, till: Till, customer: Customer, definition: PointDefinition, superuser: Browser
) -> None:
    clerk = trust(staff("Clara", ADJUSTER), program, at_once=1)
    for _ in range(3):
        sent = {"definition": definition.pk, "points": "50", "reason": "Her words", "key": str(uuid.uuid4())}
        clerk.post(pages.of(customer, "adjust"), sent)
    one, two, three = AdjustmentRequest.objects.filter(program=program).order_by("pk")
    superuser.post(pages.of(one, "approve"))
    superuser.post(pages.of(two, "refuse"), {"why": "Her fault"})
    clerk.post(pages.of(three, "withdraw"))

    assert [about(row) for row in (one, two, three)] == [
        ["requested", "approved"],
        ["requested", "refused"],
        ["requested", "withdrawn"],
    ]
    [_, approved] = entries(object_id=str(one.pk))
    assert approved.user_id == superuser.user.pk
    assert approved.facts == {
        "points": "50",
        "asked_by": clerk.user.username,
        "entry": str(till.entries()[0].pk),
    }


def test_tells_of_cards(manager: Browser, card: Card) -> None:
    for deed in ("block", "unblock", "replace"):
        manager.post(pages.of(card, deed), {"reason": "Her words", "internal_note": "More words"})

    assert about(card) == ["blocked", "unblocked", "replaced"]
    card.refresh_from_db()
    replaced = entries(object_id=str(card.pk))[-1]
    assert replaced.facts == {"name": card.number, "new_card": str(card.replaced_by_id)}


def test_tells_of_api_keys(manager: Browser, program: Program) -> None:
    said = {"program": program.pk, "name": "the till", "scopes": ["points:read"], "allowed_ips": ""}
    page = manager.post(pages.adding(ApiKey), said)
    key = ApiKey.objects.get(program=program)
    manager.post(pages.of(key, "revoke"))
    manager.post(pages.of(key, "revoke"))

    made, revoked = entries(object_id=str(key.pk))
    assert (made.action, made.facts["values"]["scopes"]) == ("added", ["points:read"])
    assert revoked.action == "revoked"
    assert key.secret_prefix not in str(made.facts)
    assert page.status_code == 200


def test_tells_of_commands(program: Program) -> None:
    call_command("create_api_key", programme=program.slug, name="a shop", verbosity=0)
    slug = f"new-{secrets.token_hex(6)}"
    call_command("create_programme", slug, verbosity=0)

    [made] = entries(program=program)
    assert (made.actor, made.user_id, made.facts["name"]) == ("create_api_key", None, "a shop")
    new = Program.objects.get(slug=slug)
    assert [entry.object_kind for entry in entries(program=new)] == ["loyalty.program", "loyalty.apikey"]


def test_tells_of_staff_accounts(superuser: Browser) -> None:
    name = secrets.token_hex(6)
    superuser.post(pages.adding(User), {"username": name, "password1": PASSWORD, "password2": PASSWORD})
    user = User.objects.get(username=name)
    cashier = Group.objects.get(name="Cashier")
    sent = {"username": name, "is_active": "on", "is_staff": "on", "email": "somebody@example.com"}
    superuser.post(pages.of(user), sent | {"groups": [cashier.pk]})
    password = f"{pages.of(user).removesuffix('change/')}password/"
    superuser.post(password, {"password1": f"{PASSWORD}-2", "password2": f"{PASSWORD}-2"})

    added, changed, anew = entries(object_kind="auth.user", object_id=str(user.pk))
    assert (added.action, added.program) == ("added", None)
    assert changed.facts["values"] == {"groups": {"from": [], "to": ["Cashier"]}}
    assert changed.facts["fields"] == ["email", "groups"]
    assert anew.facts == {"name": name, "fields": ["password"]}
    assert PASSWORD not in str([entry.facts for entry in (added, changed, anew)])


def test_tells_of_roles(superuser: Browser) -> None:
    name = secrets.token_hex(6)
    superuser.post(pages.adding(Group), {"name": name, "permissions": []})
    group = Group.objects.get(name=name)
    assert [entry.action for entry in entries(object_kind="auth.group", object_id=str(group.pk))] == ["added"]

    support = Group.objects.get(name="Support")
    support.permissions.clear()
    call_command("roles", verbosity=0)
    newest = entries(object_kind="auth.group", object_id=str(support.pk))[-1]
    assert (newest.actor, newest.action) == ("roles", "changed")
    assert "points.adjust_points" in newest.facts["permissions"]


def test_tells_who_signed_in_and_who_tried() -> None:
    user = User.objects.create_user(secrets.token_hex(6), password=PASSWORD, is_staff=True)
    for password in ("wrong", PASSWORD):
        Client().post(reverse("admin:login"), {"username": user.username, "password": password})

    failed, signed_in = entries(object_kind="auth.user", object_id=str(user.pk))
    assert (failed.action, failed.actor, failed.facts["address"]) == ("sign_in_failed", user.username, "127.0.0.1")
    assert (signed_in.action, signed_in.user_id) == ("signed_in", user.pk)


def test_tells_who_changed_the_password_of_their_own() -> None:
    user = User.objects.create_user(secrets.token_hex(6), password=PASSWORD, is_staff=True)
    browser = Client()
    browser.force_login(user)
    page = reverse("admin:password_change")
    sent = {"old_password": "wrong", "new_password1": f"{PASSWORD}-2", "new_password2": f"{PASSWORD}-2"}
    assert browser.post(page, sent).status_code == 200
    assert entries(object_kind="auth.user", object_id=str(user.pk)) == []

    changed = browser.post(page, sent | {"old_password": PASSWORD})
    assert changed.headers["Location"] == reverse("admin:password_change_done")

    [entry] = entries(object_kind="auth.user", object_id=str(user.pk))
    assert (entry.action, entry.user_id, entry.facts) == (
        "changed",
        user.pk,
        {"name": user.username, "fields": ["password"]},
    )
    user.refresh_from_db()
    assert user.check_password(f"{PASSWORD}-2")


def test_changes_no_password_that_it_cannot_tell_of(monkeypatch: pytest.MonkeyPatch) -> None:
    user = User.objects.create_user(secrets.token_hex(6), password=PASSWORD, is_staff=True)
    browser = Client(raise_request_exception=False)
    browser.force_login(user)
    monkeypatch.setattr(audit, "record", mock.Mock(side_effect=DatabaseError))
    sent = {"old_password": PASSWORD, "new_password1": f"{PASSWORD}-2", "new_password2": f"{PASSWORD}-2"}
    assert browser.post(reverse("admin:password_change"), sent).status_code >= 500
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_one_of_two_changes_a_password_at_once() -> None:
    user = User.objects.create_user(secrets.token_hex(6), password=PASSWORD, is_staff=True)
    browsers = [Client(), Client()]
    for browser in browsers:
        browser.force_login(user)

    def change(browser: Client) -> str | None:
        sent = {"old_password": PASSWORD, "new_password1": f"{PASSWORD}-2", "new_password2": f"{PASSWORD}-2"}
        return browser.post(reverse("admin:password_change"), sent).headers.get("Location")

    # The other one is told that the former password is wrong, or to sign in again where it comes late.
    led_to = at_once(*[partial(change, browser) for browser in browsers])
    assert led_to.count(reverse("admin:password_change_done")) == 1
    assert len(entries(object_kind="auth.user", object_id=str(user.pk))) == 1


def test_lets_nobody_change_a_password_who_is_not_signed_in() -> None:
    answer = Client().post(reverse("admin:password_change"), {"old_password": PASSWORD})
    assert answer.headers["Location"].startswith(reverse("admin:login"))


def test_keeps_no_user_name_that_nobody_has() -> None:
    with time_machine.travel(days(400), tick=False):
        Client().post(reverse("admin:login"), {"username": "my-secret-password", "password": "oops"})
        [entry] = entries(action="sign_in_failed", at=days(400))
    assert (entry.actor, entry.user_id, entry.object_id) == ("unknown", None, "")
    assert "my-secret" not in str(entry.facts)


def test_is_not_filled_by_somebody_who_tries_passwords() -> None:
    with time_machine.travel(days(500), tick=False):
        for n in range(32):
            Client().post(reverse("admin:login"), {"username": f"nobody-{n}", "password": "oops"})
        assert AuditEntry.objects.filter(action="sign_in_failed", at=days(500)).count() == 30
    with time_machine.travel(days(500) + datetime.timedelta(minutes=1), tick=False):
        Client().post(reverse("admin:login"), {"username": "nobody", "password": "oops"})
    assert AuditEntry.objects.filter(action="sign_in_failed", at__gt=days(500)).count() == 1


# Persons


def test_names_customers_by_their_ids_alone(program: Program, customer: Customer, card: Card, till: Till) -> None:
    everybody = staff("Erna", [], is_superuser=True)
    till.award(10)
    said = {"name": "Alice Baker", "email": "baker@example.com", "phone": "", "external_id": "x-77", "metadata": "{}"}
    assert everybody.post(pages.of(customer), said).status_code == 302
    everybody.post(pages.of(customer, "issue"), {"design": "Gold"})
    everybody.post(pages.of(card, "block"), {"reason": "Baker lost it"})
    bob = CustomerFactory(program=program, name="Bob Brown")
    everybody.post(f"{pages.of(customer, 'merge')}?into={bob.pk}")
    everybody.post(pages.of(bob, "erase"))

    assert about(customer) == ["changed", "issued", "merged"]
    assert about(bob) == ["merged", "erased"]
    told = str([(entry.facts, entry.actor) for entry in entries(program=program)])
    for word in ("Alice", "Baker", "baker@", "x-77", "Bob", "lost"):
        assert word not in told
    [changed] = entries(object_id=str(customer.pk), action="changed")
    assert set(changed.facts["fields"]) >= {"name", "email", "external_id"}


# One transaction


def test_undoes_what_it_cannot_tell_of(
    *, adjuster: Browser, program: Program, definition: PointDefinition, customer: Customer, card: Card, till: Till
) -> None:
    everybody = staff("Erna", [], is_superuser=True)
    till.award(10)
    key, _ = api_keys.generate(program=program, name="till")
    endpoint = endpoints.create(program=program, url="https://shop.example/events", event_types=["*"])
    bob = CustomerFactory(program=program, name="Bob Brown")
    user = User.objects.create_user(secrets.token_hex(6))
    sent = {"definition": definition.pk, "points": "50", "reason": "Goodwill", "key": str(uuid.uuid4())}
    deeds: list[tuple[str, dict[str, Any]]] = [
        (pages.of(customer, "adjust"), sent),
        (pages.of(card, "block"), {"reason": "Lost"}),
        (pages.of(card, "replace"), {"reason": "Lost"}),
        (pages.of(customer, "issue"), {"design": "Gold"}),
        (f"{pages.of(customer, 'merge')}?into={bob.pk}", {}),
        (pages.of(customer, "erase"), {}),
        (pages.of(key, "revoke"), {}),
        (pages.of(endpoint, "rotate"), {}),
        (pages.of(endpoint, "pause"), {}),
        (pages.of(endpoint, "remove"), {}),
        (f"{pages.of(user).removesuffix('change/')}password/", {"password1": PASSWORD, "password2": PASSWORD}),
    ]

    def now() -> list[Any]:
        rows: list[models.Model] = [customer, bob, card, key, endpoint, user]
        kept = [type(row)._base_manager.filter(pk=row.pk).values() for row in rows]
        return [list(row) for row in kept] + [list(customer.cards.values()), till.everything()]

    before = now()
    for address, said in deeds:
        with without_room_in_the_log():
            everybody.post(address, said)
        assert now() == before, address


# The list


def test_is_read_by_those_who_may(auditor: Browser, manager: Browser, program: Program) -> None:
    manager.post(
        pages.adding(Program), {"name": "New", "slug": f"n-{program.slug}", "currency": "EUR", "timezone": "UTC"}
    )
    entry = entries(user_id=manager.user.pk)[-1]

    assert manager.get(pages.listing(AuditEntry)).status_code == 403
    assert manager.get(pages.of(entry)).status_code == 403
    assert "Audit log" not in pages.text(manager.get(reverse("admin:index")))
    page = pages.text(auditor.get(pages.of(entry)))
    assert f"name New slug n-{program.slug}" in page
    assert f"{manager.user.username} Added New" in pages.text(
        auditor.get(pages.listing(AuditEntry), {"user": str(manager.user.pk)})
    )


def test_is_changed_by_nobody(superuser: Browser, program: Program) -> None:
    call_command("create_api_key", programme=program.slug, verbosity=0)
    [entry] = entries(program=program)

    assert superuser.get(pages.adding(AuditEntry)).status_code == 403
    assert superuser.post(pages.of(entry), {"actor": "nobody"}).status_code == 403
    assert superuser.post(pages.of(entry, "delete"), {"post": "yes"}).status_code == 403
    assert entries(program=program) == [entry]


def test_is_filtered_by_programme_action_person_and_day(
    *, auditor: Browser, adjuster: Browser, manager: Browser, program: Program, customer: Customer, card: Card
) -> None:
    definition = program.definitions.get()
    sent = {"definition": definition.pk, "points": "50", "reason": "Goodwill", "key": str(uuid.uuid4())}
    adjuster.post(pages.of(customer, "adjust"), sent)
    with time_machine.travel(days(1), tick=False):
        manager.post(pages.of(card, "block"), {"reason": "Lost"})
        manager.post(pages.of(CardFactory(customer=customer), "block"), {"reason": "Lost"})

    def listed(**said: str) -> list[str]:
        answer = auditor.get(pages.listing(AuditEntry), {"program": str(program.pk)} | said)
        assert answer.status_code == 200
        return [entry.action for entry in answer.context["cl"].result_list]

    assert listed() == ["blocked", "blocked", "adjusted"]
    assert listed(action__exact="adjusted") == ["adjusted"]
    assert listed(user=str(manager.user.pk)) == ["blocked", "blocked"]
    assert listed(at__gte="2026-03-03 00:00:00+00:00") == ["blocked", "blocked"]
    assert listed(q=adjuster.user.username) == ["adjusted"]
    assert listed(q=str(card.pk)) == ["blocked"]
    assert listed(q="nobody") == []
    assert listed(program="none", user=str(manager.user.pk)) == []
    # Somebody wrote the address by hand.
    for nonsense in ("nobody", "-1", "9" * 30, "\N{SUPERSCRIPT TWO}"):
        assert listed(user=nonsense) == []
    assert auditor.get(pages.listing(AuditEntry), {"q": "\0"}).status_code == 302


def test_says_points_exactly(till: Till, program: Program, customer: Customer, superuser: Browser) -> None:
    fine = PointDefinition.objects.create(program=program, number=7, code="fine", name="Fine", decimal_places=2)
    sent = {"definition": fine.pk, "points": "1000.10", "reason": "Goodwill", "key": str(uuid.uuid4())}
    superuser.post(pages.of(customer, "adjust"), sent)
    [entry] = entries(program=program, action="adjusted")
    assert Decimal(entry.facts["points"]) == Decimal("1000.10")
