"""Imports: taking a file, confirming what was checked, cancelling, and letting go of old ones."""

import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import IO

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.utils import timezone

from exchange import uploads
from exchange.kinds import KINDS
from exchange.models import Import, ImportChunk, ImportFault
from loyalty import errors
from loyalty.models import Program
from points.models import PointDefinition

SOURCE = "purchases"
ACTIVE = (Import.State.UPLOADED, Import.State.CHECKED, Import.State.RUNNING)
_PAGE = 1_000


class NotChecked(errors.Refusal):
    """It is not checked, or more became of it already."""

    code = "IMPORT_NOT_CHECKED"
    status = 409
    message = "It cannot be imported now: it is not checked yet, or has been confirmed, cancelled or ended."


class HasFaults(errors.Refusal):
    """Rows have faults, and it was to be imported as a whole or not at all."""

    code = "IMPORT_HAS_FAULTS"
    status = 409
    message = "Rows have faults, and it is to be imported as a whole or not at all. Correct the file and upload it."


class Ended(errors.Refusal):
    """It has ended already."""

    code = "IMPORT_ENDED"
    status = 409
    message = "It has ended already."


def upload(
    *,
    program: Program,
    kind: str,
    file: IO[bytes],
    file_name: str,
    by: str,
    definition: PointDefinition | None = None,
    rate: Decimal | None = None,
    source: str = SOURCE,
    changes_existing: bool = False,
    is_whole: bool = False,
    claimed_by: uuid.UUID | None = None,
    claimed_until: Combinable | None = None,
) -> Import:
    """This will keep a file that is to be checked, and nothing else yet. `claimed_by`: by a run that works on it at
    once.

    Raises:
        uploads.UnreadableFile: it is no CSV and no workbook, or too large.
        points.purchases.NoRules: purchases would earn nothing.
    """
    file_type = uploads.recognise(file, name=file_name)
    made = Import(
        program=program,
        kind=kind,
        definition=definition,
        rate=rate,
        source=source,
        changes_existing=changes_existing,
        is_whole=is_whole,
        file_name=file_name[-200:],
        file_type=file_type,
        file_size=file.seek(0, 2),
        uploaded_by=by,
        claimed_by=claimed_by,
        claimed_until=claimed_until,
    )
    KINDS[kind](made, at=timezone.now()).refuse_whole()
    with transaction.atomic():
        made.save(force_insert=True)
        uploads.keep(made, file)
    return made


def confirm(
    *,
    upload: Import,
    by: str,
    at: datetime.datetime,
    claimed_by: uuid.UUID | None = None,
    claimed_until: Combinable | None = None,
) -> None:
    """This will have an import that was checked brought in. `claimed_by`: by a run that works on it at once.

    Raises:
        NotChecked, HasFaults.
    """
    with transaction.atomic():
        now = Import.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if now.state != Import.State.CHECKED:
            raise NotChecked
        if now.is_whole and now.faulty_count:
            raise HasFaults
        Import.objects.filter(pk=now.pk).update(
            state=Import.State.RUNNING,
            confirmed_by=by,
            confirmed_at=at,
            place=0,
            added_count=0,
            changed_count=0,
            known_count=0,
            nothing_count=0,
            faulty_count=0,
            claimed_by=claimed_by,
            claimed_until=claimed_until,
            fruitless=0,
        )


def cancel(*, upload: Import, by: str, at: datetime.datetime) -> None:
    """This will end an import; what it has brought in stays.

    Raises:
        Ended: it has ended already.
    """
    with transaction.atomic():
        # Whoever works on it commits a batch first, and finds this before the next.
        now = Import.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if now.state not in ACTIVE:
            raise Ended
        end(now, Import.State.CANCELLED, at=at, cancelled_by=by)


def end(upload: Import, state: str, *, at: datetime.datetime, **said: str) -> None:
    """This will note how an import ended, and delete its file, in the caller's transaction."""
    Import.objects.filter(pk=upload.pk).update(state=state, ended_at=at, claimed_by=None, claimed_until=None, **said)
    ImportChunk.objects.filter(of=upload).delete()


def faults(upload: Import) -> QuerySet[ImportFault]:
    """This will answer the faults that hold now, in the order of the rows: of the check, or once it was confirmed those
    that were found while it ran."""
    found = ImportFault.objects.filter(of=upload, in_run=upload.confirmed_at is not None)
    return found.order_by("row", "id")


def all_faults(upload: Import) -> Iterator[ImportFault]:
    """This will answer all of them, a page at a time."""
    found = faults(upload)
    page = list(found[:_PAGE])
    while page:
        yield from page
        last = page[-1]
        page = list(found.filter(row__gte=last.row).exclude(row=last.row, id__lte=last.pk)[:_PAGE])


def purge(*, before: datetime.datetime) -> int:
    """This will cancel imports that nobody confirmed, delete the faults of those that ended before a moment, and answer
    how many files were let go of."""
    forgotten = Import.objects.filter(state=Import.State.CHECKED, created_at__lt=before)
    count = 0
    for upload in forgotten:
        cancel(upload=upload, by="the clock", at=timezone.now())
        count += 1
    ended = Import.objects.filter(ended_at__lt=before).values("pk")
    ImportFault.objects.filter(of__in=ended).delete()
    return count


def done(upload: Import) -> float:
    """This will answer how much of it is done, from 0 to 100."""
    return 100 * upload.place / upload.row_count if upload.row_count else 0.0
