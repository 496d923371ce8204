"""The base of serializers that read what callers send."""

import functools
from collections.abc import Mapping
from typing import Any, Self

from rest_framework import serializers
from rest_framework.settings import api_settings

from loyalty import errors


class Input(serializers.Serializer):
    """Reads a body or a query string; its fields are in the order in which faults are told."""

    @classmethod
    def read(cls, data: Any) -> dict[str, Any]:
        """This will answer what the caller sent, read field by field.

        Raises:
            errors.InvalidPoints, errors.InvalidEmail: the first fault is in an amount, in an address.
            errors.InvalidParameters: the first fault is any other.
        """
        try:
            return cls._shared().run_validation(data)
        except serializers.ValidationError as failure:
            raise refusal(failure.detail, data) from failure

    @classmethod
    @functools.cache
    def _shared(cls) -> Self:
        # Reading keeps nothing on the serializer, and making one anew for each request costs more than reading.
        return cls()


def refusal(detail: Any, data: Any = None) -> errors.Refusal:
    """This will word what DRF found wrong as the refusal of its first fault."""
    faults = dict(_flat(detail, ""))
    field, first = next((name, codes[0]) for name, codes in faults.items())
    if first.code == "points" and isinstance(data, Mapping):
        return errors.InvalidPoints(data[field], str(first))
    kind = errors.InvalidEmail if first.code == "email" else errors.InvalidParameters
    return kind({name: [str(text) for text in texts] for name, texts in faults.items()}, rule=first.code)


def _flat(detail: Any, path: str) -> list[tuple[str, list[Any]]]:
    """This will name nested faults with dots."""
    if isinstance(detail, dict):
        return [fault for name, inner in detail.items() for fault in _flat(inner, _joined(path, name))]
    if isinstance(detail, list) and not all(isinstance(item, str) for item in detail):
        return [fault for index, inner in enumerate(detail) for fault in _flat(inner, _joined(path, str(index)))]
    return [(path or "body", detail if isinstance(detail, list) else [detail])]


def _joined(path: str, name: str) -> str:
    if name == api_settings.NON_FIELD_ERRORS_KEY:
        return path or "body"
    return f"{path}.{name}" if path else name
