"""Alice's card in a shop in Vilnius, seen by staff of four kinds at NOON."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from cards.models import Card, Customer
from events.models import WebhookEndpoint
from loyalty.models import Program
from points import definitions
from points.models import AccountRef, PointDefinition
from staff.models import AdjustmentLimit
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import NOON, Till

RULES = ["tier", "tierscheme", "earningrule", "earningscheme", "campaign"]
WORDS = ["voucherrule", "descriptiontext", "reward", "noticesettings", "noticetemplate"]
HOOKS = ["webhookendpoint"]
LEDGER = ["pointaccount", "pointtransaction", "rewardvoucher", "redemption", "event", "delivery"]
LOOKED_AT = ["program", "customer", "card", "pointdefinition", *LEDGER, "rulebook", *RULES, *WORDS, *HOOKS]
MANAGED = ["program", "apikey", "customer", "card", "pointdefinition", *RULES, *WORDS, *HOOKS]
REMOVED = ["tier", "earningrule", "campaign", "descriptiontext", "noticetemplate", *HOOKS]

VIEWER = [f"view_{model}" for model in LOOKED_AT]
CASHIER = ["use_till"]
ADJUSTER = [*VIEWER, "adjust_points", "use_redemption", "cancel_redemption"]
MANAGER = [
    *VIEWER,
    *(f"{verb}_{model}" for model in MANAGED for verb in ("view", "add", "change")),
    *(f"delete_{model}" for model in REMOVED),
]


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture(autouse=True)
def quiet(at_noon: None) -> Iterator[None]:
    """Leaves nothing behind that other tests would send."""
    yield
    WebhookEndpoint.objects.filter(deleted_at=None).update(deleted_at=NOON)


@pytest.fixture
def program() -> Program:
    """Whole points that expire after 12 months, by the clocks of Vilnius."""
    slug = f"shop-{secrets.token_hex(6)}"
    return definitions.create_program(slug=slug, name="Corner Shop", timezone="Europe/Vilnius")


@pytest.fixture
def definition(program: Program) -> PointDefinition:
    return definitions.find(program, None)


@pytest.fixture
def customer(program: Program) -> Customer:
    # Searches go through all programmes, where other tests have left their Alices.
    email = f"alice-{secrets.token_hex(6)}@example.com"
    return CustomerFactory(program=program, name="Alice Adams", email=email, phone="+370 600 11111")


@pytest.fixture
def card(customer: Customer) -> Card:
    return CardFactory(customer=customer)


@pytest.fixture
def account(program: Program, definition: PointDefinition, customer: Customer) -> AccountRef:
    return AccountRef(program=program, definition=definition, customer_id=customer.pk)


@pytest.fixture
def till(account: AccountRef) -> Till:
    return Till(account)


class Browser(Client):
    """Of a member of staff who is logged in."""

    def __init__(self, user: User) -> None:
        super().__init__()
        self.user = user
        self.force_login(user)


def staff(first_name: str, permissions: list[str], **facts: Any) -> Browser:
    """This will answer the browser of somebody who may do this."""
    username = f"{first_name.lower()}-{secrets.token_hex(6)}"
    values = {"username": username, "first_name": first_name, "last_name": "Brown", "is_staff": True}
    user = User.objects.create_user(**values | facts)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return Browser(user)


@pytest.fixture
def viewer() -> Browser:
    return staff("Vera", VIEWER)


def trust(browser: Browser, program: Program, *, at_once: int | None = None, a_day: int | None = None) -> Browser:
    """This will let somebody adjust so many points without a second person; None: any number."""
    role = Group.objects.create(name=f"role-{secrets.token_hex(6)}")
    browser.user.groups.add(role)
    AdjustmentLimit.objects.create(program=program, group=role, most_points=at_once, most_points_a_day=a_day)
    return browser


@pytest.fixture
def adjuster(program: Program) -> Browser:
    return trust(staff("Adam", ADJUSTER), program)


@pytest.fixture
def cashier() -> Browser:
    return staff("Cathy", CASHIER)


@pytest.fixture
def manager() -> Browser:
    return staff("Mary", MANAGER)


@pytest.fixture
def eraser() -> Browser:
    return staff("Ernest", [*VIEWER, "erase_customer"])


@pytest.fixture
def superuser() -> Browser:
    return staff("Ruth", [], is_superuser=True)
