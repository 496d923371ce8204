"""Imports, as staff see them: a file is uploaded, checked, looked at, and imported."""

import csv
import io
import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from exchange import imports, tasks, uploads
from exchange.admin import exporting, sending
from exchange.admin.forms import UploadForm
from exchange.kinds import KINDS
from exchange.models import Import
from loyalty import console, errors

COLOURS = {
    "Being checked": "info",
    "Checked": "warning",
    "Under way": "info",
    "Done": "success",
    "Failed": "danger",
    "Cancelled": "default",
}
# Of the faults, so many stand on the page; all of them are in the file.
MOST_SHOWN = 100


@admin.register(Import)
class ImportAdmin(console.ReadOnlyAdmin):
    list_display = ("__str__", "status", "rows", "faulty", "uploaded", "uploaded_by", "program")
    list_select_related = ("program",)
    list_filter = ("program", "kind", "state")
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("file", "status"),
                    ("program", "options"),
                    ("columns_told", "ignored"),
                    ("uploaded", "uploaded_by"),
                    ("confirmed", "confirmed_by"),
                    ("ended", "cancelled_by"),
                )
            },
        ),
    )
    change_form_outer_before_template = "admin/import_before.html"
    actions_list = ("export",)
    actions_detail = ("confirm", "cancel")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("exchange.add_import")

    def has_bring_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("exchange.export_data")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("template/<str:kind>/", view(self.template), name="exchange_import_template"),
            path("<uuid:object_id>/faults/", view(self.faults), name="exchange_import_faults"),
            *super().get_urls(),
        ]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        upload = self.get_object(request, object_id)
        state = upload.state if upload is not None else ""
        offered = {"confirm": upload is not None and _is_worth_confirming(upload), "cancel": state in imports.ACTIVE}
        found = super().get_actions_detail(request, object_id)
        return [deed for deed in found if offered.get(deed.action_name.rpartition("_")[2], True)]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """This will take a file, and have it checked."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        is_sent = request.method == "POST"
        form = UploadForm(request.POST, request.FILES) if is_sent else UploadForm(initial=console.only_program())
        if form.is_valid() and (upload := _take(request, form)) is not None:
            self.log_addition(request, upload, "Uploaded.")
            messages.success(request, "The file is being checked. Nothing is imported before you say so.")
            if self.has_view_permission(request):
                return HttpResponseRedirect(console.address(upload))
            return HttpResponseRedirect(reverse("admin:index"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import a file",
            "form": form,
            "deed": "Upload and check",
            "explanation": "The file is checked first: you see how many rows would be imported and which have faults, "
            "and nothing is written. Then you say whether it is imported.",
            "links_title": "Templates with the headings",
            "links": [
                (label, reverse("admin:exchange_import_template", args=[kind])) for kind, label in Import.Kind.choices
            ],
            "back": reverse("admin:exchange_import_changelist"),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/ask.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        upload = self.get_object(request, object_id)
        sections = {} if upload is None or not self.has_view_permission(request) else self._sections(request, upload)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def template(self, request: HttpRequest, kind: str) -> HttpResponse:
        """This will answer a file with the headings of a kind, and a row as an example."""
        if not (self.has_add_permission(request) or self.has_view_permission(request)):
            raise PermissionDenied
        if kind not in KINDS:
            raise Http404
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow([column.name for column in KINDS[kind].columns])
        writer.writerow([column.example for column in KINDS[kind].columns])
        answer = HttpResponse(f"\ufeff{text.getvalue()}", content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{kind}.csv"'
        return answer

    def faults(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponseBase:
        """This will answer all faults of an import as CSV."""
        upload = self.fetch(request, str(object_id))
        if not self.has_view_permission(request, upload):
            raise PermissionDenied
        rows = ([fault.row, fault.column, fault.text] for fault in imports.all_faults(upload))
        return sending.csv_file(request, ("row", "column", "fault"), rows, name=f"faults-{upload.pk}")

    @action(description="Export", url_path="export", icon="download", permissions=["export"])
    def export(self, request: HttpRequest) -> HttpResponseBase:
        """This will answer rows of a programme as a file."""
        return exporting.show(self, request)

    @action(
        description="Import the rows",
        url_path="confirm",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["bring"],
    )
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will have a file imported that was checked."""
        upload = self.fetch(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                with transaction.atomic():
                    imports.confirm(upload=upload, by=console.actor(request), at=timezone.now())
                    tasks.work_on_imports.enqueue()
            except errors.Refusal as refusal:
                messages.error(request, refusal.message)
            else:
                self.log_change(request, upload, "Confirmed.", facts={"deed": "confirmed", "rows": upload.row_count})
                messages.success(request, "Its rows are imported now.")
            return HttpResponseRedirect(console.address(upload))
        return self.ask(
            request,
            upload,
            form=form,
            title=f"Import {upload.file_name}?",
            deed="Import the rows",
            explanation="What is imported cannot be taken back as a whole. "
            + ("Rows with faults are left out." if upload.faulty_count else "No row has a fault."),
            facts=[("Programme", upload.program), ("Rows", f"{upload.row_count or 0:,}"), *_counts(upload)],
        )

    @action(
        description="Cancel the import",
        url_path="cancel",
        icon="block",
        variant=ActionVariant.DANGER,
        permissions=["bring"],
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will end an import."""
        upload = self.fetch(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                imports.cancel(upload=upload, by=console.actor(request), at=timezone.now())
            except errors.Refusal as refusal:
                messages.error(request, refusal.message)
            else:
                self.log_change(request, upload, "Cancelled.", facts={"deed": "cancelled"})
                messages.success(request, "It is cancelled.")
            return HttpResponseRedirect(console.address(upload))
        return self.ask(
            request,
            upload,
            form=form,
            title=f"Cancel the import of {upload.file_name}?",
            deed="Cancel the import",
            explanation="What is imported already stays. The file is deleted here.",
            is_danger=True,
        )

    @display(description="State", label=COLOURS)
    def status(self, upload: Import) -> str:
        return upload.get_state_display()

    @display(description="Rows")
    def rows(self, upload: Import) -> str:
        return console.NOTHING if upload.row_count is None else f"{upload.row_count:,}"

    @display(description="With faults")
    def faulty(self, upload: Import) -> str:
        return f"{upload.faulty_count:,}" if upload.faulty_count else console.NOTHING

    @display(description="File")
    def file(self, upload: Import) -> str:
        return f"{upload.file_name} ({upload.get_kind_display()}, {max(upload.file_size >> 10, 1):,} KB)"

    @display(description="Options")
    def options(self, upload: Import) -> str:
        told = []
        if upload.definition is not None:
            told.append(f"points: {upload.definition}")
        if upload.rate is not None:
            told.append(f"{upload.rate.normalize():f} points a unit")
        if upload.source != imports.SOURCE:
            told.append(f"source {upload.source}")
        if upload.changes_existing:
            told.append("changes customers who are there")
        if upload.is_whole:
            told.append("all or nothing")
        return ", ".join(told).capitalize() or console.NOTHING

    @display(description="Columns")
    def columns_told(self, upload: Import) -> str:
        return ", ".join(upload.columns_read) or console.NOTHING

    @display(description="Columns that are not read")
    def ignored(self, upload: Import) -> str:
        return ", ".join(upload.columns_ignored) or console.NOTHING

    @display(description="Uploaded")
    def uploaded(self, upload: Import) -> str:
        return console.moment(upload.created_at, upload.program)

    @display(description="Confirmed")
    def confirmed(self, upload: Import) -> str:
        return console.moment(upload.confirmed_at, upload.program)

    @display(description="Ended")
    def ended(self, upload: Import) -> str:
        return console.moment(upload.ended_at, upload.program)

    def _sections(self, request: HttpRequest, upload: Import) -> dict[str, Any]:
        """This will answer what stands above an import's facts: how far it is, and its faults."""
        is_busy = upload.state in (Import.State.UPLOADED, Import.State.RUNNING)
        figures = [("Rows", console.NOTHING if upload.row_count is None else f"{upload.row_count:,}"), *_counts(upload)]
        shown = list(imports.faults(upload)[: MOST_SHOWN + 1])
        rows = [[f"{fault.row:,}", fault.column or console.NOTHING, fault.text] for fault in shown[:MOST_SHOWN]]
        tables = []
        if rows:
            title = f"The first {MOST_SHOWN} faults" if len(shown) > MOST_SHOWN else "Faults"
            tables.append({"title": title, "table": {"headers": ["Row", "Column", "What is wrong"], "rows": rows}})
        return {
            "figures": figures,
            "is_busy": is_busy,
            "progress": f"{imports.done(upload):.0f}",
            "progress_title": "Importing" if upload.state == Import.State.RUNNING else "Checking",
            "place": f"{upload.place:,} of {upload.row_count:,}" if upload.row_count else "Reading the file",
            "notice": upload.failure,
            "faults_link": reverse("admin:exchange_import_faults", args=[upload.pk]) if rows else "",
            "tables": tables,
            "is_useless": upload.state == Import.State.CHECKED and not _is_worth_confirming(upload),
            "may_confirm": _is_worth_confirming(upload) and self.has_bring_permission(request),
        }


def _take(request: HttpRequest, form: UploadForm) -> Import | None:
    """This will keep a file that is to be checked, or show on the form why not."""
    said = form.cleaned_data
    try:
        with transaction.atomic():
            upload = imports.upload(
                program=said["program"],
                kind=said["kind"],
                file=said["file"].file,
                file_name=said["file"].name,
                by=console.actor(request),
                definition=said["definition"],
                rate=said["rate"],
                source=said["source"] or imports.SOURCE,
                changes_existing=said["changes_existing"],
                is_whole=said["is_whole"],
            )
            tasks.work_on_imports.enqueue()
    except uploads.UnreadableFile as refusal:
        form.add_error("file", refusal.message)
    except errors.Refusal as refusal:
        console.tell(form, refusal)
    else:
        return upload
    return None


def _is_worth_confirming(upload: Import) -> bool:
    """Whether a file that was checked has a row to bring in, and nothing that stands against it."""
    has_rows = upload.added_count + upload.changed_count > 0
    return upload.state == Import.State.CHECKED and has_rows and not (upload.is_whole and upload.faulty_count)


def _counts(upload: Import) -> list[tuple[str, Any]]:
    is_confirmed = upload.confirmed_at is not None
    counts = [
        ("Imported" if is_confirmed else "To be imported", upload.added_count),
        ("Changed" if is_confirmed else "To be changed", upload.changed_count),
        ("There already", upload.known_count),
        ("Earn nothing", upload.nothing_count),
        ("With faults", upload.faulty_count),
    ]
    # The first and the last one are looked for, also where they are none.
    return [(name, f"{count:,}") for place, (name, count) in enumerate(counts) if count or place in (0, 4)]
