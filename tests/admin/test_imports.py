"""Files that staff bring: uploaded, checked, looked at, imported or cancelled, by those who may."""

import csv
import io
import threading
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cards.models import Customer
from exchange import imports, running
from exchange.models import Import, ImportChunk
from loyalty.models import Program
from staff.audit_models import AuditEntry
from tests.admin import pages
from tests.admin.conftest import MANAGER, Browser, staff

CUSTOMERS = "external_id,email,name\nbob,bob@example.com,Bob\n,nobody,=1+1\ncarol,,Carol\n"
FILES = ["add_import", "view_import"]


@pytest.fixture
def importer() -> Browser:
    return staff("Ines", FILES)


def send(browser: Browser, program: Program, content: str | bytes, *, name: str = "file.csv", **said: Any) -> Any:
    data = content.encode() if isinstance(content, str) else content
    form = {"program": program.pk, "kind": "customers", "file": SimpleUploadedFile(name, data), **said}
    return browser.post(pages.adding(Import), form)


def uploaded(browser: Browser, program: Program, content: str = CUSTOMERS, **said: Any) -> Import:
    """This will answer a file that is uploaded and checked."""
    assert send(browser, program, content, **said).status_code == 302
    upload = Import.objects.get(program=program)
    running.work(stop=threading.Event())
    return upload


def test_checks_a_file_and_imports_it_when_told_to(importer: Browser, program: Program) -> None:
    answer = send(importer, program, CUSTOMERS)
    upload = Import.objects.get(program=program)
    assert answer["Location"] == pages.of(upload)
    page = importer.get(pages.of(upload))
    assert "Being checked" in pages.text(page)
    assert "reload.js" in page.content.decode()

    running.work(stop=threading.Event())
    page = importer.get(pages.of(upload))
    assert "Rows 3 To be imported 2 With faults 1" in pages.text(page)
    assert "3 email It is not an e-mail address." in pages.text(page)
    assert "reload.js" not in page.content.decode()
    assert not Customer.objects.filter(program=program).exists()

    asked = pages.text(importer.get(pages.of(upload, "confirm")))
    assert "Import file.csv?" in asked
    assert "Rows with faults are left out." in asked
    importer.post(pages.of(upload, "confirm"))
    running.work(stop=threading.Event())
    told = pages.text(importer.get(pages.of(upload)))
    assert "Done" in told
    assert "Rows 3 Imported 2 With faults 1" in told
    assert set(Customer.objects.filter(program=program).values_list("name", flat=True)) == {"Bob", "Carol"}
    upload.refresh_from_db()
    assert upload.uploaded_by == upload.confirmed_by == f"staff:{importer.user.get_username()}"
    told = AuditEntry.objects.get(object_id=str(upload.pk), action="changed")
    assert (told.facts["deed"], told.facts["rows"]) == ("confirmed", 3)


def test_lists_all_faults_in_a_file(importer: Browser, program: Program) -> None:
    upload = uploaded(importer, program)

    answer = importer.get(reverse("admin:exchange_import_faults", args=[upload.pk]))

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text))) == [
        ["row", "column", "fault"],
        ["3", "email", "It is not an e-mail address."],
    ]


def test_cancels_an_import(importer: Browser, program: Program) -> None:
    upload = uploaded(importer, program)

    importer.post(pages.of(upload, "cancel"))

    upload.refresh_from_db()
    assert (upload.state, upload.cancelled_by) == ("cancelled", f"staff:{importer.user.get_username()}")
    assert AuditEntry.objects.get(object_id=str(upload.pk), action="changed").facts["deed"] == "cancelled"
    assert not ImportChunk.objects.filter(of=upload).exists()
    again = importer.post(pages.of(upload, "confirm"), follow=True)
    assert "It cannot be imported now" in pages.text(again)
    assert not Customer.objects.filter(program=program).exists()


def test_imports_nothing_of_a_file_with_faults_that_is_to_be_whole(importer: Browser, program: Program) -> None:
    upload = uploaded(importer, program, is_whole="on")

    page = pages.text(importer.get(pages.of(upload)))
    assert "nothing of it can be imported as it is" in page
    assert "Import the rows" not in page
    told = importer.post(pages.of(upload, "confirm"), follow=True)

    assert "Rows have faults" in pages.text(told)
    assert Import.objects.get(pk=upload.pk).state == "checked"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"content": b"\x89PNG\r\n"}, "Line 1 is not UTF-8"),
        ({"content": b"PK\x03\x04rest"}, "its contents are something else"),
        ({"content": b"external_id\n1\n", "name": "file.xlsx"}, "its contents are something else"),
        ({"content": b"PK\x03\x04rest", "name": "file.xlsx"}, "The workbook is damaged."),
        ({"content": b"external_id\n1\n", "name": "file.exe"}, "must end in .csv or .xlsx"),
        ({"content": b""}, "The submitted file is empty."),
        ({"content": b"customer,date,amount\n", "kind": "purchases", "rate": "0"}, "It must be above zero."),
        ({"content": b"external_id\n1\n", "source": "a b"}, "Letters, digits, dots"),
    ],
)
def test_refuses_a_file_that_it_cannot_read(importer: Browser, program: Program, said: Any, why: str) -> None:
    answer = send(importer, program, **said)

    assert why in pages.text(answer)
    assert not Import.objects.filter(program=program).exists()


