"""How a deed that a form asks for is done."""

from collections.abc import Callable
from typing import TypeVar

from django import forms
from django.db import transaction

from loyalty import console, errors, retry

Result = TypeVar("Result")


def run(form: forms.Form, deed: Callable[[], Result]) -> Result | None:
    """This will do it in a transaction, and answer what it answers; a refusal is shown on the form."""

    def once() -> Result:
        with transaction.atomic():
            return deed()

    try:
        return retry.run(once, repeatable=False)
    except errors.Refusal as refusal:
        console.tell(form, refusal)
        return None
