import threading
import uuid
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from exchange import imports, running
from exchange.kinds import KINDS
from exchange.models import Import
from loyalty import errors
from loyalty.models import Program
from points import definitions
from points.management.commands.import_purchases import read_rate, read_source

ACTOR = "command:import_file"
MOST_SHOWN = 100


class Command(BaseCommand):
    help = (
        "Checks a file of customers, cards, opening balances, purchases or rewards and imports its rows, as the admin"
        " does. It can be repeated: nothing is posted twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=sorted(KINDS))
        parser.add_argument("file", type=Path, help="CSV in UTF-8, or a workbook (.xlsx)")
        parser.add_argument("--programme", required=True, metavar="SLUG")
        parser.add_argument("--dry-run", action="store_true", help="look at all rows, list the faults, import nothing")
        parser.add_argument(
            "--whole", action="store_true", help="import nothing where a row has a fault (import the other rows)"
        )
        parser.add_argument("--change", action="store_true", help="change customers who are there (leave them)")
        parser.add_argument("--definition", metavar="CODE", help="the kind of points (the programme's default one)")
        parser.add_argument("--rate", metavar="R", help="points for each unit of a purchase (what the rules give)")
        parser.add_argument(
            "--source", default=imports.SOURCE, metavar="NAME", help="tells files of purchases or balances apart"
        )
        parser.add_argument("--no-progress", action="store_true", help="no progress bar, also on a terminal")

    def handle(self, *args: Any, kind: str, file: Path, **options: Any) -> None:
        program = Program.objects.filter(slug=options["programme"]).first()
        if program is None:
            raise CommandError(f"there is no programme {options['programme']}: make it with create_programme")
        run = uuid.uuid4()
        mine: dict[str, Any] = {"claimed_by": run, "claimed_until": running.lease()}
        try:
            with open(file, "rb") as content:
                upload = imports.upload(
                    program=program,
                    kind=kind,
                    file=content,
                    file_name=file.name,
                    by=ACTOR,
                    definition=definitions.find(program, options["definition"]) if options["definition"] else None,
                    rate=read_rate(options["rate"]),
                    source=read_source(options["source"]),
                    changes_existing=options["change"],
                    is_whole=options["whole"],
                    **mine,
                )
            checked = self._carry_on(upload, run, "Checking", options)
            self._report(checked, "Would be added")
            if options["dry_run"]:
                imports.cancel(upload=checked, by=ACTOR, at=timezone.now())
                return
            imports.confirm(upload=checked, by=ACTOR, at=timezone.now(), claimed_by=run, claimed_until=running.lease())
            self._report(self._carry_on(checked, run, "Importing", options), "Added")
        except OSError as failure:
            raise CommandError(f"{file} cannot be read: {failure.strerror}") from failure
        except imports.HasFaults as refusal:
            imports.cancel(upload=upload, by=ACTOR, at=timezone.now())
            raise CommandError("Rows have faults: nothing was imported.") from refusal
        except errors.Unavailable as refusal:
            raise CommandError(f"{refusal} A worker goes on with it, or run it again.") from refusal
        except errors.Refusal as refusal:
            raise CommandError(str(refusal)) from refusal

    def _carry_on(self, upload: Import, run: uuid.UUID, title: str, options: dict[str, Any]) -> Import:
        upload = Import.objects.select_related("program", "definition__program").get(pk=upload.pk)
        # None: only on a terminal.
        with tqdm(desc=title, unit=" rows", disable=options["no_progress"] or None) as bar:
            running.carry_on(upload, run=run, stop=threading.Event(), on_progress=bar.update)
        upload.refresh_from_db()
        if upload.state == Import.State.FAILED:
            raise CommandError(upload.failure)
        if upload.state not in (Import.State.CHECKED, Import.State.DONE):
            raise CommandError("It was cancelled, or another worker has it: see Imports in the admin.")
        return upload

    def _report(self, upload: Import, added: str) -> None:
        lines = {
            "Rows": upload.row_count or 0,
            added: upload.added_count,
            "Changed": upload.changed_count,
            "There already": upload.known_count,
            "Earned nothing": upload.nothing_count,
            "With faults": upload.faulty_count,
        }
        self.stdout.write("".join(f"{name:<15} {count:,}\n" for name, count in lines.items()))
        for number, fault in enumerate(imports.all_faults(upload)):
            if number == MOST_SHOWN:
                self.stderr.write("… and more: see Imports in the admin.")
                return
            self.stderr.write(f"Row {fault.row}{f', {fault.column}' if fault.column else ''}: {fault.text}")
