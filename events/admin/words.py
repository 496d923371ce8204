"""How events and what receivers answer are written for staff."""

import http
import json

import orjson

from events.models import TEST, Delivery, EventType, Fault, WebhookEndpoint
from loyalty import console

_TEST = "Test"


def kind(code: str) -> str:
    """This will write a type of events in words."""
    return _TEST if code == TEST else dict(EventType.choices).get(code, code)


def kind_and_code(code: str) -> str:
    """This will write a type of events in words, and as receivers see it."""
    return f"{kind(code)} ({code})"


def endpoint(row: WebhookEndpoint) -> str:
    """This will write what an endpoint is known by. The rest of its address is often a word that only those need to
    know who may change it."""
    return f"{row} · {row.description}" if row.description else str(row)


def status(delivery: Delivery) -> str:
    """This will write the status that the last attempt was answered, with its name: 404 Not Found."""
    if delivery.status_code is None:
        return console.NOTHING
    try:
        return f"{delivery.status_code} {http.HTTPStatus(delivery.status_code).phrase}"
    except ValueError:
        return str(delivery.status_code)


def answer(delivery: Delivery) -> str:
    """This will write what came of the last attempt."""
    if delivery.status_code is not None:
        # It was answered, and yet not in time, for example.
        says_all = delivery.fault in ("", Fault.STATUS)
        return status(delivery) if says_all else f"{status(delivery)}: {fault(delivery)}"
    return fault(delivery)


def fault(delivery: Delivery) -> str:
    """This will write why the last attempt failed."""
    return str(Fault(delivery.fault).label) if delivery.fault else console.NOTHING


def lasted(delivery: Delivery) -> str:
    """This will write how long the last attempt took."""
    if delivery.milliseconds is None:
        return console.NOTHING
    if delivery.milliseconds < 1000:
        return f"{delivery.milliseconds}\N{NO-BREAK SPACE}ms"
    return f"{delivery.milliseconds / 1000:.1f}\N{NO-BREAK SPACE}s"


def spread(body: bytes) -> str:
    """This will write JSON over lines, each number with the digits that it has."""
    told = json.loads(body, parse_float=orjson.Fragment, parse_int=orjson.Fragment)
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()
