"""Serializer fields over the plain readers of `loyalty.api.values`, described as callers see them."""

import functools
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.drainage import set_override
from rest_framework import serializers

from loyalty import ids
from loyalty.api import values

MOMENT_SCHEMA = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}],
    "example": "2026-01-02T15:45:00Z",
}
KEY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]{1,255}$"}
CARD_NUMBER_SCHEMA = {"pattern": "^LC[0-9]{12}$", "example": "LC012345678901"}
METADATA_SCHEMA = {"type": "object", "additionalProperties": {}, "example": {"order_total": 50.0}}


class ValueField(serializers.Field):
    """Reads a value with a plain function; writes it as it is, for the renderer knows how."""

    # DRF's own words, which it does not have in every language.
    default_error_messages = {"required": _("This field is required."), "null": _("This field may not be null.")}

    def __init__(self, read: Callable[[Any], Any], described_as: Any, **options: Any) -> None:
        """Take a function of `values`, and a schema or a serializer that describes what it reads."""
        super().__init__(**options)
        self.read = read
        set_override(self, "field", described_as)

    def to_internal_value(self, data: Any) -> Any:
        """This will read the value.

        Raises:
            serializers.ValidationError: it is refused; the code is the rule that it broke.
        """
        try:
            return self.read(data)
        except values.Fault as fault:
            raise serializers.ValidationError(fault.text, code=fault.rule) from fault

    def to_representation(self, value: Any) -> Any:
        """This will answer the value as it is."""
        return value


def optional(**options: Any) -> dict[str, Any]:
    """This will answer the options of a field that may be left out or null, which is the same."""
    return {"required": False, "allow_null": True, "default": None, **options}


