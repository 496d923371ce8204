"""Reading the log of events: each becomes a notice at most once, and none that was there before notices were switched
on."""

import datetime
import types
import uuid

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, F, Func, QuerySet, TextField, Value

from cards.models import Customer
from events import log
from events.models import Event
from loyalty.models import Program
from notices import facts, kinds
from notices.kinds import GROUPS, Kind
from notices.models import Notice, NoticeSettings

# As many events are read in one transaction.
PAGE = 500


def problem() -> str | None:
    """This will say why no notices can be sent, whatever a programme wants; None: they can."""
    if not settings.PUBLIC_URL:
        return "PUBLIC_URL is not set: links to unsubscribe would lead nowhere. Nothing is sent."
    if not settings.SENDS_MAIL:
        return "EMAIL_URL is not set: there is no mail server. Nothing is sent."
    return None


def switch(*, program: Program, is_on: bool) -> None:
    """This will have a programme write notices of what happens from now on, or of nothing any more: what still waits
    is not sent then. Its settings must be there."""
    with transaction.atomic():
        # Those who switch at once, and those who read the log, wait for one another.
        NoticeSettings.objects.select_for_update(no_key=True).get(pk=program.pk)
        changed = Program.objects.filter(pk=program.pk).exclude(sends_notices=is_on).update(sends_notices=is_on)
        if changed and is_on:
            _begin_here(program)
        elif changed:
            waiting = Notice.objects.filter(program=program, state=Notice.State.WAITING)
            waiting.update(
                state=Notice.State.DROPPED, fault=Notice.Fault.SWITCHED_OFF, next_attempt_at=None, sent_at=None
            )
    program.sends_notices = is_on


def follow(*, at: datetime.datetime) -> int:
    """This will write the notices of what has happened, in all programmes that send them, and answer how many. Several
    may do it at once."""
    written = 0
    for program in Program.objects.filter(sends_notices=True).order_by("pk"):
        while (told := _read_on(program.pk, at)) is not None:
            written += told
    return written


def _begin_here(program: Program) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notices_noticesettings SET cursor_xid = pg_snapshot_xmin(s), cursor_id = %s, started_in = s::text"
            " FROM pg_current_snapshot() s WHERE program_id = %s",
            [uuid.UUID(int=0), program.pk],
        )


@transaction.atomic
def _read_on(program_id: uuid.UUID, at: datetime.datetime) -> int | None:
    """This will turn the next page of a programme's events into notices and answer how many; None: there is none, or
    another is at it."""
    rows = NoticeSettings.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
    reader = rows.select_related("program").filter(pk=program_id, program__sends_notices=True).first()
    if reader is None:
        return None
    events = list(_next(reader)[:PAGE])
    if not events:
        return None
    wanted = [event for event in events if event.type in facts.TYPES]
    told = [found for found in facts.of(wanted, at=at) if found.kind in reader.kinds]
    written = _write(reader.program, told, at)
    reader.cursor_xid, reader.cursor_id = events[-1].xid, events[-1].id
    reader.save(update_fields=["cursor_xid", "cursor_id"])
    return written


def _next(reader: NoticeSettings) -> QuerySet[Event]:
    read = types.SimpleNamespace(xid=reader.cursor_xid, id=reader.cursor_id)
    events = log.after(log.of_program(program=reader.program), read)  # type: ignore[arg-type]
    # Of the transactions that were under way then, those that had ended are told apart by the snapshot.
    was_there = Func(
        F("xid"),
        Value(reader.started_in, output_field=TextField()),
        template="pg_visible_in_snapshot(%(expressions)s::pg_snapshot)",
        output_field=BooleanField(),
    )
    return events.alias(was_there=was_there).filter(was_there=False)


def _write(program: Program, told: list[facts.Found], at: datetime.datetime) -> int:
    people = Customer.objects.select_related("merged_into").in_bulk({found.event.customer_id for found in told})
    notices = []
    for found in told:
        customer = people[found.event.customer_id]
        customer = customer.merged_into or customer
        if refusal(customer, found.kind) is None:
            notices.append(
                Notice(
                    program=program,
                    customer=customer,
                    event_id=found.event.id,
                    kind=found.kind,
                    facts=found.facts,
                    created_at=at,
                    next_attempt_at=at,
                )
            )
    return len(Notice.objects.bulk_create(notices, ignore_conflicts=True))


def refusal(customer: Customer, kind: Kind) -> Notice.Fault | None:
    """This will answer why a customer is not to be written to about something; None: there is no reason."""
    if customer.erased_at is not None:
        return Notice.Fault.NO_CUSTOMER
    if not customer.email:
        return Notice.Fault.NO_ADDRESS
    if {kinds.ALL, GROUPS[kind].value}.intersection(customer.unsubscribed_from):
        return Notice.Fault.UNSUBSCRIBED
    return None
