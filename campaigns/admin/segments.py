"""Segments: what customers have to be, a list of them uploaded perhaps, and how many there are."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action, display

from campaigns import lists, segments
from campaigns.admin import words
from campaigns.conditions import Conditions
from campaigns.models import CardState, CustomerList, Segment
from loyalty import console, errors
from loyalty.models import Program
from tiers.models import Tier

_CHECKS = widgets.UnfoldAdminCheckboxSelectMultipleWidget


class SegmentForm(forms.ModelForm):
    tiers = forms.MultipleChoiceField(required=False, widget=_CHECKS, help_text="Who holds one of these.")
    cards = forms.MultipleChoiceField(
        required=False, widget=_CHECKS, choices=CardState.choices, help_text="Who has one of these."
    )
    file = forms.FileField(
        label="Upload a list",
        required=False,
        widget=widgets.UnfoldAdminFileFieldWidget,
        help_text="Text or CSV in UTF-8: a customer's id, e-mail address or card number in the first column of each "
        f"line. At most {lists.MOST_LINES:,} lines. It takes the place of the list before.",
    )
    without_list = forms.BooleanField(
        label="Take the list away", required=False, widget=widgets.UnfoldBooleanSwitchWidget
    )

    class Meta:
        model = Segment
        fields = (
            "program",
            "name",
            "definition",
            "tiers",
            "balance_least",
            "balance_most",
            "earned_least",
            "earned_most",
            "active_from_on",
            "active_until_on",
            "joined_from_on",
            "joined_until_on",
            "spent_least",
            "spent_most",
            "spent_from_on",
            "spent_until_on",
            "cards",
        )

    # Who sends it, and the list that was uploaded with it.
    actor = ""
    listing: CustomerList | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        tiers = Tier.objects.order_by("threshold")
        if self.instance.program_id is not None:
            tiers = tiers.filter(program=self.instance.program_id)
        if "definition" in self.fields:
            words.offer(self.fields["definition"], self.instance.program if self.instance.program_id else None)
        if isinstance(field := self.fields.get("tiers"), forms.MultipleChoiceField):
            field.choices = [
                (code, f"{name} ({code})") for code, name in dict(tiers.values_list("code", "name")).items()
            ]

    def clean(self) -> dict[str, Any]:
        """This will refuse what is another programme's, and ranges in which nothing is."""
        values = super().clean() or {}
        program = values.get("program") or (self.instance.program if self.instance.program_id else None)
        if program is None:
            return values
        definition = values.get("definition")
        if definition is not None and definition.program_id != program.pk:
            self.add_error("definition", "The programme has no such points.")
        known = set(program.tiers.values_list("code", flat=True))
        if unknown := [code for code in values.get("tiers", []) if code not in known]:
            self.add_error("tiers", f"The programme has no tier {', '.join(unknown)}.")
        self._check_ranges(values)
        self._check_spend(values)
        if values.get("file") is not None and not self.errors:
            self._read_list(program, values["file"])
        return values

    def _read_list(self, program: Program, file: Any) -> None:
        try:
            self.listing = lists.upload(program=program, file=file, name=file.name, actor=self.actor)
        except lists.BadList as refusal:
            for text in refusal.faults["file"]:
                self.add_error("file", text)

    def _check_ranges(self, values: dict[str, Any]) -> None:
        for name in ("balance", "earned", "spent"):
            least, most = values.get(f"{name}_least"), values.get(f"{name}_most")
            if least is not None and most is not None and least > most:
                self.add_error(f"{name}_most", "It is less than the least.")
        for name in ("active", "joined", "spent"):
            first, end = values.get(f"{name}_from_on"), values.get(f"{name}_until_on")
            if first is not None and end is not None and first >= end:
                self.add_error(f"{name}_until_on", "No day is before this one and not before the other.")

    def _check_spend(self, values: dict[str, Any]) -> None:
        has_days = values.get("spent_from_on") is not None or values.get("spent_until_on") is not None
        if has_days and values.get("spent_least") is None and values.get("spent_most") is None:
            self.add_error("spent_least", "Say how much was spent in this time, or leave the days out.")


