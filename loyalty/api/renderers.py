"""Writing JSON: points as exact numbers, times in UTC with `Z`."""

import datetime
import json
import uuid
from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise
from drf_orjson_renderer.renderers import ORJSONRenderer

# Without this option orjson writes an aware time with the offset that it happens to have.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME

_INT64_DIGITS = 18
_MOST_DECIMALS = 100


def dumps(value: Any) -> bytes:
    """This will write a value as compact JSON."""
    try:
        return orjson.dumps(value, default=_default, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # Metadata that came by another way than the API may hold whole numbers of more than 64 bits.
        return orjson.dumps(_spelt_out(value), default=_default, option=_OPTIONS)


def plain(value: Any) -> Any:
    """This will answer a value as JSON has it, to be kept."""
    return json.loads(dumps(value))


def number(value: Decimal) -> int | orjson.Fragment:
    """This will write a whole amount as an integer and any other with its decimals: 100, 719.7."""
    # Written out only where that is short: 1e-999999999 has as many digits, and a few bytes of a request ask for them.
    if value and not -_MOST_DECIMALS < value.adjusted() < _INT64_DIGITS:
        return orjson.Fragment(str(value))
    whole = int(value)
    if whole == value:
        return whole
    return orjson.Fragment(f"{value:f}".rstrip("0"))


def _spelt_out(value: Any) -> Any:
    """This will put the digits in the place of each whole number that orjson does not take."""
    if isinstance(value, dict):
        return {name: _spelt_out(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_spelt_out(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return orjson.Fragment(str(value))
    return value


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, uuid.UUID | Promise | str):
        return str(value)
    # DRF's own subclasses of list and dict.
    if isinstance(value, list):
        return list(value)
    if isinstance(value, dict):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


class JSONRenderer(ORJSONRenderer):
    """Writes answers with `dumps`, also those that leave through DRF's `Response`."""

    options = _OPTIONS
    default = staticmethod(_default)
