"""The till in a test: its addresses, and a form as a browser sends it from a page."""

import re
from typing import Any

from django.urls import reverse
from django.utils.html import escape

from cards.models import Customer
from loyalty.models import Program
from tests.admin.conftest import Browser


def search(program: Program) -> str:
    """This will answer where the till asks for a customer."""
    return reverse("till_find", args=[program.slug])


def of(customer: Customer) -> str:
    """This will answer where the till shows a customer."""
    return reverse("till_customer", args=[customer.program.slug, customer.pk])


def of_code(program: Program, code: str) -> str:
    """This will answer where the till shows a code."""
    return reverse("till_code", args=[program.slug, code])


def form(page: Any, deed: str, **said: Any) -> dict[str, Any]:
    """This will answer what a browser sends of a form of the page, filled in like this."""
    fields = {f"{deed}-{name}": value for name, value in said.items()}
    return {"deed": deed, f"{deed}-key": key(page, f"{deed}-key")} | fields


def key(page: Any, name: str) -> str:
    """This will answer the key that a form of the page carries."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page.content.decode())
    assert found is not None, name
    return found.group(1)


def has_typed(page: Any, name: str, value: str) -> bool:
    """This will answer whether a field of the page still has what was typed."""
    return f'name="{name}" value="{escape(value)}"' in page.content.decode()


def do(browser: Browser, customer: Customer, deed: str, **said: Any) -> Any:
    """This will open the customer's page, fill in a form, send it, and answer the page that comes then."""
    page = browser.get(of(customer))
    return browser.post(of(customer), form(page, deed, **said), follow=True)
