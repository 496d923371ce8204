"""What can be done from the page of a customer without leaving it for good: links to the pages that ask, which lead
back when it is done.

Their addresses say so by a word and not by another address, so that none can be made to lead to another host.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from loyalty import console

_HEADER = "Deed"
_WAY = {"from": "customer"}


class Deed(NamedTuple):
    """A link to a page that asks: its word, and to what it is done, for those who hear one link at a time."""

    word: str
    about: object
    address: str


def leading_back(page: str, *named: object, **query: str) -> str:
    """This will write the address of a page, by its name, that leads back to the customer's."""
    return f"{reverse(page, args=named)}?{urlencode(query | _WAY)}"


def is_from_customer(request: HttpRequest) -> bool:
    """This will answer whether a page was opened from the customer's."""
    return all(request.GET.get(name) == word for name, word in _WAY.items())


def back(request: HttpRequest, customer: models.Model, otherwise: models.Model | console.Titled) -> str:
    """This will answer where a page leads when it is done: to the customer's, if it was opened from there."""
    return console.address(customer if is_from_customer(request) else otherwise)


def with_deeds(table: dict[str, Any], deeds: Sequence[Sequence[Deed]]) -> dict[str, Any]:
    """This will write beside each row of a table what can be done to it; nothing where nothing can be to any."""
    if not any(deeds):
        return table
    rows = [[*row, _cell(links)] for row, links in zip(table["rows"], deeds, strict=True)]
    return {"headers": [*table["headers"], _HEADER], "rows": rows}


def _cell(deeds: Sequence[Deed]) -> SafeString | str:
    links = format_html_join(
        "",
        '<a href="{}" class="text-link whitespace-nowrap" aria-label="{}, {}">{}</a>',
        ((deed.address, deed.word, deed.about, deed.word) for deed in deeds),
    )
    return format_html('<div class="flex flex-row flex-wrap gap-3">{}</div>', links) if links else console.NOTHING