@admin.register(Segment)
class SegmentAdmin(console.TableAdmin):
    form = SegmentForm
    list_display = ("name", "asks", "changed", "program")
    list_filter = ("program",)
    list_select_related = ("program",)
    search_fields = ("name",)
    ordering = ("program__name", "program", "name")
    change_form_outer_after_template = "admin/tables.html"
    fieldsets = (
        (
            None,
            {
                "fields": ("program", "name", "definition"),
                "description": "A customer meets all that is said here. What is left empty asks for nothing.",
            },
        ),
        (
            "Points and tier",
            {"fields": ("tiers", ("balance_least", "balance_most"), ("earned_least", "earned_most"))},
        ),
        (
            "Time",
            {
                "fields": (("active_from_on", "active_until_on"), ("joined_from_on", "joined_until_on")),
                "description": "Days by the clocks of the programme. Who was never active was last active before any.",
            },
        ),
        (
            "What was spent",
            {
                "fields": (("spent_least", "spent_most"), ("spent_from_on", "spent_until_on")),
                "description": "Orders less their refunds, purchases worked out by rules, and imported purchases. "
                "Awards that tell no amount do not count.",
            },
        ),
        ("Cards", {"fields": ("cards",)}),
        ("A list of your own", {"fields": ("listed", "file", "without_list")}),
    )
    actions_detail = ("count",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        form = super().get_form(request, obj, change=change, **options)
        return type(form.__name__, (form,), {"actor": console.actor(request)})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        return super().get_queryset(request).select_related("program", "listing", "definition")

    def get_readonly_fields(self, request: HttpRequest, obj: Segment | None = None) -> tuple[str, ...]:
        return ("listed",) if obj is None else ("program", "listed")

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> Any:
        shown = super().get_fieldsets(request, obj)
        if obj is not None and not self.has_change_permission(request, obj):
            # The form's own fields say nothing to who cannot send it.
            return [*shown[:-1], ("A list of your own", {"fields": ("listed",)})]
        return shown

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        segment = self.get_object(request, object_id)
        sections = {} if segment is None or not self.has_view_permission(request) else _missing(segment)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        obj.changed_by, obj.changed_at = console.actor(request), timezone.now()
        if form.cleaned_data["without_list"]:
            obj.listing = None
        with transaction.atomic():
            if isinstance(form, SegmentForm) and form.listing is not None:
                obj.listing = form.listing
            if not change:
                obj.save(force_insert=True)
                return
            columns = {field.name for field in obj._meta.concrete_fields}
            obj.version = F("version") + 1
            changed = columns.intersection(form.changed_data) | {"listing", "version", "changed_by", "changed_at"}
            obj.save(update_fields=changed)

    @action(description="Count", url_path="count", icon="group", permissions=["view"])
    def count(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will show how many customers there are, and the first ones."""
        segment = self.fetch(request, object_id)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": segment,
            "title": f"Who is in {segment}?",
            "back": console.address(segment),
        }
        try:
            found = segments.find(program=segment.program, conditions=Conditions.of(segment), at=timezone.now())
        except errors.Refusal as refusal:
            messages.warning(request, refusal.message)
        else:
            context |= told(request, found) | {
                "facts": [
                    ("Programme", segment.program),
                    ("Who", words.conditions(Conditions.of(segment), segment.program)),
                    ("How many", words.customers(found.count)),
                ]
            }
        return TemplateResponse(request, "admin/campaign_preview.html", context)

    @display(description="Who")
    def asks(self, segment: Segment) -> str:
        return words.conditions(Conditions.of(segment), segment.program)

    @display(description="Changed")
    def changed(self, segment: Segment) -> str:
        return f"{console.moment(segment.changed_at, segment.program)}, {segment.changed_by}"

    @display(description="List now")
    def listed(self, segment: Segment) -> str:
        listing = segment.listing if segment.listing_id else None
        if listing is None:
            return "None"
        missing = f"; {listing.missing:,} of its lines name nobody" if listing.missing else ""
        return f"{listing}: {words.customers(listing.customers)}{missing}"


def told(request: HttpRequest, found: segments.Found) -> dict[str, Any]:
    """This will answer the table of the first customers, for those who may see customers."""
    may_look = request.user.has_perm("cards.view_customer")
    if not may_look or not found.first:
        return {}
    title = "All of them" if found.count == len(found.first) else f"The first {len(found.first)} of them"
    return {"tables": [{"title": title, "table": words.table(found.first, is_linked=True)}]}


def _missing(segment: Segment) -> dict[str, Any]:
    listing = segment.listing if segment.listing_id else None
    if listing is None or not listing.missing:
        return {}
    shown = len(listing.missing_lines)
    title = "Lines that name nobody" + (
        f", the first {shown} of {listing.missing:,}" if listing.missing > shown else ""
    )
    rows = [[line] for line in listing.missing_lines]
    return {"tables": [{"title": title, "table": {"headers": ["Line"], "rows": rows}}]}
