"""What each role of the service sees and does: every page of the admin and every action, as each of the six."""

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import models
from django.test import RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from campaigns.models import AwardCampaign, Segment
from cards.models import Card
from events import deliveries, endpoints
from exchange.models import Import
from jobs.models import JobRun
from loyalty import api_keys
from loyalty.models import Program
from notices.kinds import Kind
from notices.models import Notice, NoticeSettings, NoticeTemplate
from points import ledger
from points.models import DescriptionText, Hold, PointDefinition, PointTransaction, Rulebook
from rewards import catalogue, vouchers
from rewards.models import VoucherRule
from staff import audit, roles
from staff.audit_models import Action, AuditEntry
from staff.models import AdjustmentLimit, AdjustmentReason, AdjustmentRequest, AdjustmentSettings
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.points.till import NOON, Till
from tests.rewards.shop import Shop

C, S, M, F, A, X = "Cashier", "Support", "Manager", "Finance", "Auditor", "Administrator"
ALL = {C, S, M, F, A, X}
NOBODY: set[str] = set()
READERS = {S, M, F, A, X}
RULERS = {M, X}

# By table: who sees its list and pages, who changes and adds rows, who deletes them, and who may do what else there.
TABLES: dict[str, dict[str, set[str]]] = {
    "loyalty_program": {"view": READERS, "change": {X}, "add": {X}},
    "loyalty_apikey": {"view": {A, X}, "change": {X}, "add": {X}, "revoke": {X}},
    "auth_user": {"view": {A, X}, "change": {X}, "add": {X}, "password_change": {X}},
    "auth_group": {"view": {A, X}, "change": {X}, "add": {X}},
    "cards_customer": {
        "view": READERS,
        "change": {S, M, X},
        "add": {S, M, X},
        "serve": {C, S, M, X},
        "adjust": {S, M, X},
        "issue": {S, M, X},
        "merge": {S, M, X},
        "erase": {M, X},
    },
    "cards_card": {
        "view": READERS,
        "change": {S, M, X},
        # Cards are issued on the page of a customer.
        "add": NOBODY,
        **{verb: {S, M, X} for verb in ("block", "unblock", "activate", "replace")},
    },
    "points_pointaccount": {"view": READERS, "adjust": {S, M, X}, "release": {S, M, X}},
    "points_pointtransaction": {"view": READERS, "reverse": {S, M, X}},
    "points_pointdefinition": {"view": READERS, "change": {X}, "add": {X}, "make_default": {X}},
    "points_campaign": {
        "view": {M, F, A, X},
        "change": RULERS,
        "add": RULERS,
        "remove": RULERS,
        "preview": {M, F, A, X},
    },
    "points_earningrule": {
        "view": {M, F, A, X},
        "change": RULERS,
        "add": RULERS,
        "remove": RULERS,
        "preview": {M, F, A, X},
    },
    "points_earningscheme": {"view": {M, F, A, X}, "change": RULERS, "add": RULERS, "remove": NOBODY},
    "points_rulebook": {"view": {M, F, A, X}},
    "points_descriptiontext": {"view": {M, A, X}, "change": RULERS, "add": RULERS, "delete": RULERS},
    "tiers_tier": {"view": READERS, "change": RULERS, "add": RULERS, "remove": RULERS},
    "tiers_tierscheme": {"view": {M, F, A, X}, "change": RULERS, "add": RULERS, "remove": NOBODY},
    "rewards_reward": {"view": READERS, "change": RULERS, "add": RULERS},
    "rewards_voucherrule": {"view": {M, F, A, X}, "change": RULERS, "add": RULERS},
    "rewards_rewardvoucher": {"view": READERS},
    "rewards_redemption": {"view": READERS, "use": {S, M, X}, "cancel": {S, M, X}},
    "notices_notice": {"view": {S, M, A, X}, "send_again": {S, M, X}},
    "notices_noticesettings": {"view": {M, A, X}, "change": RULERS, "add": RULERS},
    "notices_noticetemplate": {
        "view": {M, A, X},
        "change": RULERS,
        "add": RULERS,
        "delete": RULERS,
        "preview": {M, A, X},
        # It saves nothing.
        "draft": {M, A, X},
    },
    "events_event": {"view": {M, A, X}},
    "events_delivery": {"view": {M, A, X}, "redeliver": {X}},
    "events_webhookendpoint": {
        "view": {M, A, X},
        "change": {X},
        "add": {X},
        **{verb: {X} for verb in ("test", "pause", "resume", "rotate", "remove")},
    },
    "jobs_jobrun": {"view": {A, X}},
    "campaigns_segment": {
        "view": {M, F, A, X},
        "change": RULERS,
        "add": RULERS,
        "count": {M, F, A, X},
    },
    "campaigns_awardcampaign": {
        "view": {M, F, A, X},
        "change": RULERS,
        "add": RULERS,
        **{key: {M, F, A, X} for key in ["preview", "progress", "download", "customers"]},
        **dict.fromkeys(["start", "pause", "resume", "cancel", "undo"], RULERS),
    },
    "exchange_import": {
        "view": {M, A, X},
        "change": NOBODY,
        "add": RULERS,
        "template": {M, A, X},
        "faults": {M, A, X},
        "export": {M, F, A, X},
        "confirm": RULERS,
        "cancel": RULERS,
    },
    "staff_auditentry": {"view": {A, X}},
    "staff_adjustmentrequest": {
        "view": READERS,
        "approve": {M, F, X},
        "refuse": {M, F, X},
        "withdraw": {S, M, X},
    },
    "staff_adjustmentreason": {"view": {M, F, A, X}, "change": RULERS, "add": RULERS},
    "staff_adjustmentlimit": {"view": {M, F, A, X}, "change": {X}, "add": {X}, "remove": {X}},
    "staff_adjustmentsettings": {"view": {M, F, A, X}, "change": {X}, "add": {X}},
}
# What a customer's page offers beside its balances, holds, cards and entries.
IN_PLACE = {
    ("cards_customer", "adjust"): {"Adjust"},
    ("cards_customer", "serve"): {"Award", "Redeem"},
    ("points_pointaccount", "release"): {"Release"},
    ("cards_card", "block"): {"Block", "Replace"},
    ("points_pointtransaction", "reverse"): {"Reverse"},
}
# What can be done to several rows of a list.
ACTIONS = {("notices_notice", "send_selected"): {S, M, X}}
DASHBOARD = "dashboard"
TILL = {"till", "till_find", "till_customer", "till_code"}
FOR_ALL_STAFF = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n", "app_list"}
# They answer by what is asked for: no field asks the first, and no row has a page elsewhere. There is no list of all
# that can be searched.
FOR_NOBODY = {"autocomplete", "view_on_site", "search"}


