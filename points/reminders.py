"""Telling in advance what customers are about to lose: points that expire, and tiers. It writes events and no more.

Each is told once, however often this runs and on however many machines: a row says so, written with the event.
"""

import dataclasses
import datetime
import functools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from events import outbox
from events.models import EventType
from loyalty import retry
from loyalty.models import Program
from points import statements
from points.models import AccountRef, PointDefinition
from points.reminder_models import Reminder
from points.statements import Statement, days_between

# How many days before points end it is told, the last word first.
DAYS = (1, 7, 30)
# How many days before a tier falls it is told, once.
DAYS_OF_A_TIER = 30
# As many accounts are looked at by one statement; as many of them worked out at once, and written in one transaction.
PAGE = 10_000
BATCH = 1_000


@dataclasses.dataclass(slots=True)
class Tally:
    """What there was to tell: accounts looked at, points that end, tiers that fall."""

    accounts: int = 0
    expiring: int = 0
    at_risk: int = 0


class _Account(NamedTuple):
    id: uuid.UUID
    program_id: uuid.UUID
    customer_id: uuid.UUID
    definition_id: uuid.UUID
    is_due: bool


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ExpiringSoon:
    """Points of an account that end on one day, and when it is told."""

    account_id: uuid.UUID
    customer_id: uuid.UUID
    points: Decimal
    expires_at: datetime.datetime
    days: int
    points_balance: Decimal


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class AtRisk:
    """A tier that is lost if nothing more is earned, by name; `falls_to`: None where no other is held then."""

    account_id: uuid.UUID
    customer_id: uuid.UUID
    tier: str
    falls_to: str | None
    until: datetime.datetime
    points_needed: Decimal


def remind(*, at: datetime.datetime) -> Tally:
    """This will tell what ends soon in the accounts of all programmes in which somebody listens, a batch in each
    transaction. It can be repeated, and several may run at once.

    Raises:
        errors.Unavailable: the database did not answer in time. The batches before are written.
    """
    tally = Tally()
    programs = {program.pk: program for program in outbox.listening()}
    for program, accounts in _batches(programs, at, tally):
        retry.run(functools.partial(_tell, program, accounts, at, tally))
    return tally


def forget(*, before: datetime.date) -> int:
    """This will delete what was noted of days before a day, a batch in each statement, and answer how many notes."""
    forgotten = 0
    while True:
        batch = Reminder.objects.filter(ends_on__lt=before).values("pk")[:PAGE]
        deleted, _ = Reminder.objects.filter(pk__in=batch).delete()
        forgotten += deleted
        if deleted < PAGE:
            return forgotten


def _batches(
    programs: Mapping[uuid.UUID, Program], at: datetime.datetime, tally: Tally
) -> Iterator[tuple[Program, list[AccountRef]]]:
    """This will answer the accounts in which something may end soon, some of one programme at a time."""
    if not programs:
        return
    kinds = PointDefinition.objects.filter(program__in=programs).in_bulk()
    waiting: dict[uuid.UUID, list[AccountRef]] = {key: [] for key in programs}
    for page in _pages(at):
        tally.accounts += len(page)
        for account in page:
            kind = kinds.get(account.definition_id)
            if not account.is_due or kind is None:
                continue
            program, own = programs[account.program_id], waiting[account.program_id]
            own.append(AccountRef(program=program, definition=kind, customer_id=account.customer_id))
            if len(own) == BATCH:
                yield program, [*own]
                own.clear()
    for program_id, own in waiting.items():
        if own:
            yield programs[program_id], own


def _pages(at: datetime.datetime) -> Iterator[list[_Account]]:
    # By the primary key, all of them: an index on what is due would have to be kept by every posting.
    last = uuid.UUID(int=0)
    while True:
        page = retry.run(functools.partial(_page, at, last))
        yield page
        if len(page) < PAGE:
            return
        last = page[-1].id


def _page(at: datetime.datetime, last: uuid.UUID) -> list[_Account]:
    # A day longer: what ends late on the last day is told on its first look, too.
    ends, falls = (at + datetime.timedelta(days=days + 1) for days in (max(DAYS), DAYS_OF_A_TIER))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, program_id, customer_id, definition_id,"
            " merged_into_id IS NULL AND closed_at IS NULL"
            " AND (COALESCE(next_due_at <= %s, FALSE) OR COALESCE(tier_until <= %s, FALSE))"
            " FROM points_pointaccount WHERE id > %s ORDER BY id LIMIT %s",
            [ends, falls, last, PAGE],
        )
        return [_Account(*row) for row in cursor.fetchall()]


def _tell(program: Program, accounts: Sequence[AccountRef], at: datetime.datetime, tally: Tally) -> None:
    zone = ZoneInfo(program.timezone)
    # A day longer: all of what ends on the last day is told together.
    told = statements.balances(accounts=accounts, at=at, days=max(DAYS) + 1)
    expiring = [row for account in accounts for row in _expiring(account, told[account.id])]
    at_risk = [row for account in accounts if (row := _at_risk(account, told[account.id], at, zone))]
    with transaction.atomic():
        expiring = _new(expiring, [_note(row, row.expires_at, row.days, zone) for row in expiring])
        at_risk = _new(at_risk, [_note(row, row.until, DAYS_OF_A_TIER, zone) for row in at_risk])
        outbox.record(EventType.POINTS_EXPIRING_SOON, expiring, program=program)
        outbox.record(EventType.CUSTOMER_TIER_AT_RISK, at_risk, program=program)
    tally.expiring += len(expiring)
    tally.at_risk += len(at_risk)


def _expiring(account: AccountRef, told: Statement) -> Iterator[ExpiringSoon]:
    for day in told.expiring:
        days = next((days for days in DAYS if day.days_until_expiry <= days), None)
        if days is None:
            continue
        yield ExpiringSoon(
            account_id=account.id,
            customer_id=account.customer_id,
            points=day.points,
            expires_at=day.expires_at,
            days=days,
            points_balance=told.balance,
        )


def _at_risk(account: AccountRef, told: Statement, at: datetime.datetime, zone: ZoneInfo) -> AtRisk | None:
    progress = told.progress
    if progress is None or progress.rung is None or progress.until is None or progress.projected == progress.rung:
        return None
    if days_between(at, progress.until, zone) > DAYS_OF_A_TIER:
        return None
    return AtRisk(
        account_id=account.id,
        customer_id=account.customer_id,
        tier=progress.rung.name,
        falls_to=progress.projected.name if progress.projected else None,
        until=progress.until,
        points_needed=progress.points_to_keep,
    )


def _note(row: ExpiringSoon | AtRisk, moment: datetime.datetime, days: int, zone: ZoneInfo) -> Reminder:
    kind = Reminder.Kind.TIER if isinstance(row, AtRisk) else Reminder.Kind.POINTS
    return Reminder(account_id=row.account_id, kind=kind, ends_on=moment.astimezone(zone).date(), days=days)


def _new(rows: list, notes: Sequence[Reminder]) -> list:
    """This will note what is told, and answer what nobody has told before."""
    Reminder.objects.bulk_create(notes, ignore_conflicts=True)
    # Where another run has noted one, or is about to, the INSERT has waited for it.
    ours = set(Reminder.objects.filter(pk__in=[note.pk for note in notes]).values_list("pk", flat=True))
    return [row for row, note in zip(rows, notes, strict=True) if note.pk in ours]
