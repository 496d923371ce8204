"""Lists in pages, by number or by cursor."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from loyalty import errors
from loyalty.api import values

LIMIT = OpenApiParameter("limit", {"type": "integer", "minimum": 1}, description="A larger one is lowered to 100.")
PARAMETERS = [OpenApiParameter("page", {"type": "integer", "minimum": 1}, description="From 1."), LIMIT]

SHOP_PARAMETERS = [
    PARAMETERS[0],
    OpenApiParameter("per_page", {"type": "integer", "minimum": 1}, description="Default 15. Above 50 it is 50."),
]


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


class ShopPages(Pages):
    """Pages as the shop face names them: `per_page`, 15 of at most 50."""

    page_size = 15
    page_size_query_param = "per_page"
    max_page_size = 50

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
