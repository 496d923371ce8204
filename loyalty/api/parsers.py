"""Reading JSON bodies: exact numbers, and nothing that the database could not store."""

import decimal
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser

from loyalty import errors

MAX_BODY = 1024 * 1024
MAX_BULK_BODY = 2 * 1024 * 1024

_INT64_DIGITS = 18
# Postgres stores neither; only an escape can bring one into a body that is valid UTF-8.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class JSONParser(BaseParser):
    """Reads `application/json`, up to the view's `max_body` bytes."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """This will read the body.

        Raises:
            errors.BodyTooLarge: it is longer than the view takes. It is not read then.
            errors.Malformed: it is cut short, not JSON, nested too deeply, or has text that cannot be stored.
        """
        assert parser_context is not None
        limit: int = parser_context["view"].max_body
        request = parser_context["request"]
        length = int(request.META["CONTENT_LENGTH"])
        if length > limit:
            raise errors.BodyTooLarge(maximum_size=limit)
        body = stream.read()
        if len(body) < length:
            # What came may read as JSON all the same; the caller hung up and did not ask for it. (Of a body in chunks
            # the server does not tell whether the last one came.)
            raise errors.Malformed({"body": [_("Cut short.")]}, rule="length")
        return loads(body)


def loads(body: bytes) -> Any:
    """This will read JSON with every number exact: an `int` where it fits 64 bits, else a `Decimal`.

    `NaN` and `Infinity` become decimals too, so that each field refuses them with its own code.

    Raises:
        errors.Malformed: the text is not JSON, nested too deeply, or cannot be stored.
    """
    try:
        text = body.decode("utf-8")
        value = _decoder.decode(text)
        if "\\u" in text:
            _refuse_unstorable(value)
    except RecursionError as failure:
        raise errors.Malformed({"body": [_("Nested too deeply.")]}, rule="max_depth") from failure
    except (ValueError, decimal.InvalidOperation) as failure:
        raise errors.Malformed({"body": [_fault(failure)]}, rule="json") from failure
    return value


def _fault(failure: Exception) -> str:
    """This will say why a text cannot be read, in the language of the request, which Python does not speak."""
    match failure:
        case json.JSONDecodeError():
            place = {"line": failure.lineno, "column": failure.colno}
            return _("Not valid JSON: line %(line)s, column %(column)s.") % place
        case UnicodeDecodeError():
            return _("Not UTF-8.")
        case _Unstorable():
            return _("Text must not hold a NUL character or half a surrogate pair.")
    return _("Holds a number that cannot be read.")


class _Unstorable(ValueError):
    """A text of the body cannot be stored."""


def _integer(digits: str) -> int | Decimal:
    if len(digits) <= _INT64_DIGITS or -(2**63) <= (number := Decimal(digits)) < 2**63:
        return int(digits)
    return number


_decoder = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=Decimal)


def _refuse_unstorable(value: Any) -> None:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise _Unstorable
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_unstorable(name)
            _refuse_unstorable(item)
