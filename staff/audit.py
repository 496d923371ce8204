"""Writing the audit log, in the transaction of what it tells of."""

import datetime
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import models

from loyalty.middleware import request_id
from loyalty.models import Program
from staff.audit_models import Action, AuditEntry

__all__ = ["Action", "record", "told"]

LONGEST_TEXT = 500
MOST_ITEMS = 200


def record(
    *,
    action: Action,
    by: User | str,
    at: datetime.datetime,
    about: models.Model | None = None,
    program: Program | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """This will note who did what to which row: `by` a member of staff, or by a command of that name.

    The programme is the row's own where none is given. Of a customer the facts tell nothing that is erased with one.
    """
    AuditEntry.objects.create(
        at=at,
        actor=(by.get_username() if isinstance(by, User) else by)[:150],
        user_id=by.pk if isinstance(by, User) else None,
        action=action,
        object_kind="" if about is None else about._meta.label_lower,
        object_id="" if about is None else str(about.pk)[:64],
        program=program or _program_of(about),
        facts={name: told(fact) for name, fact in (facts or {}).items()},
        request_id=request_id.get(),
    )


def told(value: Any) -> Any:
    """This will write a value as the log keeps it: points exactly, rows by their ids, no text without end."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, models.Model):
        return told(value.pk)
    if isinstance(value, Mapping):
        return {str(name)[:LONGEST_TEXT]: told(item) for name, item in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        # Rows that are chosen of many go by their names: a list of numbers says nothing.
        items = [str(item) if isinstance(item, models.Model) else told(item) for item in list(value)[:MOST_ITEMS]]
        return sorted(items) if all(isinstance(item, str) for item in items) else items
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)[:LONGEST_TEXT]


def _program_of(about: models.Model | None) -> Program | None:
    if isinstance(about, Program):
        return about
    for name in ("program", "definition"):
        found = getattr(about, name, None)
        if found is not None:
            return found if isinstance(found, Program) else found.program
    return None