def somebody(role: str) -> Browser:
    browser = staff(role, [])
    browser.user.groups.add(Group.objects.get(name=role))
    return browser


@pytest.fixture
def rows(program: Program, definition: PointDefinition, card: Card, till: Till) -> dict[str, Any]:
    """A row of every table that has pages, by the table's name."""
    VoucherRule.objects.create(definition=definition, point_value="0.01")
    till.award(1000)
    entry = till.post(ledger.hold, points=Decimal(30), lasts=datetime.timedelta(hours=2))
    endpoint = endpoints.create(program=program, url="https://shop.example/events", event_types=["*"])
    delivery = deliveries.send_test(program=program, endpoint_id=endpoint.pk, at=NOON)
    till.award(1)
    reward = catalogue.create(program=program, name="Coffee", points_cost=Decimal(100))
    code = Shop(program).redeem(till, reward)
    voucher = vouchers.convert(account=till.account, points=Decimal(100), actor="till", at=NOON, voucher_id=entry.id)
    program.campaigns.create(code="double", name="Double days", factor=2)
    newest = PointTransaction.objects.filter(account_id=till.account.id).latest("version")
    event = program.events.latest("pk")
    found: list[Any] = [
        program,
        definition,
        card,
        card.customer,
        till.row(),
        newest,
        reward,
        code,
        voucher,
        endpoint,
        delivery,
    ]
    segment = Segment.objects.create(
        program=program, name="All", definition=definition, changed_by="test", changed_at=NOON
    )
    found += [event, definition.voucher_rule, program.campaigns.get()]
    found += [
        program.tiers.latest("pk"),
        program.tier_scheme,
        program.earning_rules.latest("pk"),
        program.earning_scheme,
        Rulebook.objects.filter(program=program).latest("pk"),
        api_keys.generate(program=program, name="till")[0],
        DescriptionText.objects.create(program=program, code="Bonus.Points", language="en", text="Stars"),
        NoticeSettings.objects.create(program=program),
        NoticeTemplate.objects.create(program=program, kind=Kind.TIER_UP, language="en", subject="Up", text="Up"),
        Notice.objects.create(
            program=program, customer=card.customer, event_id=event.pk, kind=Kind.TIER_UP, facts={}, state="failed"
        ),
        JobRun.objects.create(
            task_path="points.tasks.settle",
            args_kwargs={"args": [], "kwargs": {}},
            backend_name="default",
            run_after=NOON,
        ),
        User.objects.create_user(f"user-{program.slug}"),
        Group.objects.create(name=f"group-{program.slug}"),
        AdjustmentReason.objects.create(program=program, code="goodwill", name="Goodwill"),
        AdjustmentSettings.objects.create(program=program),
        segment,
        AwardCampaign.objects.create(
            program=program, name="Spring", reason="Spring", definition=definition, points=5, segment=segment
        ),
        Import.objects.create(
            program=program,
            kind="customers",
            state="checked",
            file_name="file.csv",
            file_type="csv",
            file_size=1,
            uploaded_by="test",
        ),
    ]
    limit = AdjustmentLimit.objects.create(program=program, group=found[-6])
    request = AdjustmentRequest.objects.create(
        program=program,
        definition=definition,
        customer=card.customer,
        points=5,
        reason="Complaint",
        asked_by=found[-7],
        asked_at=NOON,
        expires_at=NOON + datetime.timedelta(days=7),
    )
    audit.record(action=Action.ADDED, by="test", about=limit, at=NOON)
    found += [limit, request, AuditEntry.objects.filter(program=program).latest("pk")]
    return {_table(row): row for row in found}


