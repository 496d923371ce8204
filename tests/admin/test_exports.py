"""What staff take away: rows of one programme as CSV or as a workbook, by those who may."""

import collections
import csv
import datetime
import io
import json
import threading
import zipfile
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.db import DatabaseError
from django.urls import reverse

from cards.models import Card, Customer
from exchange import workbooks
from exchange.admin import sending
from exchange.exports import EXPORTS, base
from loyalty import ids
from loyalty.models import Program
from points import ledger
from staff.audit_models import AuditEntry
from tests.admin import pages
from tests.admin.conftest import MANAGER, Browser, staff
from tests.factories import CustomerFactory
from tests.points.killing import killed_before
from tests.points.till import NOON, Till


@pytest.fixture
def exporter() -> Browser:
    return staff("Emil", ["export_data"])


def asked(browser: Browser, program: Program, kind: str, **said: Any) -> Any:
    where = reverse("admin:exchange_import_export")
    return browser.get(where, {"program": program.pk, "kind": kind, "format": "csv", **said})


def rows(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def named(answer: Any) -> list[dict[str, str]]:
    """This will answer rows by their headings."""
    head, *found = rows(answer)
    return [dict(zip(head, row, strict=True)) for row in found]


@pytest.mark.parametrize("kind", list(EXPORTS))
def test_answers_a_file_of_each_kind(exporter: Browser, program: Program, card: Card, till: Till, kind: str) -> None:
    till.award(100)

    answer = asked(exporter, program, kind)

    assert answer["Content-Disposition"].startswith(f'attachment; filename="{program.slug}-{kind}-')
    head, *found = rows(answer)
    assert head == list(EXPORTS[kind].columns)
    there_are = {
        "definitions": program.definitions.count(),
        "tiers": program.tiers.count(),
        "rulebooks": program.rulebooks.count(),
    }
    none = {"rewards", "redemptions", "vouchers", "uses", "holds", "tier_changes", "events"}
    assert len(found) == there_are.get(kind, 0 if kind in none else 1)


def test_tells_balances_and_entries_as_numbers(exporter: Browser, program: Program, card: Card, till: Till) -> None:
    till.award(100)
    till.redeem(30)

    head, account = rows(asked(exporter, program, "accounts"))
    assert account[head.index("balance")] == str(100 - 30)
    head, *entries = rows(asked(exporter, program, "entries"))
    assert [entry[head.index("points")] for entry in entries] == ["100", "-30"]
    head, lot = rows(asked(exporter, program, "lots"))
    assert (lot[head.index("points")], lot[head.index("remaining")]) == ("100", "70")


def test_tells_what_became_of_points(exporter: Browser, program: Program, till: Till) -> None:
    program.keeps_events = True
    program.save(update_fields=["keeps_events"])
    first, second = till.award(10), till.award(100)
    spent = till.redeem(30)
    held = till.post(ledger.hold, points=Decimal(25), lasts=datetime.timedelta(hours=1))
    captured = till.post(ledger.capture, hold_id=held.id, points=Decimal(20))

    known = {entry.pk: ids.public("txn", entry.pk) for entry in (first, second, spent, held, captured)}
    [lots, uses, holds] = [named(asked(exporter, program, kind)) for kind in ("lots", "uses", "holds")]
    assert {lot["lot_id"]: lot["entry_id"] for lot in lots} == {
        str(first.pk): known[first.pk],
        str(second.pk): known[second.pk],
    }
    taken: dict[str, Decimal] = collections.defaultdict(Decimal)
    for use in uses:
        assert use["customer_id"] == ids.public("cus", till.account.customer_id)
        taken[use["lot_id"]] += Decimal(use["points"])
    assert taken == {lot["lot_id"]: Decimal(lot["points"]) - Decimal(lot["remaining"]) for lot in lots}
    assert [(use["lot_id"], use["points"]) for use in uses if use["entry_id"] == known[spent.pk]] == [
        (str(first.pk), "10"),
        (str(second.pk), "20"),
    ]
    [hold] = holds
    assert (hold["id"], hold["points"], hold["captured_points"], hold["status"], hold["resolved_by"]) == (
        ids.public("hld", held.id),
        *("25", "20", "captured"),
        known[captured.pk],
    )
    told = [
        (event["type"], event["sequence"], event["entry_id"]) for event in named(asked(exporter, program, "events"))
    ]
    assert told[:3] == [
        ("points.earned", "1", known[first.pk]),
        ("points.earned", "2", known[second.pk]),
        ("points.redeemed", "3", known[spent.pk]),
    ]


def test_tells_what_a_programme_says_and_who_reached_which_tier(
    exporter: Browser, program: Program, till: Till
) -> None:
    first = till.award(600)

    [change] = named(asked(exporter, program, "tier_changes"))
    assert (change["from_tier"], change["to_tier"], change["points"]) == ("bronze", "silver", "600")
    assert (change["customer_id"], change["entry_id"]) == (
        ids.public("cus", till.account.customer_id),
        ids.public("txn", first.pk),
    )
    tiers = named(asked(exporter, program, "tiers"))
    assert [(tier["code"], tier["threshold"]) for tier in tiers][:2] == [("bronze", "0"), ("silver", "500")]
    [kind] = named(asked(exporter, program, "definitions"))
    assert (kind["code"], kind["is_default"], kind["expiry_policy"]) == (till.account.definition.code, "yes", "months")
    versions = named(asked(exporter, program, "rulebooks"))
    assert [version["version"] for version in versions] == [
        str(book.version) for book in program.rulebooks.order_by("version")
    ]
    assert json.loads(versions[-1]["content"]) == program.rulebooks.latest("version").content


def test_answers_a_workbook(exporter: Browser, program: Program, till: Till, card: Card) -> None:
    till.award(100)

    answer = asked(exporter, program, "accounts", format="xlsx")

    book = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content)))
    head, account = book.worksheets[0].values
    assert account[list(head).index("balance")] == 100
    assert account[list(head).index("email")] == card.customer.email


