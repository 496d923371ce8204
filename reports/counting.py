"""Counting the ledger: each entry adds to the figures of the day on which it took effect, once.

Entries are taken in the order of the programme's lists (`loyalty/xids.py`), which none joins before the end; so nothing
is missed, and what is written late adds to a day that is long over. A batch and how far it came are one transaction.
"""

import dataclasses
import datetime
import functools
import uuid

from django.db import connection, transaction
from django.utils import timezone

from loyalty import retry
from loyalty.models import Program
from reports import counting_sql
from reports.models import AccountMonth, CountedUpTo, Figure, Measure

# Events wait for a transaction that writes: short ones let them go on.
BATCH = 2_000


@dataclasses.dataclass(slots=True)
class Tally:
    """What there was to count: entries, and programmes whose figures were of another time zone."""

    entries: int = 0
    anew: int = 0


def count(program: Program | None = None) -> Tally:
    """This will count what was written since the last time, in all programmes or in one. Two may run at once: where one
    of them counts, the other does not.

    Raises:
        errors.Unavailable: the database did not answer in time. The batches before are counted.
    """
    tally = Tally()
    for each in [program] if program else Program.objects.order_by("pk"):
        tally.anew += retry.run(functools.partial(_forget_other_days, each))
        counted = BATCH
        # What comes meanwhile is for the next run: others wait for their turn.
        while counted == BATCH:
            counted = retry.run(functools.partial(_count_batch, each))
            tally.entries += counted
    return tally


def count_tiers(*, at: datetime.datetime) -> int:
    """This will count how many accounts hold which tier, for the day that it is in each programme, and answer how many
    accounts it looked at: all of them, since a row of an account says nothing of when it changed."""
    with connection.cursor() as cursor:
        cursor.execute(counting_sql.TIERS, {"at": at})
        return int(cursor.fetchone()[0])


@transaction.atomic
def forget(program: Program) -> None:
    """This will forget a programme's figures, so that they are counted anew from its first entry."""
    with connection.cursor() as cursor:
        # As many rows as there are customers in each month.
        cursor.execute("SET LOCAL statement_timeout = '10min'")
    CountedUpTo.objects.filter(program=program).update(
        timezone=program.timezone, xid=None, entry_id=None, counted_at=None
    )
    definitions = list(program.definitions.values_list("pk", flat=True))
    # How many held which tier on an earlier day is in no entry.
    Figure.objects.filter(definition_id__in=definitions).exclude(measure=Measure.TIER).delete()
    AccountMonth.objects.filter(definition_id__in=definitions).delete()


@transaction.atomic
def _forget_other_days(program: Program) -> bool:
    """This will forget figures whose days are those of another time zone, and answer whether there were some."""
    # It may have been changed since the programme was read.
    program.refresh_from_db(fields=["timezone"])
    CountedUpTo.objects.bulk_create([CountedUpTo(program=program, timezone=program.timezone)], ignore_conflicts=True)
    rows = CountedUpTo.objects.select_for_update(skip_locked=True, no_key=True).filter(program=program)
    is_other = rows.exclude(timezone=program.timezone).first() is not None
    if is_other:
        forget(program)
    return is_other


@transaction.atomic
def _count_batch(program: Program) -> int:
    """This will count some entries, and answer how many: 0 where none is left, or another one counts here."""
    known = CountedUpTo.objects.select_for_update(skip_locked=True, no_key=True).filter(program=program).first()
    if known is None:
        return 0
    # Before the statement takes its snapshot: what was committed by now is counted, but for what was written beside a
    # transaction that is still under way.
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            counting_sql.ADD,
            {
                "program": program.pk,
                "zone": known.timezone,
                "xid": known.xid or "0",
                "entry": known.entry_id or uuid.UUID(int=0),
                "batch": BATCH,
            },
        )
        counted, xid, entry_id = cursor.fetchone()
    if counted:
        known.xid, known.entry_id = xid, entry_id
    if counted < BATCH:
        known.counted_at = now
    known.save(update_fields=["xid", "entry_id", "counted_at"])
    return counted