def _table(row: models.Model) -> str:
    return f"{row._meta.app_label}_{row._meta.model_name}"


def patterns() -> dict[str, str]:
    """The names of all pages below /admin/, and their routes."""
    return {str(p.name): route for p, route in _walk(get_resolver().url_patterns, "") if route.startswith("admin/")}


def _walk(found: list[Any], prefix: str) -> Iterator[tuple[URLPattern, str]]:
    for pattern in found:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        elif pattern.name is not None:
            yield pattern, route


def test_every_page_is_in_the_table() -> None:
    """Whoever adds a page says here whose it is."""
    usual = {"view": ("changelist", "change", "history"), "add": ("add",), "delete": ("delete",)}
    told = {name: set(verbs) | {"view", "add", "delete"} for name, verbs in TABLES.items()}
    pages = {
        f"{table}_{page}"
        for table, verbs in told.items()
        for verb in verbs - {"change"}
        for page in usual.get(verb, [verb])
    }
    assert set(patterns()) == pages | TILL | {DASHBOARD} | FOR_ALL_STAFF | FOR_NOBODY
    assert {_table(model) for model in admin.site._registry} == TABLES.keys()


def address(name: str, rows: dict[str, Any], till: Till) -> str:
    program, table = rows["loyalty_program"], "_".join(name.split("_")[:2])
    match name:
        case "points_pointaccount_release":
            hold = Hold.objects.get(account_id=till.account.id)
            return reverse(f"admin:{name}", args=[hold.account_id, hold.id])
        case "notices_noticetemplate_preview":
            return reverse(f"admin:{name}", args=[program.pk, "tier_up", "en"])
        case "exchange_import_template":
            return reverse(f"admin:{name}", args=["customers"])
        case "till" | "dashboard":
            return reverse(name)
        case "till_find":
            return reverse(name, args=[program.slug])
        case "till_customer":
            return reverse(name, args=[program.slug, rows["cards_customer"].pk])
        case "till_code":
            return reverse(name, args=[program.slug, rows["rewards_redemption"].code])
    is_of_a_row = re.search(r"<((path|uuid):object_)?id>", patterns()[name])
    return reverse(f"admin:{name}", args=[rows[table].pk] if is_of_a_row else [])