def test_defuses_what_a_spreadsheet_would_run(exporter: Browser, program: Program) -> None:
    names = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\tx",
        "'=1",
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20A1",
        "\ufe661",
        "+370 600 11111",
        "-5",
        "O'Hara",
    ]
    for name in names:
        CustomerFactory(program=program, name=name)

    for form in ("csv", "xlsx"):
        answer = asked(exporter, program, "customers", format=form)
        if form == "csv":
            head, *found = rows(answer)
            told = [row[head.index("name")] for row in found]
        else:
            sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).worksheets[0]
            assert {cell.data_type for cell in sheet["D"]} == {"s"}
            told = [cell.value for cell in sheet["D"]][1:]
        assert told == [f"'{name}" for name in names[:-3]] + names[-3:]


def test_writes_a_workbook_whatever_a_name_holds(exporter: Browser, program: Program) -> None:
    for number in (0xB, 0x1F, 0x7F, 0xFFFD, 0xFFFE, 0xFFFF, 0x1F600):
        CustomerFactory(program=program, name=f"a{chr(number)}b")
    CustomerFactory(program=program, name="#N/A")

    answer = asked(exporter, program, "customers", format="xlsx")

    sheet = openpyxl.load_workbook(io.BytesIO(b"".join(answer.streaming_content))).worksheets[0]
    assert {cell.data_type for cell in sheet["D"]} == {"s"}
    bad = "a\N{REPLACEMENT CHARACTER}b"
    assert [cell.value for cell in sheet["D"]][1:] == [bad, bad, "a\x7fb", bad, bad, bad, "a\N{GRINNING FACE}b", "#N/A"]


