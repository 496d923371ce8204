"""Addresses of the admin's pages, and what a person reads on them."""

import html
import re
from typing import Any

from django.db import models
from django.urls import reverse
from django.utils.html import strip_tags


def of(row: models.Model, action: str = "") -> str:
    """This will answer the address of a row's page, or of something that can be done there."""
    page = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return f"{page.removesuffix('change/')}{action}/" if action else page


def listing(model: type[models.Model]) -> str:
    """This will answer the address of a list."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def adding(model: type[models.Model]) -> str:
    """This will answer the address of the page that makes a row."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")


def text(response: Any, *, status: int = 200) -> str:
    """This will answer what the page says, with single spaces and hyphens for minus signs."""
    assert response.status_code == status, response
    body = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(strip_tags(body.replace("<", " <"))).split()).replace("\N{MINUS SIGN}", "-")


def in_place(response: Any) -> dict[str, str]:
    """This will answer what the page offers to do to the rows of its tables, as in "Reverse, #1", and where."""
    found = re.findall(r'<a href="([^"]+)" [^>]*aria-label="([^"]+)">', response.content.decode())
    return {html.unescape(label): html.unescape(address) for address, label in found}


def hidden_key(response: Any) -> str:
    """This will answer the key that the page's form carries."""
    found = re.search(r'name="key" value="([^"]+)"', response.content.decode())
    assert found is not None
    return found.group(1)
