"""What notices say, kind by kind and language by language: the service's words, or a programme's own."""

import smtplib
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold import widgets

from loyalty import console
from loyalty.models import Program
from notices import examples, following, kinds, texts
from notices.kinds import Kind
from notices.models import NoticeTemplate

PERMISSION = "notices.change_noticetemplate"


class TemplateForm(forms.ModelForm):
    class Meta:
        model = NoticeTemplate
        fields = ("program", "kind", "language", "subject", "text", "html")
        widgets = {
            "subject": widgets.UnfoldAdminTextInputWidget,
            "text": widgets.UnfoldAdminTextareaWidget(attrs={"rows": 12}),
            "html": widgets.UnfoldAdminTextareaWidget(attrs={"rows": 12, "class": "font-mono"}),
        }


@admin.register(NoticeTemplate)
class NoticeTemplateAdmin(console.TableAdmin):
    form = TemplateForm
    list_select_related = ("program",)
    change_form_outer_after_template = "admin/notice_draft.html"

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        address = path("preview/<uuid:program_id>/<str:kind>/<str:language>/", preview, name=f"{_PAGE}_preview")
        draft = path("draft/", self.admin_site.admin_view(self.draft), name=f"{_PAGE}_draft")
        return [address, draft, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: NoticeTemplate | None = None) -> Any:
        kind = request.GET.get("kind", "") if obj is None else obj.kind
        names = kinds.PLACEHOLDERS[Kind(kind)] if kind in Kind.values else {}
        return (
            (None, {"fields": ("program", ("kind", "language")), "description": _names(names)}),
            ("What it says", {"fields": ("subject", "text", "html"), "description": _BELOW}),
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        asked = super().get_changeform_initial_data(request)
        if asked.get("kind") in Kind.values and asked.get("language") in dict(settings.LANGUAGES):
            said = texts.default(Kind(asked["kind"]), asked["language"])
            asked = {"subject": said.subject, "text": said.text} | asked
        return console.only_program() | asked

    def get_readonly_fields(self, request: HttpRequest, obj: NoticeTemplate | None = None) -> tuple[str, ...]:
        return () if obj is None else ("program", "kind", "language")

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        # Nothing names it: what the service says holds again.
        return request.user.has_perm("notices.delete_noticetemplate")

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._show(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._show(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """This will show every text of a programme, its own and the service's."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        programs = list(Program.objects.order_by("name", "pk"))
        asked = request.GET.get("program", "")
        program = next((p for p in programs if str(p.pk) == asked), programs[0] if programs else None)
        context: dict[str, Any] = {
            "title": "Notice texts",
            "programs": [{"name": p.name, "address": _listing(p), "is_shown": p == program} for p in programs],
            "program": program,
            "problem": following.problem(),
        }
        if program is not None:
            context["table"] = _overview(program)
        return self._render(request, "admin/notice_texts.html", context)

    def preview(self, request: HttpRequest, program_id: Any, kind: str, language: str) -> HttpResponse:
        """This will show an example of a notice; and send it to whoever asks for that."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        program = Program.objects.filter(pk=program_id).first()
        if program is None or kind not in Kind.values or language not in dict(settings.LANGUAGES):
            raise Http404
        if request.method == "POST":
            if not request.user.has_perm(PERMISSION):
                raise PermissionDenied
            _send_test(request, program, Kind(kind), language)
            return HttpResponseRedirect(request.path)
        own = NoticeTemplate.objects.filter(program=program, kind=kind, language=language).first()
        text = texts.of(program, Kind(kind), language)
        context = {
            **_shown(program, Kind(kind), text, "The programme's own" if own else "The service's"),
            "edit": _edit(request, program, kind, language, own),
            "edit_label": "Change" if own else "Write your own",
            "may_send": request.user.has_perm(PERMISSION),
            "address": getattr(request.user, "email", ""),
            "back": _listing(program),
        }
        return self._render(request, "admin/notice_preview.html", context)

    def draft(self, request: HttpRequest) -> HttpResponse:
        """This will show an example of a notice with a text that is being written, and save nothing."""
        if request.method != "POST" or not self.has_view_or_change_permission(request):
            raise PermissionDenied
        known = self.get_object(request, request.GET.get("row", ""))
        typed = {field: request.POST.get(field) for field in ("program", "kind", "language")}
        if known is not None:
            typed = {"program": str(known.program_id), "kind": known.kind, "language": known.language}
        form = TemplateForm({**request.POST.dict(), **typed}, instance=known)
        if not form.is_valid():
            faults = [
                (form[name].label if name in form.fields else "Text", " ".join(fault["message"] for fault in found))
                for name, found in form.errors.get_json_data().items()
            ]
            context = {"title": "This cannot be saved as it is", "facts": faults}
        else:
            row = form.instance
            text = texts.Text(language=row.language, subject=row.subject, text=row.text, html=row.html)
            context = _shown(row.program, Kind(row.kind), text, "Not saved yet")
        return self._render(request, "admin/notice_preview.html", context)

    def _show(self, request: HttpRequest, row: NoticeTemplate) -> HttpResponse:
        messages.success(request, "The text is saved. This is how it reads.")
        return HttpResponseRedirect(_preview(row.program, row.kind, row.language))

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        everywhere = self.admin_site.each_context(request)
        return TemplateResponse(request, template, {**everywhere, "opts": self.opts, **context})


_PAGE = "notices_noticetemplate"
_BELOW = "Below each e-mail stands how to unsubscribe; it need not be in the text."


def _shown(program: Program, kind: Kind, text: texts.Text, whose: str) -> dict[str, Any]:
    written = examples.write(program=program, kind=kind, text=text)
    title = f"{kind.label}: {dict(settings.LANGUAGES)[text.language]}"
    return {
        "title": title,
        "original": console.Titled(NoticeTemplate(program=program), title),
        "facts": [("From", written.from_email), ("Subject", written.subject), ("Text", whose)],
        "text": written.body,
        "html": examples.html_of(written),
    }


def _names(names: Any) -> SafeString | str:
    if not names:
        return "Which names a text can hold depends on what it is about."
    rows = format_html_join("", "<dt><code>{{{{ {} }}}}</code></dt><dd>{}</dd>", names.items())
    return format_html('These names can be used:<dl class="console-facts mt-4">{}</dl>', rows)


def _overview(program: Program) -> dict[str, Any]:
    own = set(NoticeTemplate.objects.filter(program=program).values_list("kind", "language"))
    rows = [
        [
            kind.label,
            *(
                format_html(
                    '<a href="{}" class="text-link">{}</a>',
                    _preview(program, kind, language),
                    "Own text" if (kind.value, language) in own else "The service's text",
                )
                for language, _ in settings.LANGUAGES
            ),
        ]
        for kind in Kind
    ]
    return {"headers": ["About", *(name for _, name in settings.LANGUAGES)], "rows": rows}


def _preview(program: Program, kind: str, language: str) -> str:
    return reverse(f"admin:{_PAGE}_preview", args=[program.pk, kind, language])


def _listing(program: Program) -> str:
    return f"{reverse(f'admin:{_PAGE}_changelist')}?{urlencode({'program': str(program.pk)})}"


def _edit(request: HttpRequest, program: Program, kind: str, language: str, own: NoticeTemplate | None) -> str:
    """This will answer where the text is written; nothing for somebody who may not."""
    if own is not None:
        return console.address(own) if request.user.has_perm(PERMISSION) else ""
    if not request.user.has_perm("notices.add_noticetemplate"):
        return ""
    query = urlencode({"program": str(program.pk), "kind": kind, "language": language})
    return f"{reverse(f'admin:{_PAGE}_add')}?{query}"


def _send_test(request: HttpRequest, program: Program, kind: Kind, language: str) -> None:
    address = getattr(request.user, "email", "")
    if not address:
        messages.error(request, "There is no e-mail address in your account. Somebody who manages users can add it.")
        return
    if problem := following.problem():
        messages.error(request, problem)
        return
    written = examples.write(program=program, kind=kind, text=texts.of(program, kind, language), to=address)
    try:
        written.send()
    except smtplib.SMTPException as failure:
        messages.error(request, f"The mail server refused it ({type(failure).__name__}).")
    except OSError as failure:
        messages.error(request, f"The mail server could not be used ({type(failure).__name__}).")
    else:
        messages.success(request, f"An example is on its way to {address}.")
