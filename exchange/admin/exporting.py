"""The page from which staff take rows of a programme away."""

from collections.abc import Iterator
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone

from exchange import writing
from exchange.admin.forms import ExportForm
from exchange.exports import EXPORTS
from loyalty import console
from loyalty.models import Program
from staff.audit import Action

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def show(page: console.TableAdmin, request: HttpRequest) -> HttpResponseBase:
    """This will answer the page that asks what to export, or what was asked for."""
    form = ExportForm(request.GET if "kind" in request.GET else None, initial=console.only_program())
    if form.is_valid():
        answer = _exported(page, request, form)
        if answer is not None:
            return answer
    request.current_app = page.admin_site.name
    context = {**page.admin_site.each_context(request), "title": "Export", "form": form}
    return TemplateResponse(request, "admin/export.html", context)


def csv_answer(columns: tuple[str, ...], rows: Iterator[Any], *, name: str) -> StreamingHttpResponse:
    """This will answer rows as a file that is written while it is sent."""
    answer = StreamingHttpResponse(writing.csv_text(columns, rows), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    # Nobody on the way is to keep it.
    answer["Cache-Control"] = "no-store"
    return answer


def _exported(page: console.TableAdmin, request: HttpRequest, form: ExportForm) -> HttpResponseBase | None:
    program: Program = form.cleaned_data["program"]
    export = EXPORTS[form.cleaned_data["kind"]]
    rows = export.rows(program, form.dates)
    name = f"{program.slug}-{form.cleaned_data['kind']}-{timezone.now().astimezone(console.zone(program)):%Y-%m-%d}"
    answer: HttpResponse | StreamingHttpResponse | FileResponse
    if form.cleaned_data["format"] == "csv":
        answer = csv_answer(export.columns, rows, name=name)
    else:
        try:
            book = writing.workbook(export.columns, rows)
        except writing.TooManyRows as refusal:
            form.add_error("format", refusal.message)
            return None
        answer = FileResponse(book, as_attachment=True, filename=f"{name}.xlsx", content_type=XLSX)
        answer["Cache-Control"] = "no-store"
    told = {"rows": form.cleaned_data["kind"], "format": form.cleaned_data["format"]}
    page.log_change(request, program, f"Exported {export.title.lower()}.", action=Action.EXPORTED, facts=told)
    return answer
