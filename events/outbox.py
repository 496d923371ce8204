"""Writing what happened, in the transaction in which it does: rolled back together, committed together.

A programme that keeps no event log and has no subscriber gets no rows. The database decides that, as it writes: no
process can be late to know of a new subscriber.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, models
from django.utils import timezone
from django.utils.module_loading import import_string

from events.models import Event, EventType
from loyalty.models import Program

# What an object looks like on the v1 face: several at once, all of the programme.
Shape = Callable[[Sequence[Any], Program], list[dict[str, Any]]]

# The condition on a programme `p`.
LISTENS = (
    "(p.keeps_events OR EXISTS (SELECT FROM events_webhookendpoint w"
    " WHERE w.program_id = p.id AND w.deleted_at IS NULL))"
)


def is_wanted(program_id: uuid.UUID) -> bool:
    """This will tell whether anybody wants to know what happens in a programme."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM loyalty_program p WHERE p.id = %s AND {LISTENS}", [program_id])
        return cursor.fetchone() is not None


def record(kind: EventType, *subjects: models.Model, program: Program, told: dict[str, Any] | None = None) -> None:
    """This will write that something happened to rows of the programme, told as the v1 face shows them now, with what
    is `told` beside. In the transaction that did it."""
    if not subjects or not is_wanted(program.pk):
        return
    shape: Shape = import_string(settings.EVENT_OBJECTS[subjects[0]._meta.label])
    record_data(
        kind,
        (
            (account_id(subject), customer_id(subject), data | (told or {}))
            for subject, data in zip(subjects, shape(subjects, program), strict=True)
        ),
        program=program,
    )


def record_data(
    kind: EventType, data: Iterable[tuple[uuid.UUID, uuid.UUID, dict[str, Any]]], *, program: Program
) -> None:
    """This will write what happened to accounts, each (account id, customer id, what is told), if anybody wants it."""
    now = timezone.now()
    Event.objects.bulk_create(
        [
            Event(
                program=program,
                account_id=account,
                customer_id=customer,
                type=kind.value,
                data=told,
                created_at=now,
            )
            for account, customer, told in data
        ],
        batch_size=1_000,
    )


def customer_id(subject: Any) -> uuid.UUID:
    """This will answer whose a row is."""
    return getattr(subject, "customer_id", None) or subject.pk


def account_id(subject: Any) -> uuid.UUID:
    """This will answer the account that a row has to do with; of a customer and a card, the customer's id."""
    return getattr(subject, "account_id", None) or customer_id(subject)


def erase(*, owner_ids: Iterable[uuid.UUID]) -> None:
    """This will take out of the events of accounts and customers what they tell of a person. Those that tell an entry
    tell no more than the entry does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_event SET data = jsonb_build_object('id', data->'id', 'object', data->'object',"
            " 'erased', TRUE) WHERE account_id = ANY(%s::uuid[]) AND data IS NOT NULL",
            [list(owner_ids)],
        )