def broken_off(exporter: Browser, program: Program, *, form: str) -> tuple[bytes, bytes]:
    """This will answer what is sent of two pages of customers before the session ends, and after it."""
    for _ in range(220):
        CustomerFactory(program=program)
    pieces = iter(asked(exporter, program, "customers", format=form).streaming_content)
    some, rest = next(pieces), b""
    with killed_before("cards_customer"), pytest.raises(DatabaseError):  # noqa: PT012  # the pieces before it count
        for piece in pieces:
            rest += piece
    return some, rest


def test_says_where_a_file_breaks_off(exporter: Browser, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PAGE", 210)

    some, rest = broken_off(exporter, program, form="csv")

    assert 190 < some.count(b"\r\n") < 210
    assert some.endswith(b"\r\n")
    assert rest == b"INCOMPLETE: the file breaks off here, since the rest could not be read. Take it again.\r\n"


def test_leaves_no_workbook_where_it_breaks_off(
    exporter: Browser, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "PAGE", 210)
    monkeypatch.setattr(workbooks, "_PIECE", 1)

    some, rest = broken_off(exporter, program, form="xlsx")

    assert some.startswith(b"PK")
    assert not zipfile.is_zipfile(io.BytesIO(some + rest))


def test_leaves_a_thread_to_tills(exporter: Browser, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_threads", threading.BoundedSemaphore(2))
    for _ in range(300):
        CustomerFactory(program=program)
    kept = [asked(exporter, program, "customers", format=form) for form in ("csv", "xlsx")]
    pieces = [iter(answer.streaming_content) for answer in kept]
    assert all(next(each) for each in pieces)

    for form in ("csv", "xlsx"):
        busy = asked(exporter, program, "customers", format=form)
        assert (busy.status_code, busy["Retry-After"]) == (503, "30")
        assert "Other files are being sent" in pages.text(busy, status=503)
    assert AuditEntry.objects.filter(action="exported", object_id=str(program.pk)).count() == 2

    # One is read to its end, the other is left there, and a third nobody begins to read.
    assert list(pieces[0])
    kept[1].close()
    for form in ("csv", "xlsx", "csv"):
        asked(exporter, program, "customers", format=form).close()
    assert len(rows(asked(exporter, program, "customers"))) == 1 + 300


def test_keeps_to_the_days_that_are_asked_for(exporter: Browser, program: Program, till: Till) -> None:
    till.award(100)
    day = NOON.date()

    for since, until, count in [("", "", 1), (day, day, 1), ("2100-01-01", "", 0), ("", "2000-01-01", 0)]:
        assert len(rows(asked(exporter, program, "entries", since=since, until=until))) == 1 + count
    said = {"since": "2026-03-02", "until": "2026-03-01"}
    assert "It is before the first day." in pages.text(asked(exporter, program, "entries", **said))
    assert "leave it empty" in pages.text(asked(exporter, program, "lots", since="2026-01-01"))


def test_tells_nothing_of_another_programme(exporter: Browser, program: Program, till: Till, card: Card) -> None:
    till.award(100)
    other = Program.objects.create(slug=f"{program.slug}-2", name="Another")

    for kind in EXPORTS:
        assert len(rows(asked(exporter, other, kind))) == 1


def test_remembers_who_exported_what(exporter: Browser, program: Program, customer: Customer) -> None:
    rows(asked(exporter, program, "customers"))

    entry = LogEntry.objects.get(user=exporter.user)
    assert (entry.object_id, entry.change_message) == (str(program.pk), "Exported customers.")
    audited = AuditEntry.objects.get(user_id=exporter.user.pk, program=program)
    assert audited.action == "exported"
    assert audited.facts == {"name": program.name, "rows": "customers", "format": "csv"}


def test_only_those_export_who_may(program: Program, exporter: Browser) -> None:
    manager = staff("Mary", [*MANAGER, "view_import", "add_import"])

    assert asked(manager, program, "customers").status_code == 403
    assert manager.get(reverse("admin:exchange_import_export")).status_code == 403
    assert "Download" in pages.text(exporter.get(reverse("admin:exchange_import_export")))
    assert reverse("admin:exchange_import_export") in exporter.get(reverse("admin:index")).content.decode()
