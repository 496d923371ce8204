"""Files that are no files of rows, or mean harm: refused as a whole, before anything of them is read into memory."""

import datetime
import io
import zipfile

import pytest

from cards.models import Customer
from exchange import sheets, uploads
from exchange.models import Import
from loyalty.models import Program
from points import purchases
from tests.exchange.shop import Shop, counts, workbook
from tests.factories import make_definition

SHEET = "xl/worksheets/sheet1.xml"
BOMB = 64 << 20


def altered(part: str, content: bytes, *, rows: list[list[str]] | None = None) -> bytes:
    """This will answer a workbook of which one part is another."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(rows or [["external_id"], ["alice"]]))) as source,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, content if name == part else source.read(name))
        if part not in source.namelist():
            target.writestr(part, content)
    return made.getvalue()


def sheet(data: bytes, *, before: bytes = b"") -> bytes:
    space = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return before + b'<worksheet xmlns="' + space + b'"><sheetData>' + data + b"</sheetData></worksheet>"


def cell(text: bytes) -> bytes:
    return b'<c t="inlineStr"><is><t>' + text + b"</t></is></c>"


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"", "file.csv", "The file is empty."),
        ("external_id\nJosé\n".encode("latin-1"), "file.csv", "Line 2 is not UTF-8."),
        (b"external_id\n" + b"a\n" * 700_000 + "é".encode()[:1], "file.csv", "Line 700,002 is not UTF-8."),
        ("external_id\nalice\n".encode("utf-16"), "file.csv", "The file is not text."),
        ("external_id\nalice\n".encode("utf-16-le"), "file.csv", "The file is not text."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "file.xlsx", "its contents are something else"),
        (b"%PDF-1.7", "file.xlsx", "its contents are something else"),
        (b"external_id\nalice\n", "file.xlsx", "its contents are something else"),
        (workbook([["external_id"]]), "file.csv", "its contents are something else"),
        (workbook([["external_id"]])[:-40], "file.xlsx", "The workbook is damaged."),
        (b"external_id\n", "file.html", "must end in .csv or .xlsx"),
    ],
)
def test_refuses_what_is_neither_csv_nor_a_workbook(shop: Shop, content: bytes, name: str, why: str) -> None:
    with pytest.raises(uploads.UnreadableFile, match=why):
        shop.check("customers", content, name=name)
    assert not Import.objects.filter(program=shop.program).exists()


def test_refuses_an_archive_that_is_no_workbook(shop: Shop) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("customers.csv", "external_id\nalice\n")

    with pytest.raises(uploads.UnreadableFile, match="not an Excel workbook"):
        shop.check("customers", archive.getvalue(), name="file.xlsx")


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/styles.xml", "xl/anything.xml", "xl/sharedStrings.xml"])
def test_refuses_a_workbook_that_unpacks_to_too_much(shop: Shop, part: str) -> None:
    bomb = altered(part, b"\0" * (BOMB + 1))
    assert len(bomb) < BOMB / 100

    with pytest.raises(uploads.UnreadableFile, match="unpacks to more than can be read"):
        shop.check("customers", bomb, name="file.xlsx")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (sheet(b"<row>" + cell(b"external_id" * 1_000_000) + b"</row>"), "A row of the workbook is too long"),
        (sheet(b"<row>" + cell(b"x") * 500_000 + b"</row>"), "A row of the workbook is too long"),
        (sheet(b"<row>" + cell(b"external_id") + b"</row><row>"), "The workbook is damaged"),
        (b"no XML", "The workbook is damaged"),
        (
            sheet(
                b"<row>" + cell(b"external_id") + b"</row><row>" + cell(b"&b;") + b"</row>",
                before=b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
            ),
            "The workbook is damaged",
        ),
        (sheet(b'<row r="1"/><row r="99999999">' + cell(b"a") + b"</row>"), "has more than 1,000,000 rows"),
        (sheet(b""), "The file has no headings"),
        (sheet(b"<row>" + cell(b"external_id") + b"</row>"), "The file has headings and no rows."),
    ],
)  # fmt: skip
def test_fails_over_a_sheet_that_cannot_be_read(shop: Shop, data: bytes, why: str) -> None:
    upload = shop.check("customers", altered(SHEET, data), name="file.xlsx")

    assert upload.state == "failed"
    assert why in upload.failure
    assert not Customer.objects.filter(program=shop.program).exists()


def test_fails_over_shared_texts_of_which_one_is_too_long(shop: Shop) -> None:
    texts = b"<si><t>" + b"x" * (5 << 20) + b"</t></si>"

    upload = shop.check("customers", altered("xl/sharedStrings.xml", texts), name="file.xlsx")

    assert (upload.state, upload.failure) == ("failed", "A row of the workbook is too long to be read.")


def test_lists_a_cell_that_is_too_long(shop: Shop) -> None:
    upload = shop.check("customers", workbook([["external_id"], ["x" * 32_767], ["alice"]]), name="file.xlsx")

    assert shop.faults(upload) == [(2, "external_id", "It has more than 100 characters.")]
    assert counts(upload) == (1, 0, 0, 1)


def test_reads_the_cells_of_a_workbook_as_they_are_shown(shop: Shop) -> None:
    moment = datetime.datetime(2026, 1, 10, 18, 30)  # noqa: DTZ001  # a cell has no zone
    rows = [["customer", "date", "amount"], [7, moment, 5], [7.0, "2026-01-11", 10.25]]

    upload = shop.bring("purchases", workbook(rows), name="file.xlsx", rate=2)

    assert counts(upload) == (2, 0, 0, 0)
    assert shop.balances() == {"7": 10 + 20}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("Shoe size\n43\n", "None of the headings in the first row is known."),
        ("external_id,external_id\na,b\n", "The headings have external_id twice."),
        ("external_id\n", "The file has headings and no rows."),
        ("\n\n", "The file has no headings in its first row."),
    ],
)
def test_fails_over_a_file_without_the_headings(shop: Shop, content: str, why: str) -> None:
    upload = shop.check("customers", content)

    assert (upload.state, upload.failure) == ("failed", why)
    assert "points" in shop.check("opening_balances", "external_id\nalice\n").failure


def test_reads_no_more_rows_than_it_may(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 3)

    assert shop.check("customers", "external_id\n1\n2\n3\n").state == "checked"
    assert "has more than 3 rows" in shop.check("customers", "external_id\n1\n2\n3\n4\n").failure


def test_fails_where_the_programme_has_no_rules_for_purchases(shop: Shop) -> None:
    bare = Program.objects.create(slug=f"{shop.program.slug}-2", name="Another")
    make_definition(bare)

    with pytest.raises(purchases.NoRules):
        Shop(bare).check("purchases", "customer,date,amount\na,2026-01-01,1\n")
