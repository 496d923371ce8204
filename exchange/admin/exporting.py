"""The page from which staff take rows of a programme away."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone

from exchange.admin import sending
from exchange.admin.forms import ExportForm
from exchange.exports import EXPORTS
from loyalty import console
from loyalty.models import Program
from staff.audit import Action


def show(page: console.TableAdmin, request: HttpRequest) -> HttpResponseBase:
    """This will answer the page that asks what to export, or what was asked for."""
    form = ExportForm(request.GET if "kind" in request.GET else None, initial=console.only_program())
    if form.is_valid():
        return _exported(page, request, form)
    request.current_app = page.admin_site.name
    context = {**page.admin_site.each_context(request), "title": "Export", "form": form}
    return TemplateResponse(request, "admin/export.html", context)


def _exported(page: console.TableAdmin, request: HttpRequest, form: ExportForm) -> HttpResponseBase:
    program: Program = form.cleaned_data["program"]
    export = EXPORTS[form.cleaned_data["kind"]]
    rows = export.rows(program, form.dates)
    name = f"{program.slug}-{form.cleaned_data['kind']}-{timezone.now().astimezone(console.zone(program)):%Y-%m-%d}"
    send = sending.csv_file if form.cleaned_data["format"] == "csv" else sending.workbook
    answer = send(request, export.columns, rows, name=name)
    if answer.streaming:
        told = {"rows": form.cleaned_data["kind"], "format": form.cleaned_data["format"]}
        page.log_change(request, program, f"Exported {export.title.lower()}.", action=Action.EXPORTED, facts=told)
    return answer
