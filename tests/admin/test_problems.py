"""What people read when something is not to be had: words and a way back, in the admin alone."""

from django.http import HttpRequest
from django.test import Client
from django.views import defaults

from cards.models import Customer
from tests.admin import pages
from tests.admin.conftest import Browser


def test_says_that_somebody_may_not(viewer: Browser) -> None:
    assert "You may not do this" in pages.text(viewer.get(pages.adding(Customer)), status=403)


def test_says_that_there_is_nothing(viewer: Browser) -> None:
    assert "There is nothing here" in pages.text(viewer.get("/admin/nowhere/"), status=404)


def test_says_that_a_page_is_too_old(manager: Browser, customer: Customer) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = manager.cookies

    answer = strict.post(pages.of(customer), {"name": "Mallory"})

    assert "This page is too old" in pages.text(answer, status=403)
    assert Customer.objects.get(pk=customer.pk).name == "Alice Adams"


def test_says_that_something_went_wrong() -> None:
    assert "Something went wrong on our side" in pages.text(defaults.server_error(HttpRequest()), status=500)
