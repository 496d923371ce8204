"""Writing what happened, in the transaction in which it does: rolled back together, committed together.

A programme that keeps no event log, sends no notices and has no subscriber gets no rows. The database decides that, as
it writes: no process can be late to know of a new subscriber.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.module_loading import import_string

from events.models import Event, EventType
from loyalty.models import Program

# What an object looks like on the v1 face: several at once, all of the programme.
Shape = Callable[[Sequence[Any], Program], list[dict[str, Any]]]

# An account, its customer, and what is told. Of customers and cards, the account is the customer's id.
Told = tuple[uuid.UUID, uuid.UUID, dict[str, Any]]

# The condition on a programme `p`.
LISTENS = (
    "(p.keeps_events OR p.sends_notices OR EXISTS (SELECT FROM events_webhookendpoint w"
    " WHERE w.program_id = p.id AND w.deleted_at IS NULL))"
)


def is_wanted(program_id: uuid.UUID) -> bool:
    """This will tell whether anybody wants to know what happens in a programme."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM loyalty_program p WHERE p.id = %s AND {LISTENS}", [program_id])
        return cursor.fetchone() is not None


def listening() -> list[Program]:
    """This will answer the programmes in which anybody wants to know what happens."""
    return list(Program.objects.raw(f"SELECT p.* FROM loyalty_program p WHERE {LISTENS}"))


def record(kind: EventType, subjects: Iterable[Any], *, program: Program, told: dict[str, Any] | None = None) -> None:
    """This will write that something happened to rows of the programme, told as the v1 face shows them now, with what
    is `told` beside. In the transaction that did it. Rows that still have to be read are read if anybody listens."""
    if not is_wanted(program.pk) or not (rows := list(subjects)):
        return
    named = settings.EVENT_OBJECTS.get(kind.value) or settings.EVENT_OBJECTS[kind.value.partition(".")[0]]
    shape: Shape = import_string(named)
    _write(
        kind,
        (
            (_account_id(row), _customer_id(row), data | (told or {}))
            for row, data in zip(rows, shape(rows, program), strict=True)
        ),
        program=program,
    )


def record_data(kind: EventType, told: Iterable[Told], *, program: Program) -> None:
    """This will write what happened to accounts of the programme, in the transaction in which it did."""
    if is_wanted(program.pk):
        _write(kind, told, program=program)


def _write(kind: EventType, told: Iterable[Told], *, program: Program) -> None:
    now = timezone.now()
    Event.objects.bulk_create(
        [
            Event(
                program=program,
                account_id=account,
                customer_id=customer,
                type=kind.value,
                data=data,
                created_at=now,
            )
            for account, customer, data in told
        ],
        batch_size=1_000,
    )


def _customer_id(row: Any) -> uuid.UUID:
    return getattr(row, "customer_id", None) or row.pk


def _account_id(row: Any) -> uuid.UUID:
    return getattr(row, "account_id", None) or _customer_id(row)


def erase(*, owner_ids: Iterable[uuid.UUID]) -> None:
    """This will take out of the events of accounts and customers what they tell of a person. Those that tell an entry
    tell no more than the entry does."""
    owners = list(owner_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_event SET data = jsonb_strip_nulls(jsonb_build_object('id', data->'id', 'object',"
            " data->'object', 'erased', TRUE)) WHERE account_id = ANY(%s::uuid[]) AND data IS NOT NULL",
            [owners],
        )
        # A receiver may have answered with what it was told.
        cursor.execute(
            "UPDATE events_delivery SET answer = '', is_erased = TRUE WHERE customer_id = ANY(%s::uuid[])", [owners]
        )
