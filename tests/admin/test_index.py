"""The first page and the sidebar: what somebody may do, and a search that finds a customer."""

import re

import pytest
from django.contrib import admin
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils.html import strip_tags

from cards.models import Customer
from loyalty.models import Program
from staff import adjusting
from tests.admin import pages
from tests.admin.conftest import Browser, staff
from tests.factories import CustomerFactory


def test_groups_links_by_what_people_do(superuser: Browser) -> None:
    page = superuser.get(reverse("admin:index")).content.decode()

    assert "What would you like to do?" in page
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page, flags=re.DOTALL)
    groups = ["Customers", "Points", "Rewards", "Programme", "Integrations", "System"]
    # Of the sidebar, and of the page.
    assert [strip_tags(heading).strip() for heading in headings] == [*groups, "Find a customer", *groups]


def test_links_each_page_once(superuser: Browser) -> None:
    page = superuser.get(reverse("admin:index")).content.decode()
    links = re.findall(r'<a href="(/admin/[^"?]*)" class="[^"]*flex h-\[38px\]', page)

    assert len(links) == len(set(links))
    for model in admin.site._registry:
        assert pages.listing(model) in links, model


def test_marks_one_link_for_each_page(superuser: Browser) -> None:
    for name in ("points_earningrule_changelist", "points_earningrule_preview", "exchange_import_export"):
        address = reverse(f"admin:{name}")
        page = superuser.get(address).content.decode()
        marked = re.findall(r'<a href="([^"]+)" class="[^"]*\bactive\b', page)
        assert marked == [address], name


def test_says_how_many_requests_wait(superuser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjusting, "waiting", lambda **_: 17)
    page = pages.text(superuser.get(reverse("admin:index")))
    # In the sidebar, and on the page.
    assert len(re.findall(r"Adjustment requests 17\b", page)) == 2


def test_heads_a_page_with_a_row_as_it_is_called(viewer: Browser, program: Program) -> None:
    customer = CustomerFactory(program=program, name="", external_id="c-17", email=None)
    page = viewer.get(pages.of(customer)).content.decode()
    title = re.search(r"<h1.*?</h1>", page, flags=re.DOTALL)
    assert title is not None
    assert strip_tags(title[0]).split() == ["Customers", "chevron_right", "c-17"]


def test_writes_the_moments_of_a_history_as_all_others(superuser: Browser, program: Program) -> None:
    said = {"program": program.pk, "kind": "cards", "format": "csv"}
    superuser.get(reverse("admin:exchange_import_export"), said).close()
    assert "2 Mar 2026, 12:00 UTC" in pages.text(superuser.get(pages.of(program, "history")))


def test_heads_a_page_with_the_list_and_the_row(viewer: Browser, customer: Customer) -> None:
    title = re.search(r"<h1.*?</h1>", viewer.get(pages.of(customer)).content.decode(), flags=re.DOTALL)
    assert title is not None
    assert strip_tags(title[0]).split() == ["Customers", "chevron_right", "Alice", "Adams"]


def test_shows_only_what_somebody_may_see(viewer: Browser) -> None:
    page = viewer.get(reverse("admin:index")).content.decode()

    assert pages.listing(Customer) in page
    assert "/admin/loyalty/apikey/" not in page
    assert "/admin/auth/user/" not in page


def test_offers_no_search_to_somebody_who_sees_no_customers() -> None:
    page = pages.text(staff("Nora", []).get(reverse("admin:index")))

    assert "Find a customer" not in page


def test_its_search_leads_to_the_list_of_customers(viewer: Browser, customer: Customer) -> None:
    page = viewer.get(reverse("admin:index")).content.decode()
    assert f'<form action="{pages.listing(Customer)}" method="get" role="search"' in page

    assert "Alice Adams" in pages.text(viewer.get(pages.listing(Customer), {"q": str(customer.pk)}))


def test_everything_that_it_loads_is_in_the_installed_packages(viewer: Browser) -> None:
    page = viewer.get(reverse("admin:index")).content.decode()
    loaded = re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="([^"]+)"', page)

    assert len(loaded) > 5
    for address in loaded:
        assert address.startswith("/static/"), address
        assert finders.find(address.removeprefix("/static/")) is not None, address
