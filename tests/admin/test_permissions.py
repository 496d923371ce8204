"""Looking, adjusting and managing are three different things to be allowed to do."""

import secrets
from typing import Any

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse

from cards.models import Card, Customer
from events import deliveries, endpoints
from events.models import Delivery, Event, WebhookEndpoint
from loyalty import api_keys
from loyalty.models import ApiKey, Program
from points.models import (
    AccountRef,
    Campaign,
    EarningRule,
    EarningScheme,
    PointAccount,
    PointDefinition,
    PointLot,
    PointTransaction,
    Rulebook,
)
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.points.till import NOON, Till
from tiers.models import Tier, TierScheme

RULES = [Tier, TierScheme, EarningRule, EarningScheme, Campaign]
TOLD = [WebhookEndpoint, Delivery, Event]
LOOKED_AT = [Customer, Card, PointAccount, PointTransaction, PointDefinition, Program, Rulebook, *RULES, *TOLD]


@pytest.fixture
def rows(program: Program, definition: PointDefinition, card: Card, till: Till) -> dict[type[models.Model], Any]:
    """A row of every table."""
    endpoint = endpoints.create(program=program, url="https://shop.example/events", event_types=["*"])
    delivery = deliveries.send_test(program=program, endpoint_id=endpoint.pk, at=NOON)
    entry = till.award(100)
    key, _ = api_keys.generate(program=program, name="till")
    program.campaigns.create(code="double", name="Double days", factor=2)
    found = [program, definition, card, card.customer, till.row(), PointTransaction.objects.get(pk=entry.pk), key]
    found += [endpoint, delivery, program.events.get(subject_id=entry.pk)]
    found += [model.objects.filter(program=program).latest("pk") for model in [Rulebook, *RULES]]
    return {type(row): row for row in found}


@pytest.mark.parametrize("model", LOOKED_AT)
def test_a_viewer_sees_lists_and_pages(viewer: Browser, rows: dict[Any, Any], model: type[models.Model]) -> None:
    assert viewer.get(pages.listing(model)).status_code == 200
    page = viewer.get(pages.of(rows[model]))
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()


def test_a_viewer_sees_no_keys(viewer: Browser, rows: dict[Any, Any]) -> None:
    assert viewer.get(pages.listing(ApiKey)).status_code == 403
    assert viewer.get(pages.of(rows[ApiKey])).status_code == 403
    assert "API keys" not in pages.text(viewer.get(reverse("admin:index")))


@pytest.mark.parametrize("model", [Customer, PointAccount])
def test_a_viewer_cannot_adjust(viewer: Browser, rows: dict[Any, Any], till: Till, model: Any) -> None:
    sent = {"definition": till.account.definition.pk, "points": "5", "reason": "Mine", "key": "0" * 32}

    assert "Adjust points" not in pages.text(viewer.get(pages.of(rows[model])))
    assert viewer.get(pages.of(rows[model], "adjust")).status_code == 403
    assert viewer.post(pages.of(rows[model], "adjust"), sent).status_code == 403
    assert till.balance == 100


CHANGES = [
    (Card, "block"),
    (Card, "unblock"),
    (Card, "activate"),
    (Card, "replace"),
    (Customer, "issue"),
    (Customer, "merge"),
    (PointDefinition, "make-default"),
    (ApiKey, "revoke"),
    (Tier, "remove"),
    (EarningRule, "remove"),
    (Campaign, "remove"),
    (WebhookEndpoint, "test"),
    (WebhookEndpoint, "pause"),
    (WebhookEndpoint, "resume"),
    (WebhookEndpoint, "rotate"),
    (WebhookEndpoint, "remove"),
    (Delivery, "redeliver"),
]


@pytest.mark.parametrize("role", ["viewer", "adjuster"])
@pytest.mark.parametrize(("model", "action"), CHANGES)
def test_only_a_manager_changes_cards_definitions_and_keys(
    *, request: pytest.FixtureRequest, manager: Browser, rows: dict[Any, Any], role: str, model: Any, action: str
) -> None:
    somebody = request.getfixturevalue(role)

    assert somebody.get(pages.of(rows[model], action)).status_code == 403
    assert somebody.post(pages.of(rows[model], action), {"reason": "Mine"}).status_code == 403
    assert manager.get(pages.of(rows[model], action)).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "adjuster", "manager", "cashier"])
def test_only_those_erase_who_may(
    request: pytest.FixtureRequest, eraser: Browser, rows: dict[Any, Any], role: str
) -> None:
    somebody = request.getfixturevalue(role)

    assert somebody.get(pages.of(rows[Customer], "erase")).status_code == 403
    assert somebody.post(pages.of(rows[Customer], "erase")).status_code == 403
    assert Customer.objects.get(pk=rows[Customer].pk).name == "Alice Adams"
    assert eraser.get(pages.of(rows[Customer], "erase")).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "adjuster"])