def test_refuses_a_file_that_is_too_large(importer: Browser, program: Program, settings: Any) -> None:
    settings.IMPORT_MAX_MB = 1

    answer = send(importer, program, "external_id\n" + "x" * (1 << 20))

    assert "The file is larger than 1 MB." in pages.text(answer)
    assert not Import.objects.filter(program=program).exists()


def test_refuses_points_of_another_programme(importer: Browser, program: Program) -> None:
    other = Program.objects.create(slug=f"{program.slug}-2", name="Another")
    kind = program.definitions.get()

    answer = send(importer, other, CUSTOMERS, definition=kind.pk)

    assert "These points are of another programme." in pages.text(answer)
    assert not Import.objects.filter(program=other).exists()


def test_has_a_template_of_each_kind(importer: Browser) -> None:
    for kind in Import.Kind.values:
        answer = importer.get(reverse("admin:exchange_import_template", args=[kind]))
        headings, example = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
        assert len(headings) == len(example) > 2
    assert importer.get(reverse("admin:exchange_import_template", args=["nothing"])).status_code == 404


def test_only_those_see_and_upload_who_may(program: Program, importer: Browser) -> None:
    upload = uploaded(importer, program)
    addresses = [
        pages.listing(Import),
        pages.of(upload),
        reverse("admin:exchange_import_faults", args=[upload.pk]),
        reverse("admin:exchange_import_template", args=["cards"]),
    ]
    manager, viewer = staff("Mary", MANAGER), staff("Vera", ["view_import"])

    for address in addresses:
        assert manager.get(address).status_code == 403
        assert viewer.get(address).status_code == 200
    for somebody in (manager, viewer):
        assert somebody.get(pages.adding(Import)).status_code == 403
        assert send(somebody, program, CUSTOMERS).status_code == 403
        for deed in ("confirm", "cancel"):
            assert somebody.post(pages.of(upload, deed)).status_code == 403
    assert "Import the rows" not in pages.text(viewer.get(pages.of(upload)))
    assert Import.objects.get(program=program).state == "checked"
    assert pages.listing(Import) not in manager.get(reverse("admin:index")).content.decode()


def test_keeps_a_file_that_is_larger_than_what_is_read_into_memory(importer: Browser, program: Program) -> None:
    content = "external_id,note\n" + "".join(f"{n},{'x' * 1_000}\n" for n in range(3_000))

    assert send(importer, program, content).status_code == 302

    upload = Import.objects.get(program=program)
    kept = ImportChunk.objects.filter(of=upload).order_by("number").values_list("content", flat=True)
    assert len(kept) == 3
    assert b"".join(kept) == content.encode()
    assert upload.file_size == len(content)
    imports.cancel(upload=upload, by="staff:mary", at=timezone.now())


def test_shows_how_far_an_import_is(importer: Browser, program: Program) -> None:
    upload = uploaded(importer, program)
    importer.post(pages.of(upload, "confirm"))
    Import.objects.filter(pk=upload.pk).update(place=1)

    page = importer.get(pages.of(upload))

    assert "Importing 1 of 3" in pages.text(page)
    assert "width: 33%" in page.content.decode()
    assert "Import the rows" not in pages.text(page)
    assert "Cancel the import" in pages.text(page)
    importer.post(pages.of(upload, "cancel"))


@pytest.mark.parametrize("path", ["/admin/exchange/import/add/", "/admin/login/", "/notices/nothing"])
def test_refuses_a_file_that_is_far_too_large_before_it_is_read(client: Client, path: str) -> None:
    unread = io.BytesIO(b"x")
    kind = "multipart/form-data; boundary=x"

    sent = {"CONTENT_LENGTH": str(1 << 30), "wsgi.input": unread}
    answer = client.generic("POST", path, b"", content_type=kind, **sent)

    assert answer.status_code == 413
    assert "A file may have 50 MB." in answer.content.decode()
    assert unread.tell() == 0
