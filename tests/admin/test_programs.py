"""Programmes in the admin: made with their points, changed without breaking what names them."""

import secrets

from loyalty.models import Program
from tests.admin import pages
from tests.admin.conftest import Browser


def test_makes_one_with_its_default_points(manager: Browser) -> None:
    slug = f"shop-{secrets.token_hex(6)}"

    answer = manager.post(
        pages.adding(Program), {"name": "New Shop", "slug": slug, "currency": "EUR", "timezone": "Europe/Riga"}
    )

    made = Program.objects.get(slug=slug)
    assert answer.status_code == 302
    assert (made.name, made.timezone, made.is_sandbox) == ("New Shop", "Europe/Riga", False)
    assert [(d.code, d.is_default) for d in made.definitions.all()] == [("points", True)]


def test_refuses_a_time_zone_that_there_is_not(manager: Browser) -> None:
    slug = f"shop-{secrets.token_hex(6)}"

    answer = manager.post(
        pages.adding(Program), {"name": "New Shop", "slug": slug, "currency": "EUR", "timezone": "Mars/Olympus"}
    )

    assert "“Mars/Olympus” is not a time zone" in pages.text(answer)
    assert not Program.objects.filter(slug=slug).exists()


def test_shows_the_page_again_for_a_time_zone_that_there_is_not(manager: Browser, program: Program) -> None:
    changes = {"name": "Renamed", "currency": "EUR", "timezone": "Mars/Olympus", "locale": "lt"}

    answer = manager.post(pages.of(program), changes)

    assert "“Mars/Olympus” is not a time zone" in pages.text(answer)
    assert Program.objects.get(pk=program.pk).name == "Corner Shop"


def test_changes_the_limit_but_neither_slug_nor_sandbox(manager: Browser, program: Program) -> None:
    changes = {"name": "Renamed", "currency": "EUR", "timezone": "UTC", "locale": "lt", "transaction_limit": ""}

    manager.post(pages.of(program), changes | {"slug": "mine", "is_sandbox": "on"})

    changed = Program.objects.get(pk=program.pk)
    assert (changed.name, changed.locale, changed.transaction_limit) == ("Renamed", "lt", None)
    assert (changed.slug, changed.is_sandbox) == (program.slug, False)


def test_allows_transfers_up_to_so_many_a_day(manager: Browser, program: Program) -> None:
    said = {"name": "Corner Shop", "currency": "EUR", "timezone": "UTC", "locale": "en", "transfers_enabled": "on"}

    manager.post(pages.of(program), said | {"transfer_daily_points": "-5"})
    assert not Program.objects.get(pk=program.pk).transfers_enabled

    manager.post(pages.of(program), said | {"transfer_daily_points": "500"})
    changed = Program.objects.get(pk=program.pk)
    assert (changed.transfers_enabled, changed.transfer_daily_points) == (True, 500)


def test_says_that_a_slug_is_taken(manager: Browser, program: Program) -> None:
    said = {"name": "New Shop", "slug": program.slug, "currency": "EUR", "timezone": "UTC"}

    answer = manager.post(pages.adding(Program), said)

    assert "Another programme has this slug." in pages.text(answer)
    assert Program.objects.filter(slug=program.slug).count() == 1
