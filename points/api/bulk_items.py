"""Reading the items of a bulk flat, without serializers: a thousand of those would cost more than the database does.

A test holds that what is read here is what `BulkItemInput` describes.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from loyalty import errors, idempotency
from loyalty.api import serializers, values
from loyalty.models import ApiKey, Scope
from points import ledger
from points.api import management_shapes as shapes
from points.models import EntryType


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """An item that is well-formed: how it names its account, and what it says."""

    type: EntryType
    card: str | None
    customer: str | None
    definition: str | None
    facts: Mapping[str, Any]
    note: ledger.Note
    key: idempotency.Key | None


def read(data: Any, api_key: ApiKey) -> Item | errors.Refusal:
    """This will read an item, or say what is wrong with it: the first fault, in the order of the fields."""
    try:
        found = _fields(data)
        kind = EntryType(found["type"])
        if kind != EntryType.ADJUST:
            values.positive(found["points"])
        key = _key(data, found["idempotency_key"])
    except values.AmountFault as fault:
        return errors.InvalidPoints(fault.value, fault.text)
    except errors.InvalidParameters as refusal:
        return refusal
    if kind == EntryType.ADJUST and Scope.POINTS_ADJUST not in api_key.scopes:
        return errors.Forbidden([Scope.POINTS_ADJUST])
    return Item(
        type=kind,
        card=found["card_id"],
        customer=found["customer_id"],
        definition=found["definition"],
        facts=_facts(found, kind, api_key),
        note=ledger.Note(
            reason=found["reason"],
            actor=api_key.key_id,
            reference=found["reference"] or None,
            staff_member=found["staff_member"] or None,
            metadata=found["metadata"],
        ),
        key=key,
    )


def _fields(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise errors.InvalidParameters({"transactions": ["Each item must be a JSON object."]}, rule="type")
    if faults := shapes.naming_faults(data):
        raise serializers.refusal(faults)
    found = {}
    for name, is_required, reader in _FIELDS:
        value = data.get(name)
        if value is None and is_required:
            raise errors.InvalidParameters({name: ["This field is required."]}, rule="required")
        try:
            found[name] = None if value is None else reader(value)
        except values.AmountFault:
            raise
        except values.Fault as fault:
            raise errors.InvalidParameters({name: [fault.text]}, rule=fault.rule) from fault
    return found


def _facts(found: Mapping[str, Any], kind: EntryType, api_key: ApiKey) -> dict[str, Any]:
    facts = {"points": found["points"]}
    if kind == EntryType.AWARD:
        zone = ZoneInfo(api_key.program.timezone)
        moments = {name: found[name] for name in ("valid_from", "expires_at") if found[name] is not None}
        facts |= {name: values.start(moment, zone) for name, moment in moments.items()}
    return facts


def _key(data: Mapping[str, Any], key: str | None) -> idempotency.Key | None:
    if key is None:
        return None
    fields = {name: value for name, value in data.items() if name != "idempotency_key"}
    return idempotency.Key(key=key, fingerprint=idempotency.fingerprint(method="ITEM", path="", body=fields))


def _text(max_length: int) -> Callable[[Any], str]:
    return functools.partial(values.text, max_length=max_length)


def _filled(max_length: int) -> Callable[[Any], str]:
    return functools.partial(values.filled_text, max_length=max_length)


# (name, is it required, how it is read), in the order of the serializer's fields.
_FIELDS: tuple[tuple[str, bool, Callable[[Any], Any]], ...] = (
    ("card_id", False, _filled(100)),
    ("customer_id", False, _filled(100)),
    ("definition", False, _filled(50)),
    ("points", True, values.not_zero),
    ("reason", True, _filled(255)),
    ("reference", False, _text(255)),
    ("staff_member", False, _text(255)),
    ("metadata", False, values.metadata),
    ("type", True, functools.partial(values.choice, among=("award", "redeem", "adjust"))),
    ("valid_from", False, values.moment),
    ("expires_at", False, values.moment),
    ("idempotency_key", False, values.key),
)
