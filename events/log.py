"""The programme's events in an order that a cursor can rely on, or those of one account by their numbers."""

import datetime
import uuid
from collections.abc import Collection

from django.db import connection
from django.db.models import QuerySet

from events.models import Event, EventType
from loyalty import errors, xids
from loyalty.models import Program

# The types that tell an entry, and have its number.
OF_ENTRIES = frozenset(
    {
        *(EventType.POINTS_EARNED, EventType.POINTS_REDEEMED, EventType.POINTS_ADJUSTED, EventType.POINTS_REVERSED),
        *(EventType.POINTS_EXPIRED, EventType.POINTS_ACTIVATED, EventType.POINTS_HELD, EventType.POINTS_RELEASED),
        EventType.POINTS_TRANSFERRED,
    }
)
# As many are deleted by one statement.
BATCH = 10_000


class EventNotFound(errors.NotFound):
    """The programme has no such event, or keeps it no more."""

    code = "EVENT_NOT_FOUND"
    message = "There is no such event."


def of_program(
    *, program: Program, kind: EventType | None = None, account_ids: Collection[uuid.UUID] | None = None
) -> QuerySet[Event]:
    """This will answer the programme's events, or those of a type, or of some accounts, in the order of the
    transactions that wrote them.

    Left out are the newest, as long as a transaction runs whose events could still come before them.
    """
    events = program.events.order_by("xid", "id")
    if kind is not None:
        events = events.filter(type=kind)
        if kind not in OF_ENTRIES:
            # What the index of types says.
            events = events.filter(sequence=None)
    if account_ids is not None:
        events = events.filter(account_id__in=account_ids)
    return xids.settled(events)


def of_account(*, program: Program, account_id: uuid.UUID, kind: EventType | None, above: int) -> QuerySet[Event]:
    """This will answer the events of an account's entries, or those of a type, by their numbers, those
    `above` one."""
    events = program.events.filter(account_id=account_id, sequence__gt=above).order_by("sequence")
    return events if kind is None else events.filter(type=kind)


def after(events: QuerySet[Event], event: Event) -> QuerySet[Event]:
    """This will answer those events of a programme's list that come after one of them."""
    return xids.later(events, event)


def before(events: QuerySet[Event], event: Event) -> QuerySet[Event]:
    """This will answer those events of a programme's list that come before one of them, the nearest first."""
    return xids.earlier(events, event).reverse()


def above(events: QuerySet[Event], event: Event) -> QuerySet[Event]:
    """This will answer those events of an account's list that come after one of them."""
    return events.filter(sequence__gt=event.sequence)


def below(events: QuerySet[Event], event: Event) -> QuerySet[Event]:
    """This will answer those events of an account's list that come before one of them, the nearest first."""
    return events.filter(sequence__lt=event.sequence).reverse()


def find(*, program: Program, event_id: uuid.UUID | None) -> Event:
    """This will answer the programme's event of that id.

    Raises:
        EventNotFound: there is none.
    """
    event = program.events.filter(pk=event_id).first() if event_id else None
    if event is None:
        raise EventNotFound
    return event


def purge(*, before: datetime.datetime) -> int:
    """This will delete the events that were written before a moment, a batch in each statement, and answer how many."""
    purged = 0
    for program in Program.objects.all():
        while (deleted := _purge(program, before)) == BATCH:
            purged += deleted
        purged += deleted
    return purged


def _purge(program: Program, before: datetime.datetime) -> int:
    # The oldest are the first of the index; the list ends at the first one that is young enough.
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM events_event WHERE (account_id, id) IN ("
            "SELECT account_id, id FROM (SELECT account_id, id, created_at FROM events_event WHERE program_id = %s"
            " ORDER BY xid, id LIMIT %s) oldest WHERE created_at < %s)",
            [program.pk, BATCH, before],
        )
        return cursor.rowcount
