"""A shop that brings files: uploads them, has them checked and imported as staff and the worker do."""

import io
import threading
from decimal import Decimal
from typing import Any

import openpyxl
from django.db import connection
from django.utils import timezone

from exchange import imports, running
from exchange.models import Import
from loyalty.models import Program
from points.models import PointAccount


class Shop:
    """Imports files into a programme, and reads back what is in the database."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def check(self, kind: str, content: str | bytes, *, name: str = "file.csv", **options: Any) -> Import:
        """This will upload a file and have it checked."""
        data = content.encode() if isinstance(content, str) else content
        upload = imports.upload(
            program=self.program, kind=kind, file=io.BytesIO(data), file_name=name, by="staff:mary", **options
        )
        return self.work(upload)

    def bring(self, kind: str, content: str | bytes, **options: Any) -> Import:
        """This will upload a file, have it checked, and imported."""
        upload = self.check(kind, content, **options)
        assert upload.state == Import.State.CHECKED, upload.failure
        return self.confirm(upload)

    def confirm(self, upload: Import) -> Import:
        """This will have an import that was checked brought in."""
        imports.confirm(upload=upload, by="staff:mary", at=timezone.now())
        return self.work(upload)

    def work(self, upload: Import) -> Import:
        """This will do what waits to be done, and answer what has become of an import."""
        running.work(stop=threading.Event())
        return Import.objects.get(pk=upload.pk)

    def faults(self, upload: Import) -> list[tuple[int, str, str]]:
        """This will answer the faults that hold, as row, column and text."""
        return [(fault.row, fault.column, fault.text) for fault in imports.all_faults(upload)]

    def balances(self) -> dict[str | None, Decimal]:
        """This will answer the balances by the shop's own ids of the customers."""
        accounts = PointAccount.objects.filter(program=self.program)
        return dict(accounts.values_list("customer__external_id", "balance"))


def counts(upload: Import) -> tuple[int, int, int, int]:
    """This will answer how many rows were added, changed, known and faulty."""
    return upload.added_count, upload.changed_count, upload.known_count, upload.faulty_count


def workbook(rows: list[list[Any]]) -> bytes:
    """This will make a workbook with these rows on its first sheet."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def contents() -> dict[str, int]:
    """This will answer what is in each table but those of imports, as a number that any change alters."""
    with connection.cursor() as cursor:
        names = [
            name
            for name in connection.introspection.table_names(cursor)
            if name.partition("_")[0] in ("cards", "events", "points", "rewards", "tiers", "loyalty")
        ]
        found = {}
        for name in names:
            cursor.execute(f"SELECT COALESCE(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {name} t")
            found[name] = cursor.fetchone()[0]
    return found
