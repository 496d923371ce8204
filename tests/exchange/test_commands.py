"""Importing and exporting from the command line: as the admin does it, by the same code."""

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.core.management import CommandError, call_command

from cards.models import Card, Customer
from exchange import exports, workbooks
from exchange.exports import base
from exchange.models import Import
from loyalty.models import Program
from points import histories
from points.models import PointTransaction
from tests.exchange.processes import peak_of
from tests.exchange.shop import Shop, contents, workbook
from tests.factories import CardFactory, CustomerFactory
from tests.points.killing import killed_before

MB = 1 << 20


def run(shop: Shop, kind: str, file: Path, **options: Any) -> dict[str, str]:
    """This will import a file and answer what the command reports."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_file", kind, str(file), programme=shop.program.slug, stdout=out, stderr=err, **options)
    report = dict(line.rsplit(" ", 1) for line in out.getvalue().splitlines())
    return {name.strip(): count for name, count in report.items()} | {"faults": err.getvalue().strip()}


def exported(shop: Shop, kind: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("export", kind, programme=shop.program.slug, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text("external_id,email\nalice,alice@example.com\nbob,nothing\n")
    return path


def test_imports_a_file(shop: Shop, file: Path) -> None:
    told = run(shop, "customers", file)

    assert (told["Rows"], told["Would be added"], told["Added"], told["With faults"]) == ("2", "1", "1", "1")
    assert told["faults"].splitlines() == ["Row 3, email: It is not an e-mail address."] * 2
    assert [customer.external_id for customer in Customer.objects.filter(program=shop.program)] == ["alice"]
    assert run(shop, "customers", file)["There already"] == "1"


def test_writes_nothing_on_a_dry_run(shop: Shop, file: Path) -> None:
    before = contents()

    assert run(shop, "customers", file, dry_run=True)["Would be added"] == "1"

    assert contents() == before
    assert Import.objects.get(program=shop.program).state == "cancelled"


def test_imports_nothing_of_a_file_with_faults_that_is_to_be_whole(shop: Shop, file: Path) -> None:
    with pytest.raises(CommandError, match="nothing was imported"):
        run(shop, "customers", file, whole=True)

    assert not Customer.objects.filter(program=shop.program).exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"rate": "fast"}, "--rate is a number"),
        ({"source": "a b"}, "--source has at most"),
        ({"definition": "gold"}, "no such definition"),
    ],
)
def test_refuses_options_that_make_no_sense(shop: Shop, file: Path, options: dict[str, str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        run(shop, "customers", file, **options)
    with pytest.raises(CommandError, match="cannot be read"):
        run(shop, "customers", file.with_name("nothing.csv"))
    assert not Import.objects.filter(program=shop.program).exists()


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_imports_what_it_exported(shop: Shop, other_shop: Shop, tmp_path: Path, form: str) -> None:
    names = ["Alice", "=1+1", "+1-800", "'=x", "-5", '"quoted", and\nmore', "José \N{SNOWMAN}", "O'Hara"]
    for number, name in enumerate(names):
        customer = CustomerFactory(
            program=shop.program,
            name=name,
            external_id=f"={number}",
            phone="+370 600 11111",
            locale="lt",
            metadata={"n": number, "text": "a\tb"},
        )
        card = CardFactory(customer=customer, design=name[:40], metadata={"=": "@"})
    Card.objects.filter(pk=card.pk).update(status="blocked", expires_at="2100-01-01T10:30Z")

    for kind in ("customers", "cards"):
        path = tmp_path / f"{kind}.{form}"
        exported(shop, kind, format=form, output=path)
        told = run(other_shop, kind, path)
        assert (told["Added"], told["With faults"]) == (str(len(names)), "0")

    said = ("external_id", "email", "name", "phone", "locale", "metadata")
    held = ("number", "customer__external_id", "status", "design", "expires_at", "metadata")
    for model, columns in ((Customer, said), (Card, held)):
        ours, theirs = (
            list(model.objects.filter(program=each.program).order_by(columns[0]).values_list(*columns))
            for each in (shop, other_shop)
        )
        assert theirs == ours
    # And where it came from, all of them are there already.
    assert run(shop, "cards", tmp_path / f"cards.{form}")["There already"] == str(len(names))


def test_exports_entries_in_the_order_in_which_they_were_written(shop: Shop, tmp_path: Path) -> None:
    CustomerFactory(program=shop.program, external_id="alice")
    rows = "\n".join(f"alice,{points},2026-06-{points:02}" for points in range(1, 21))
    shop.bring("opening_balances", f"external_id,points,earned_at\n{rows}\n")

    head, *entries = csv.reader(io.StringIO(exported(shop, "entries").removeprefix("\ufeff")))

    written = histories.of_program(program=shop.program)
    assert [entry[head.index("id")] for entry in entries] == [f"txn_{entry.pk.hex}" for entry in written]
    assert {entry[head.index("points")] for entry in entries} == {str(points) for points in range(1, 21)}
    assert min(entry[head.index("effective_at")] for entry in entries) == "2026-05-31T21:00:00Z"
    exported(shop, "entries", format="xlsx", output=tmp_path / "entries.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "entries.xlsx").worksheets[0]
    assert sorted(row[head.index("points")] for row in [*sheet.values][1:]) == list(range(1, 21))


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_leaves_the_former_file_where_the_rest_cannot_be_read(shop: Shop, tmp_path: Path, form: str) -> None:
    CustomerFactory(program=shop.program)
    path = tmp_path / f"customers.{form}"
    path.write_text("yesterday's")

    with killed_before("cards_customer"), pytest.raises(CommandError, match="the rest could not be read"):
        exported(shop, "customers", format=form, output=path)

    assert path.read_text() == "yesterday's"
    exported(shop, "customers", format=form, output=path)
    assert path.read_bytes()[:2] == (b"PK" if form == "xlsx" else b"\xef\xbb")
    assert list(tmp_path.iterdir()) == [path]


def test_writes_into_what_is_no_file(shop: Shop) -> None:
    exported(shop, "customers", output=Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    with pytest.raises(CommandError, match="No space left"):
        exported(shop, "customers", output=Path("/dev/full"))


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "yesterday"])
def test_refuses_what_is_no_day(shop: Shop, day: str) -> None:
    with pytest.raises(CommandError, match="dates such as"):
        exported(shop, "entries", since=day, until=day)


def test_refuses_a_last_day_before_the_first(shop: Shop) -> None:
    with pytest.raises(CommandError, match="--to is before --from"):
        exported(shop, "entries", since="2026-03-02", until="2026-03-01")
    assert exported(shop, "entries", since="2026-03-01", until="2026-03-01")


def test_goes_on_from_page_to_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PAGE", 3)
    monkeypatch.setattr(base, "FEW", 2)
    Program.objects.filter(pk=shop.program.pk).update(keeps_events=True)
    for number in range(10):
        CardFactory(customer=CustomerFactory(program=shop.program, external_id=f"c{number}"))
    shop.bring("opening_balances", "external_id,points\n" + "".join(f"c{n % 10},{n + 1}\n" for n in range(40)))

    for kind, count in (
        ("customers", 10),
        ("cards", 10),
        ("accounts", 10),
        ("lots", 40),
        ("entries", 40),
        ("events", 40),
    ):
        _, *rows = csv.reader(io.StringIO(exported(shop, kind).removeprefix("\ufeff")))
        assert len({tuple(row) for row in rows}) == len(rows) == count
    written = PointTransaction.objects.filter(program=shop.program).order_by("xid").values_list("created_at", flat=True)
    for since, count in ((written[0], 40), (written[39], 1)):
        found = exports.EXPORTS["entries"].rows(shop.program, exports.Range(since=since))
        assert len(list(found)) >= count


@pytest.mark.parametrize("limit", [("MOST_ROWS", 3, 2), ("MOST_BYTES", 1, 1)])
def test_goes_on_in_another_sheet_of_a_workbook(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: tuple[str, int, int]
) -> None:
    name, most, on_each = limit
    monkeypatch.setattr(workbooks, name, most)
    path = tmp_path / "customers.xlsx"
    for count in range(6):
        exported(shop, "customers", format="xlsx", output=path)

        sheets = [[*sheet.values] for sheet in openpyxl.load_workbook(path).worksheets]
        assert {sheet[0] for sheet in sheets} == {exports.EXPORTS["customers"].columns}
        assert len({row[0] for _, *sheet in sheets for row in sheet}) == count
        full, rest = divmod(count, on_each)
        assert [len(sheet) - 1 for sheet in sheets] == ([on_each] * full + [rest] * bool(rest) or [0])
        # Bytes are counted a few thousand at a time.
        CustomerFactory(program=shop.program, metadata={"note": "A customer" * 900})


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_needs_no_more_memory_for_a_file_that_is_ten_times_as_long(shop: Shop, tmp_path: Path, form: str) -> None:
    peaks = []
    for count in (2_000, 20_000):
        path = tmp_path / f"{count}.{form}"
        lines = [
            ["external_id", "email", "name"],
            *([f"{count}-{n}", f"{count}-{n}@example.com", "A customer"] for n in range(count)),
        ]
        if form == "csv":
            path.write_text("\n".join(",".join(line) for line in lines))
        else:
            path.write_bytes(workbook(lines))
        peaks.append(peak_of("import_file", "customers", str(path), "--programme", shop.program.slug))
    assert Customer.objects.filter(program=shop.program).count() == 22_000
    assert peaks[1] - peaks[0] < 24 * MB
