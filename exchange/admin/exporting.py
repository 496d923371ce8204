"""The page from which staff take rows of a programme away."""

import logging
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone

from exchange import writing
from exchange.admin.forms import ExportForm
from exchange.exports import EXPORTS
from loyalty import console
from loyalty.models import Program
from staff.audit import Action

logger = logging.getLogger(__name__)

# The last line of a file of which the rest could not be read.
CUT = "INCOMPLETE: the file breaks off here, since the rest could not be read. Take it again.\r\n"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def show(page: console.TableAdmin, request: HttpRequest) -> HttpResponseBase:
    """This will answer the page that asks what to export, or what was asked for."""
    form = ExportForm(request.GET if "kind" in request.GET else None, initial=console.only_program())
    if form.is_valid():
        return _exported(page, request, form)
    request.current_app = page.admin_site.name
    context = {**page.admin_site.each_context(request), "title": "Export", "form": form}
    return TemplateResponse(request, "admin/export.html", context)


def csv_answer(columns: tuple[str, ...], rows: Iterator[Any], *, name: str) -> StreamingHttpResponse:
    """This will answer rows as a file that is written while it is sent."""
    lines = _told_when_cut(writing.csv_text(columns, rows))
    return _attached(lines, name=f"{name}.csv", content_type="text/csv; charset=utf-8")


def _told_when_cut(lines: Iterator[str]) -> Iterator[str]:
    """This will end lines that break off with one that says so: the server would answer them as whole, and what is left
    of a table looks like a table. (What is left of a workbook is none: its contents stand at its end.)"""
    try:
        yield from lines
    except Exception:
        logger.exception("an export broke off")
        yield CUT


def _attached(pieces: Iterator[str] | Iterator[bytes], *, name: str, content_type: str) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(pieces, content_type=content_type)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    # Nobody on the way is to keep it.
    answer["Cache-Control"] = "no-store"
    return answer


def _exported(page: console.TableAdmin, request: HttpRequest, form: ExportForm) -> StreamingHttpResponse:
    program: Program = form.cleaned_data["program"]
    export = EXPORTS[form.cleaned_data["kind"]]
    rows = export.rows(program, form.dates)
    name = f"{program.slug}-{form.cleaned_data['kind']}-{timezone.now().astimezone(console.zone(program)):%Y-%m-%d}"
    if form.cleaned_data["format"] == "csv":
        answer = csv_answer(export.columns, rows, name=name)
    else:
        from exchange import workbooks

        answer = _attached(workbooks.workbook(export.columns, rows), name=f"{name}.xlsx", content_type=XLSX)
    told = {"rows": form.cleaned_data["kind"], "format": form.cleaned_data["format"]}
    page.log_change(request, program, f"Exported {export.title.lower()}.", action=Action.EXPORTED, facts=told)
    return answer
