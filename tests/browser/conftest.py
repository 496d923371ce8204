"""Chromium, on the service as staff have it: pages are loaded whole, with their scripts and styles.

`BROWSER_SHOTS` names a folder in which each page is left as a picture, light and dark, at three widths.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, sync_playwright

from cards.models import Card
from loyalty.models import Program
from points import definitions
from points.models import AccountRef
from staff.models import AdjustmentLimit
from tests.browser.desk import AXE, Desk
from tests.clients.service import serving
from tests.factories import CardFactory, CustomerFactory
from tests.points.till import Till

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PASSWORD = "correct horse battery"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs a browser where there is none, or nothing to look at its pages with."""
    here = Path(__file__).parent
    for item in items:
        if (CHROMIUM is None or not AXE.exists()) and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="chromium or axe-core is not here: make browser"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright runs a loop in this thread, beside which Django would refuse to ask its database. No longer than these
    # tests run: others have loops of their own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def address(django_db_blocker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with django_db_blocker.unblock(), serving(tmp_path_factory.mktemp("browser") / "service.log") as address:
        yield address


@pytest.fixture
def program() -> Program:
    slug = f"shop-{secrets.token_hex(6)}"
    return definitions.create_program(slug=slug, name="Corner Shop", timezone="Europe/Vilnius")


@pytest.fixture
def card(program: Program) -> Card:
    email = f"alice-{secrets.token_hex(6)}@example.com"
    return CardFactory(customer=CustomerFactory(program=program, name="Alice Adams", email=email))


@pytest.fixture
def till(program: Program, card: Card) -> Till:
    definition = definitions.find(program, None)
    return Till(AccountRef(program=program, definition=definition, customer_id=card.customer_id))


@pytest.fixture
def desk(browser: Browser, address: str) -> Iterator[Desk]:
    """A window of somebody who may do everything, logged in."""
    username = f"ruth-{secrets.token_hex(6)}"
    User.objects.create_superuser(username, "ruth@example.com", PASSWORD)
    with Desk.opened(browser, address) as desk:
        desk.log_in(username, PASSWORD)
        yield desk


@pytest.fixture
def support(browser: Browser, address: str, program: Program) -> Iterator[Desk]:
    """A window of somebody of the support, who may adjust 50 points at once."""
    role = Group.objects.get(name="Support")
    AdjustmentLimit.objects.create(program=program, group=role, most_points=50, most_points_a_day=None)
    username = f"adam-{secrets.token_hex(6)}"
    User.objects.create_user(username, password=PASSWORD, is_staff=True).groups.add(role)
    with Desk.opened(browser, address) as desk:
        desk.log_in(username, PASSWORD)
        yield desk