@pytest.mark.parametrize("model", [Program, ApiKey, PointDefinition, Customer, WebhookEndpoint, *RULES])
def test_only_a_manager_adds_rows(
    request: pytest.FixtureRequest, manager: Browser, role: str, model: type[models.Model]
) -> None:
    # One without settings, which others have already.
    Program.objects.create(slug=f"bare-{secrets.token_hex(6)}", name="Bare Shop")
    assert request.getfixturevalue(role).get(pages.adding(model)).status_code == 403
    assert manager.get(pages.adding(model)).status_code == 200


@pytest.mark.parametrize("role", ["viewer", "adjuster"])
@pytest.mark.parametrize("model", [Program, PointDefinition, Customer, Card, Tier, EarningRule, Campaign])
def test_only_a_manager_saves_rows(request: pytest.FixtureRequest, rows: dict[Any, Any], role: str, model: Any) -> None:
    answer = request.getfixturevalue(role).post(pages.of(rows[model]), {"name": "mine", "design": "mine"})

    assert answer.status_code == 403
    assert not model.objects.filter(pk=rows[model].pk, **{"design" if model is Card else "name": "mine"}).exists()


def test_an_adjuster_adjusts(adjuster: Browser, rows: dict[Any, Any]) -> None:
    assert "Adjust points" in pages.text(adjuster.get(pages.of(rows[PointAccount])))
    assert adjuster.get(pages.of(rows[PointAccount], "adjust")).status_code == 200


def test_a_manager_does_not_adjust(manager: Browser, rows: dict[Any, Any]) -> None:
    assert "Adjust points" not in pages.text(manager.get(pages.of(rows[Customer])))
    assert manager.get(pages.of(rows[Customer], "adjust")).status_code == 403


@pytest.mark.parametrize("model", [PointAccount, PointTransaction, Delivery, Event])
def test_nobody_adds_changes_or_deletes_what_the_ledger_writes(
    superuser: Browser, rows: dict[Any, Any], till: Till, model: Any
) -> None:
    before = (till.row(), till.entries())

    assert superuser.get(pages.adding(model)).status_code == 403
    assert superuser.post(pages.adding(model), {"balance": "1000"}).status_code == 403
    assert superuser.post(pages.of(rows[model]), {"balance": "1000", "points": "1000"}).status_code == 403
    assert superuser.post(pages.of(rows[model], "delete"), {"post": "yes"}).status_code == 403
    assert (till.row(), till.entries()) == before


@pytest.mark.parametrize("model", [Program, PointDefinition, Customer, Card, ApiKey, TierScheme, EarningScheme])
def test_nobody_deletes_what_the_ledger_names(superuser: Browser, rows: dict[Any, Any], model: Any) -> None:
    sent = {"action": "delete_selected", "_selected_action": str(rows[model].pk), "post": "yes"}

    assert superuser.post(pages.of(rows[model], "delete"), {"post": "yes"}).status_code == 403
    superuser.post(pages.listing(model), sent)
    assert model.objects.filter(pk=rows[model].pk).exists()
    assert "Delete" not in pages.text(superuser.get(pages.of(rows[model])))


def test_a_cashier_sees_no_lists(cashier: Browser, rows: dict[Any, Any]) -> None:
    for model in [*LOOKED_AT, ApiKey]:
        assert cashier.get(pages.listing(model)).status_code == 403
        assert cashier.get(pages.of(rows[model])).status_code == 403


def test_lots_and_uses_have_no_pages_of_their_own(superuser: Browser, account: AccountRef) -> None:
    assert superuser.get(f"/admin/points/{PointLot._meta.model_name}/").status_code == 404
    assert superuser.get("/admin/points/lotuse/").status_code == 404


def test_somebody_who_may_do_nothing_sees_nothing(rows: dict[Any, Any]) -> None:
    nobody = staff("Nora", [])

    assert nobody.get(reverse("admin:index")).status_code == 200
    for model in [*LOOKED_AT, ApiKey]:
        assert nobody.get(pages.listing(model)).status_code == 403
        assert nobody.get(pages.of(rows[model])).status_code == 403


def test_a_customer_page_shows_no_balance_to_somebody_who_may_not_see_accounts(rows: dict[Any, Any]) -> None:
    somebody = staff("Saul", ["view_customer"])

    page = pages.text(somebody.get(pages.of(rows[Customer])))

    assert "Alice Adams" in page
    assert "Balance" not in page
    assert rows[Card].number not in page


def test_a_stranger_is_asked_to_log_in(rows: dict[Any, Any]) -> None:
    for address in [reverse("admin:index"), pages.of(rows[PointAccount]), pages.of(rows[PointAccount], "adjust")]:
        answer = Client().get(address)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))


def test_logging_in_leads_to_the_index(rows: dict[Any, Any]) -> None:
    somebody = staff("Lena", [])
    somebody.user.set_password("correct-horse-battery")
    somebody.user.save(update_fields=["password"])
    client = Client()
    client.get(reverse("admin:login"))

    answer = client.post(
        reverse("admin:login"), {"username": somebody.user.username, "password": "correct-horse-battery"}
    )

    assert answer["Location"] == reverse("admin:index")
