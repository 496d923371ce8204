"""Reading the rows of a bulk flat, without serializers: a thousand of those would cost more than the database does.

A test holds that what is read here is what `PointRowInput` describes.
"""

import dataclasses
import functools
import uuid
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from loyalty import errors
from loyalty.api import values
from loyalty.models import Program
from points import external
from points.api import v3_shapes as shapes
from points.external import Kind


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A row that is well-formed: whose account it means, and what it says."""

    contact_id: uuid.UUID
    definition_id: int
    told: external.Transaction


def read(data: Any, program: Program) -> Row | errors.Refusal:
    """This will read a row, or say what is wrong with it: the first fault, in the order of the fields."""
    try:
        found = _fields(data)
        kind = _kind(found)
    except errors.Refusal as refusal:
        return refusal
    zone = ZoneInfo(program.timezone)
    moments = {name: values.optional_start(found[name], zone) for name in _MOMENTS}
    is_update = found["source"] == external.UPDATE_BALANCE
    return Row(
        contact_id=found["contact_id"],
        definition_id=found["definition_id"],
        told=external.Transaction(
            kind=kind,
            amount=found["amount"] if is_update else abs(found["amount"]),
            source=found["source"],
            description=found["description"],
            id=found["transaction_id"],
            dated_at=moments["time_stamp"],
            valid_from=moments["valid_from"],
            valid_to=moments["valid_to"],
        ),
    )


def echo(data: Any) -> Any:
    """This will answer a row as it goes back to its caller: those of its fields that are known, as they were sent."""
    if not isinstance(data, dict):
        return errors.echo(data)
    return {name: _sent(data[name]) for name, _, _ in _FIELDS if name in data}


def _sent(value: Any) -> Any:
    # A text is as long as the body lets it; anything else may be deeper than a writer of JSON goes.
    return value if isinstance(value, str) else errors.echo(value)


def _kind(found: dict[str, Any]) -> Kind:
    if found["source"] == external.UPDATE_BALANCE:
        return Kind.ADJUSTMENT
    if not found["amount"]:
        raise errors.InvalidPoints(found["amount"])
    return Kind.ADDITION if found["amount"] > 0 else Kind.DEDUCTION


def _fields(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise errors.InvalidParameters({"body": ["Each row must be a JSON object."]}, rule="type")
    found = {}
    for name, is_required, reader in _FIELDS:
        value = data.get(name)
        if value is None and is_required:
            raise errors.InvalidParameters({name: ["This field is required."]}, rule="required")
        try:
            found[name] = None if value is None else reader(value)
        except values.AmountFault as fault:
            raise errors.InvalidPoints(fault.value, fault.text) from fault
        except values.Fault as fault:
            raise errors.InvalidParameters({name: [fault.text]}, rule=fault.rule) from fault
    return found


_MOMENTS = ("time_stamp", "valid_from", "valid_to")
# (name, is it required, how it is read), in the order of the serializer's fields.
_FIELDS: tuple[tuple[str, bool, Callable[[Any], Any]], ...] = (
    ("contact_id", True, values.unique_id),
    ("definition_id", True, values.serial),
    ("amount", True, values.amount),
    ("source", True, shapes.read_source),
    ("description", True, functools.partial(values.filled_text, max_length=255)),
    ("time_stamp", False, values.moment),
    ("valid_from", False, values.moment),
    ("valid_to", False, values.moment),
    ("transaction_id", False, values.unique_id),
)