def opens(browser: Browser, where: str) -> bool:
    # The draft that is typed is sent to its page.
    answer = browser.post(where, {"program": "", "kind": ""}) if where.endswith("/draft/") else browser.get(where)
    assert answer.status_code in (200, 302, 403, 404), f"{where}: {answer.status_code}"
    # A page that is gone leads to the first one.
    return answer.status_code in (200, 302) and answer.headers.get("Location") != reverse("admin:index")


@pytest.mark.parametrize("role", sorted(ALL))
def test_opens_the_pages_that_the_table_says(role: str, rows: dict[str, Any], till: Till) -> None:
    browser = somebody(role)
    # One without settings, which others have already.
    Program.objects.create(slug=f"bare-{rows['loyalty_program'].slug}", name="Bare Shop")
    found, said = {}, {}
    for table, verbs in TABLES.items():
        for verb, who in ({"add": NOBODY, "delete": NOBODY} | verbs).items():
            if verb == "change":
                page = browser.get(address(f"{table}_change", rows, till))
                found[f"{table} saved"] = page.status_code == 200 and 'name="_save"' in page.content.decode()
                said[f"{table} saved"] = role in who
                continue
            for name in ["changelist", "change", "history"] if verb == "view" else [verb]:
                found[f"{table}_{name}"] = opens(browser, address(f"{table}_{name}", rows, till))
                said[f"{table}_{name}"] = role in who
    assert {name: opened for name, opened in found.items() if opened != said[name]} == {}


@pytest.mark.parametrize("role", sorted(ALL))
def test_uses_the_till_or_not(role: str, rows: dict[str, Any], till: Till) -> None:
    browser = somebody(role)
    for name in TILL:
        assert opens(browser, address(name, rows, till)) == (role in {C, S, M, X}), name


@pytest.mark.parametrize("role", sorted(ALL))
def test_sees_the_dashboard_or_not(role: str, rows: dict[str, Any], till: Till) -> None:
    assert opens(somebody(role), address(DASHBOARD, rows, till)) == (role in {M, F, A, X})


@pytest.mark.parametrize("role", sorted(ALL))
def test_is_offered_on_a_customers_page_what_the_table_lets_it_do(role: str, rows: dict[str, Any], till: Till) -> None:
    browser = somebody(role)
    found = pages.in_place(browser.get(address("cards_customer_change", rows, till)))
    said = [words for (table, verb), words in IN_PLACE.items() if role in READERS & TABLES[table][verb]]
    assert {label.partition(",")[0] for label in found} == set().union(*said)
    assert [where for where in found.values() if not opens(browser, where)] == []


@pytest.mark.parametrize("role", sorted(ALL))
def test_may_do_to_several_rows_what_the_table_says(role: str) -> None:
    request = RequestFactory().get("/admin/")
    request.user = somebody(role).user
    found = {
        (_table(model), str(name)) for model, page in admin.site._registry.items() for name in page.get_actions(request)
    }
    assert found == {action for action, who in ACTIONS.items() if role in who}


def test_names_permissions_that_exist() -> None:
    known = {f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")}
    assert {name for names in roles.ROLES.values() for name in names} <= known
    assert set(roles.EVERYTHING) <= known


def test_are_made_by_migrate_and_brought_back_by_the_command() -> None:
    support = Group.objects.get(name="Support")
    before = set(support.permissions.all())
    support.permissions.set(Permission.objects.filter(codename="change_user"))
    told = StringIO()

    call_command("roles", stdout=told)
    assert told.getvalue() == "Brought up to date: Support.\n"
    assert set(support.permissions.all()) == before

    call_command("roles", stdout=told)
    assert told.getvalue().endswith("All roles are as they should be.\n")


def test_are_not_changed_in_the_admin(superuser: Browser) -> None:
    support = Group.objects.get(name="Support")
    before = set(support.permissions.all())

    answer = superuser.post(
        reverse("admin:auth_group_change", args=[support.pk]), {"name": "Support", "permissions": []}
    )

    assert answer.status_code == 403
    assert set(support.permissions.all()) == before
