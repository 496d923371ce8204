"""Working on imports: each batch is one transaction that also moves the import on, so that whoever is killed has done a
batch or has not, and the next one goes on where that stopped.

A run claims an import for a while, and says again and again that it is there. That only saves work: what keeps two runs
apart is the import's row, which each batch locks, and looks at.
"""

import datetime
import threading
import uuid
from collections.abc import Callable, Iterator

from django.db import transaction
from django.db.models import F, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone

from exchange import imports, sheets, spool, uploads
from exchange.kinds import KINDS, Brought, Fault, Kind, Row
from exchange.models import Import, ImportFault
from loyalty import errors, pace, retry

# For so long nobody else takes an import up; reading tells so after every few thousand rows, and each batch does.
LEASE_SECONDS = 60
# So many runs may end without having done a row. What ends them is not the file's rows: those have faults.
MOST_FRUITLESS = 5
# How many rows are brought in together: many where no till waits for them, else few, or as many as no till minds.
BATCH = 500
FEW = 25
_WORKED_ON = Q(state=Import.State.UPLOADED) | Q(state=Import.State.RUNNING)


class _Lost(Exception):
    """The import was cancelled, or another run has it."""


class _Stopped(Exception):
    """A row has a fault, and the import was to be brought in as a whole."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def work(*, stop: threading.Event) -> int:
    """This will work on imports until there are none to work on, or it is to stop, and answer how many it was at."""
    count = 0
    run = uuid.uuid4()
    while not stop.is_set() and (upload := _claim(run)) is not None:
        count += 1
        carry_on(upload, run=run, stop=stop)
    return count


def carry_on(
    upload: Import, *, run: uuid.UUID, stop: threading.Event, on_progress: Callable[[int], object] = lambda _: None
) -> None:
    """This will check an import that this run has claimed, or bring it in, from where it stopped.

    Raises:
        errors.Unavailable: the database does not answer; what was done stays.
    """
    kind = KINDS[upload.kind](upload, at=timezone.now())
    try:
        kind.refuse_whole()
        with uploads.kept(upload) as file, spool.opened(kind) as rows:
            rows.fill(
                sheets.read(file, file_type=upload.file_type),
                # Whoever has told it to stop does not wait until a long file is read.
                on_progress=lambda: _renew(upload, run, stop),
            )
            _note_size(upload, run, rows)
            on_progress(upload.place)
            for batch in _batches(_parts(rows, upload, stop), kind):
                on_progress(_advance(upload, kind, batch, run=run))
            if not stop.is_set():
                _finish(upload, run)
    except uploads.UnreadableFile as failure:
        _fail(upload, run, str(failure))
    except _Stopped as stopped:
        where = f"Row {stopped.fault.row:,}: {stopped.fault.text}"
        _fail(upload, run, f"{where} What came before it, {upload.place:,} rows, was imported.")
    except _Lost:
        return
    except errors.Unavailable:
        # Not the file's fault: the next run goes on.
        _let_go(upload, run)
        raise
    except errors.Refusal as refusal:
        _fail(upload, run, refusal.message)
    else:
        _let_go(upload, run)


def lease() -> Combinable:
    """This will answer until when an import is a run's that says nothing more, by the clock of the database: those of
    machines may differ."""
    return Now() + datetime.timedelta(seconds=LEASE_SECONDS)


def _claim(run: uuid.UUID) -> Import | None:
    """This will take up the oldest import that nobody works on; one that no run gets on with has failed."""
    while True:
        with transaction.atomic():
            free = Import.objects.filter(_WORKED_ON, Q(claimed_until=None) | Q(claimed_until__lt=Now()))
            found = free.select_for_update(no_key=True, skip_locked=True).order_by("created_at", "id").first()
            if found is None:
                return None
            if found.fruitless < MOST_FRUITLESS:
                rows = Import.objects.filter(pk=found.pk)
                rows.update(claimed_by=run, claimed_until=lease(), fruitless=F("fruitless") + 1)
                return Import.objects.select_related("program", "definition__program").get(pk=found.pk)
            text = "It was tried several times and ended without a word: see the job runs. Divide the file."
            imports.end(found, Import.State.FAILED, at=timezone.now(), failure=text)


def _renew(upload: Import, run: uuid.UUID, stop: threading.Event) -> None:
    mine = Import.objects.filter(_WORKED_ON, pk=upload.pk, claimed_by=run)
    if stop.is_set():
        _let_go(upload, run)
        raise _Lost
    if not mine.update(claimed_until=lease()):
        raise _Lost


def _note_size(upload: Import, run: uuid.UUID, rows: spool.Spool) -> None:
    upload.row_count = rows.row_count
    Import.objects.filter(pk=upload.pk, claimed_by=run).update(
        row_count=rows.row_count, columns_read=rows.columns_read[:100], columns_ignored=rows.columns_ignored[:100]
    )


def _parts(rows: spool.Spool, upload: Import, stop: threading.Event) -> Iterator[spool.Part]:
    for part in rows.parts(after=upload.place):
        if stop.is_set():
            return
        yield part


def _batches(parts: Iterator[spool.Part], kind: Kind) -> Iterator[spool.Part]:
    """This will put parts together to what is done in one transaction."""
    if not kind.locks_accounts:
        yield from _joined(parts, BATCH)
        return
    # A few at least: each transaction costs as much as some rows do, however little it does.
    for some in pace.batches(_joined(parts, FEW), first=1):
        yield [line for part in some for line in part]


def _joined(parts: Iterator[spool.Part], count: int) -> Iterator[spool.Part]:
    joined: spool.Part = []
    for part in parts:
        joined += part
        if len(joined) >= count:
            yield joined
            joined = []
    if joined:
        yield joined


def _advance(upload: Import, kind: Kind, lines: spool.Part, *, run: uuid.UUID) -> int:
    """This will check or bring in a batch, and answer how many rows that were.

    Raises:
        _Lost: it was cancelled, or another run has it.
        _Stopped: a row has a fault, and none may.
        errors.Unavailable: the database does not answer.
    """
    place = upload.place + len(lines)

    def once() -> None:
        with transaction.atomic():
            now = Import.objects.select_for_update(no_key=True).get(pk=upload.pk)
            if now.state != upload.state or now.claimed_by != run:
                raise _Lost
            # The COMMIT of the first try arrived, and its answer did not.
            if now.place == place:
                return
            if now.place != upload.place:
                raise _Lost
            _note(now, _bring(upload, kind, lines), len(lines))

    retry.run(once)
    upload.place = place
    return len(lines)


def _bring(upload: Import, kind: Kind, lines: spool.Part) -> Brought:
    rows = [line for line in lines if isinstance(line, Row)]
    is_trial = upload.state == Import.State.UPLOADED
    with transaction.atomic():
        brought = kind.put(rows) if rows else Brought()
        if is_trial:
            transaction.set_rollback(True)
    for line in lines:
        if isinstance(line, list):
            brought.faults += line
    if brought.faults and upload.is_whole and not is_trial:
        raise _Stopped(brought.faults[0])
    return brought


def _note(upload: Import, brought: Brought, count: int) -> None:
    in_run = upload.state == Import.State.RUNNING
    ImportFault.objects.bulk_create(
        [
            ImportFault(of=upload, in_run=in_run, row=fault.row, column=fault.column[:50], text=fault.text[:300])
            for fault in brought.faults
        ],
        batch_size=1_000,
    )
    Import.objects.filter(pk=upload.pk).update(
        place=F("place") + count,
        added_count=F("added_count") + brought.added,
        changed_count=F("changed_count") + brought.changed,
        known_count=F("known_count") + brought.known,
        nothing_count=F("nothing_count") + brought.nothing,
        faulty_count=F("faulty_count") + len({fault.row for fault in brought.faults}),
        claimed_until=lease(),
        fruitless=0,
    )


def _finish(upload: Import, run: uuid.UUID) -> None:
    with transaction.atomic():
        now = Import.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if now.state != upload.state or now.claimed_by != run:
            raise _Lost
        if now.state == Import.State.RUNNING:
            imports.end(now, Import.State.DONE, at=timezone.now())
        else:
            Import.objects.filter(pk=now.pk).update(
                state=Import.State.CHECKED, checked_at=timezone.now(), claimed_by=None, claimed_until=None
            )


def _fail(upload: Import, run: uuid.UUID, text: str) -> None:
    with transaction.atomic():
        now = Import.objects.select_for_update(no_key=True).get(pk=upload.pk)
        if now.state == upload.state and now.claimed_by == run:
            imports.end(now, Import.State.FAILED, at=timezone.now(), failure=text[:500])


def _let_go(upload: Import, run: uuid.UUID) -> None:
    """This will let another run take it up at once."""
    Import.objects.filter(pk=upload.pk, claimed_by=run).update(claimed_by=None, claimed_until=None, fruitless=0)