class PositivePoints(ValueField):
    """A number of points above zero."""

    def __init__(self, **options: Any) -> None:
        schema = {"type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 999999999999999, "example": 100}
        super().__init__(values.positive, schema, **options)


class SignedPoints(ValueField):
    """A number of points of either sign, not zero."""

    def __init__(self, **options: Any) -> None:
        schema = {"type": "number", "minimum": -999999999999999, "maximum": 999999999999999, "example": -50}
        super().__init__(values.not_zero, schema, **options)


class StartingPoints(ValueField):
    """A number of points that is not negative."""

    def __init__(self, **options: Any) -> None:
        schema = {"type": "number", "minimum": 0, "maximum": 999999999999999, "example": 50}
        super().__init__(values.not_negative, schema, **options)


class Text(ValueField):
    """A text, empty where it may be."""

    def __init__(
        self, *, max_length: int, may_be_empty: bool = False, example: str | None = None, **options: Any
    ) -> None:
        read = values.text if may_be_empty else values.filled_text
        schema: dict[str, Any] = {"type": "string", "maxLength": max_length} | (
            {} if may_be_empty else {"minLength": 1}
        )
        if example is not None:
            schema["example"] = example
        super().__init__(functools.partial(read, max_length=max_length), schema, **options)


class Code(ValueField):
    """A word that rows are named by."""

    def __init__(self, **options: Any) -> None:
        super().__init__(values.code, {"type": "string", "pattern": values.CODE_PATTERN, "maxLength": 50}, **options)


class Email(ValueField):
    """An e-mail address."""

    def __init__(self, **options: Any) -> None:
        schema = {"type": "string", "format": "email", "maxLength": values.MAX_EMAIL, "example": "jane@example.com"}
        super().__init__(values.email, schema, **options)


class Locale(ValueField):
    """A language, perhaps as a country speaks it."""

    def __init__(self, **options: Any) -> None:
        schema = {
            "type": "string",
            "pattern": values.LOCALE_PATTERN,
            "maxLength": values.MAX_LOCALE,
            "example": "lt-LT",
        }
        super().__init__(values.locale, schema, **options)


class Key(ValueField):
    """An idempotency key."""

    def __init__(self, **options: Any) -> None:
        super().__init__(values.key, KEY_SCHEMA, **options)


class Metadata(ValueField):
    """A JSON object of the caller's own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(values.metadata, METADATA_SCHEMA, **options)


class Moment(ValueField):
    """A time; a bare date is read as the day that it names, see `values.start` and `values.end`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(values.moment, MOMENT_SCHEMA, **options)


class Whole(ValueField):
    """A whole number of a query string."""

    def __init__(self, *, minimum: int, maximum: int, **options: Any) -> None:
        schema = {"type": "integer", "minimum": minimum, "maximum": maximum}
        super().__init__(functools.partial(values.whole, minimum=minimum, maximum=maximum), schema, **options)


class Integer(ValueField):
    """A whole number of a body."""

    def __init__(self, *, minimum: int, maximum: int, **options: Any) -> None:
        schema = {"type": "integer", "minimum": minimum, "maximum": maximum}
        super().__init__(functools.partial(values.integer, minimum=minimum, maximum=maximum), schema, **options)


class FromOne(ValueField):
    """A whole number of a query string, from 1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(functools.partial(values.at_least, minimum=1), {"type": "integer", "minimum": 1}, **options)


class SerialInput(ValueField):
    """The number of a row in the shop's API, also as a string of digits."""

    def __init__(self, **options: Any) -> None:
        number = {"type": "integer", "minimum": 1, "maximum": 10**values.MAX_DIGITS - 1}
        digits = {"type": "string", "pattern": values.SERIAL_PATTERN}
        super().__init__(values.serial, {"anyOf": [number, digits], "example": 1043}, **options)


class Money(ValueField):
    """An amount of money, or of goods, also as a string of digits."""

    def __init__(
        self,
        *,
        least: str = "0.01",
        most: str = "999999999999999",
        places: int = 2,
        example: float = 25.99,
        **options: Any,
    ) -> None:
        number = {"type": "number", "minimum": float(least), "maximum": float(most)}
        # Told by the pattern: floats are no multiples of 0.01.
        digits = {"type": "string", "pattern": rf"^[0-9]{{1,15}}(\.[0-9]{{1,{places}}})?$"}
        read = functools.partial(values.money, least=Decimal(least), most=Decimal(most), places=places)
        super().__init__(read, {"anyOf": [number, digits], "example": example}, **options)


class Currency(ValueField):
    """The code of a currency."""

    def __init__(self, **options: Any) -> None:
        super().__init__(values.currency, {"type": "string", "pattern": "^[A-Z]{3}$", "example": "EUR"}, **options)


class Flag(ValueField):
    """True or false."""

    def __init__(self, **options: Any) -> None:
        super().__init__(values.flag, {"type": "boolean"}, **options)


class Choice(ValueField):
    """One of a few words."""

    def __init__(self, *, among: tuple[str, ...], **options: Any) -> None:
        read = functools.partial(values.choice, among=among)
        super().__init__(read, {"type": "string", "enum": list(among)}, **options)


class UniqueId(ValueField):
    """A UUID, with its dashes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(values.unique_id, {"type": "string", "pattern": values.UNIQUE_ID_PATTERN}, **options)


class Word(ValueField):
    """One of a few words, in any case."""

    def __init__(self, *, among: tuple[str, ...], **options: Any) -> None:
        told = f"In any case, one of: {', '.join(f'`{word}`' for word in among)}. "
        options["help_text"] = told + options.get("help_text", "")
        # No enumeration: it would say that other cases are refused.
        super().__init__(functools.partial(values.word, among=among), {"type": "string"}, **options)


class PublicId(serializers.Field):
    """A key as callers see it."""

    def __init__(self, prefix: str, **options: Any) -> None:
        super().__init__(**options)
        self.prefix = prefix
        example = f"{prefix}_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0"
        set_override(self, "field", {"type": "string", "pattern": f"^{prefix}_[0-9a-f]{{32}}$", "example": example})

    def to_representation(self, value: uuid.UUID) -> str:
        """This will write the key."""
        return ids.public(self.prefix, value)


class Written(serializers.Field):
    """A value of an answer that the renderer writes as it is, described by a schema."""

    schema: Mapping[str, Any] = {}

    def __init__(self, **options: Any) -> None:
        schema = {**self.schema, **options.pop("schema", {})}
        super().__init__(**options)
        set_override(self, "field", schema)

    def to_representation(self, value: Any) -> Any:
        """This will answer the value as it is."""
        return value


class Amount(Written):
    """An exact number of points."""

    schema = {"type": "number", "example": 100}


class Time(Written):
    """A moment, written in UTC."""

    schema = {"type": "string", "format": "date-time", "example": "2026-01-02T15:45:00Z"}


class Uuid(Written):
    """A key as the accounts face writes it."""

    schema = {"type": "string", "format": "uuid"}


class Words(Written):
    """A text."""

    schema = {"type": "string"}


class Count(Written):
    """A whole number."""

    schema = {"type": "integer", "example": 1}


class Bool(Written):
    """True or false."""

    schema = {"type": "boolean"}


class Object(Written):
    """A JSON object of the caller's own."""

    schema = METADATA_SCHEMA
