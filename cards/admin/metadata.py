"""The field for the metadata of customers and cards."""

from typing import Any

from django import forms
from django.db.models import JSONField
from django.forms.fields import InvalidJSONInput

from loyalty import errors
from loyalty.api import parsers, values


class MetadataField(forms.JSONField):
    """A JSON object as the API takes it; nothing at all is an empty one."""

    def to_python(self, value: Any) -> Any:
        """This will read the object.

        Raises:
            forms.ValidationError: it is none, or the API would refuse it.
        """
        if self.disabled:
            return value
        try:
            return values.metadata(parsers.loads(value.encode())) if value else {}
        except errors.InvalidParameters as refusal:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from refusal
        except values.Fault as fault:
            raise forms.ValidationError(fault.text, code=fault.rule) from fault

    def bound_data(self, data: Any, initial: Any) -> Any:
        """This will show again what was typed, as it was typed."""
        return initial if self.disabled else InvalidJSONInput(data or "")


METADATA = {JSONField: {"form_class": MetadataField}}
