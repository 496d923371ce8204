"""Which form a body has and which an answer gets."""

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request


class OneForm(BaseContentNegotiation):
    """Answers in the one form that a view has, whatever the caller accepts; a body must be declared as what it is."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """This will answer the parser of the body's declared type, or None."""
        declared = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == declared), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """This will answer the view's first renderer."""
        return renderers[0], renderers[0].media_type
