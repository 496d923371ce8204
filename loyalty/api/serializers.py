"""The bases of serializers: those that read what callers send, and those that write what they are answered."""

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any, Self, cast

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import PolymorphicProxySerializer, inline_serializer
from rest_framework import serializers
from rest_framework.settings import api_settings

from loyalty import errors
from loyalty.api import fields

Faults = dict[str, list[serializers.ErrorDetail]]

_KINDS = {
    "email": errors.InvalidEmail,
    "nul": errors.Malformed,
    "required": errors.MissingParameters,
    "source": errors.InvalidSource,
}


class Input(serializers.Serializer):
    """Reads a body or a query string; its fields are in the order in which faults are told."""

    default_error_messages = {"invalid": _("Must be a JSON object.")}

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

    def to_internal_value(self, data: Any) -> Any:
        """This will read the fields; what is wrong with several of them together is told before the faults of one."""
        faults = self.faults_together(data) if isinstance(data, Mapping) else {}
        try:
            read = super().to_internal_value(data)
        except serializers.ValidationError as failure:
            raise serializers.ValidationError(faults | cast(dict[str, Any], failure.detail)) from failure
        if faults:
            raise serializers.ValidationError(faults)
        return read

    def faults_together(self, data: Mapping[str, Any]) -> Faults:
        """This will say what is wrong with several fields together, as they were sent."""
        return {}

    @classmethod
    @functools.cache
    def _shared(cls) -> Self:
        # Reading keeps nothing on the serializer, and making one anew for each request costs more than reading.
        return cls()


class Query(Input):
    """Reads a query string."""

    @classmethod
    def read(cls, data: Mapping[str, str]) -> dict[str, Any]:
        """This will answer what the caller chose; an empty value is how many clients say that nothing was.

        Raises:
            errors.InvalidParameters: a value is malformed.
        """
        return super().read({name: value for name, value in data.items() if value})


class Output(serializers.Serializer):
    """Writes an object's attributes as a dictionary for the renderer. It describes the answer, too."""

    @classmethod
    def write(cls, source: Any, /, **known: Any) -> dict[str, Any]:
        """This will answer the fields of an object; those that are `known` already are taken as they are."""
        answer = {}
        for name, attribute, write in cls._plan():
            if name in known:
                answer[name] = known[name]
            else:
                value = attribute(source)
                answer[name] = None if value is None else write(value)
        return answer

    @classmethod
    @functools.cache
    def _plan(cls) -> list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]:
        # Worked out once: DRF's own loop over the fields costs several times as much on a list of entries.
        return [
            (name, operator.attrgetter(str(field.source)), field.to_representation)
            for name, field in cls().fields.items()
        ]


@functools.cache
def success(answer: type[serializers.Serializer]) -> serializers.Serializer:
    """This will describe the envelope of a success of the management face."""
    always = fields.Bool(schema={"enum": [True]})
    return inline_serializer(f"{answer.__name__}Answer", {"success": always, "data": answer()})


def either(name: str, *answers: serializers.Serializer) -> PolymorphicProxySerializer:
    """This will describe an answer that has one of several shapes."""
    return PolymorphicProxySerializer(name, list(answers), resource_type_field_name=None)


def refusal(detail: Any, data: Any = None) -> errors.Refusal:
    """This will word what DRF found wrong as the refusal of its first fault."""
    faults = dict(_flat(detail, ""))
    field, first = next((name, codes[0]) for name, codes in faults.items())
    told = {name: [str(text) for text in texts] for name, texts in faults.items()}
    if first.code == "points" and isinstance(data, Mapping):
        return errors.InvalidPoints(data[field], str(first), faults=told)
    return _KINDS.get(first.code, errors.InvalidParameters)(told, rule=first.code)


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
