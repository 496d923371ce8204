"""Lists in pages, by number or by cursor."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from loyalty import errors
from loyalty.api import fields, serializers, values

LIMIT = OpenApiParameter("limit", {"type": "integer", "minimum": 1}, description="A larger one is lowered to 100.")
PARAMETERS = [OpenApiParameter("page", {"type": "integer", "minimum": 1}, description="From 1."), LIMIT]


class Pages(PageNumberPagination):
    """Pages by number: `page` from 1, `limit` lowered to the maximum. A page after the last one is empty."""

    page_size = 20
    page_size_query_param: str = "limit"
    max_page_size: int = 100

    def __init__(self, *, page_size: int | None = None, total: int | None = None) -> None:
        """Take the number of rows where it is known already, so that they are not counted once more."""
        self.page_size = page_size or self.page_size
        self.known_total = total

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """This will answer the rows of the page that the request asks for.

        Raises:
            errors.InvalidParameters: page or limit is below 1 or not a number.
        """
        self.number = _positive(request, "page", default=1)
        most = _positive(request, self.page_size_query_param, default=self.page_size)
        self.limit = min(most, self.max_page_size)
        return self.cut(queryset)

    def cut(self, queryset: Any) -> list[Any]:
        """This will answer the rows of the page, and count all of them where their number is not known."""
        self.total = queryset.count() if self.known_total is None else self.known_total
        first = (self.number - 1) * self.limit
        return list(queryset[first : first + self.limit]) if first < self.total else []

    def description(self) -> dict[str, Any]:
        """This will describe the page as the management face does."""
        pages = -(-self.total // self.limit)
        return {
            "current_page": self.number,
            "per_page": self.limit,
            "total": self.total,
            "total_pages": pages,
            "has_next": self.number < pages,
            "has_prev": self.number > 1,
        }


class ShopPageQuery(serializers.Query):
    """Which page of a list is wanted."""

    page = fields.FromOne(required=False, default=1, help_text="From 1.")
    per_page = fields.FromOne(required=False, default=15, help_text="Above 50 it is 50.")


class ShopPages(Pages):
    """Pages as the shop face names them, by a query that has been read."""

    max_page_size = 50

    def __init__(self, query: Mapping[str, Any], *, total: int | None = None) -> None:
        super().__init__(total=total)
        self.number, self.limit = query["page"], min(query["per_page"], self.max_page_size)

    def description(self) -> dict[str, Any]:
        """This will describe the page as the shop face does: a list of nothing has one page, too."""
        pages = max(-(-self.total // self.limit), 1)
        return {"current_page": self.number, "last_page": pages, "per_page": self.limit, "total": self.total}


def limit_of(request: Request, *, default: int = 20, maximum: int = 100) -> int:
    """This will answer how many rows the request asks for, lowered to the maximum.

    Raises:
        errors.InvalidParameters: it is below 1 or not a number.
    """
    return min(_positive(request, "limit", default=default), maximum)


def _positive(request: Request, name: str, *, default: int) -> int:
    given = request.query_params.get(name)
    # An empty value is how many clients say that nothing was chosen.
    if not given:
        return default
    try:
        return values.at_least(given, 1)
    except values.Fault as fault:
        raise errors.InvalidParameters({name: [fault.text]}, rule=fault.rule) from fault
