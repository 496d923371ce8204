"""Award campaigns: made, looked at, started, watched, paused, cancelled and undone."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from campaigns import campaigns, segments, tasks
from campaigns.admin import results, telling, words
from campaigns.admin.forms import CampaignForm, StartForm, UndoForm
from campaigns.admin.segments import told
from campaigns.conditions import Conditions
from campaigns.models import AwardCampaign
from cards.admin import deeds
from loyalty import console, errors
from staff.audit import Action

State = AwardCampaign.State
Expiry = AwardCampaign.Expiry

COLOURS = {
    "Draft": "default",
    "Running": "info",
    "Paused": "warning",
    "Done": "success",
    "Cancelled": "danger",
    "Being undone": "info",
    "Undone": "danger",
}
# What can be done in which state.
_DEEDS = {
    State.DRAFT: ("preview", "start", "cancel"),
    State.RUNNING: ("pause", "cancel", "customers"),
    State.PAUSED: ("resume", "cancel", "customers"),
    State.DONE: ("customers", "undo"),
    State.CANCELLED: ("customers", "undo"),
    State.UNDOING: ("customers",),
    State.UNDONE: ("customers",),
}


@admin.register(AwardCampaign)
class AwardCampaignAdmin(console.TableAdmin):
    form = CampaignForm
    list_display = ("name", "status", "segment", "each", "progress", "started", "program")
    list_filter = ("program", "state")
    list_select_related = ("program", "definition", "segment")
    search_fields = ("name",)
    ordering = ("-pk",)
    change_form_outer_before_template = "admin/campaign_progress.html"
    change_form_outer_after_template = "admin/tables.html"
    fieldsets = (
        (None, {"fields": ("program", "name", "reason", "segment")}),
        ("What each customer gets", {"fields": ("definition", "points", "expiry", "expires_on", "expires_after_days")}),
        ("E-mail", {"fields": ("tells_customers",)}),
    )
    conditional_fields = {
        # On a page without a form there is nothing to ask.
        "expires_on": f"typeof expiry == 'undefined' || expiry == '{Expiry.DATE}'",
        "expires_after_days": f"typeof expiry == 'undefined' || expiry == '{Expiry.DAYS}'",
    }
    actions_detail = ("preview", "start", "pause", "resume", "customers", "cancel", "undo")

    def get_urls(self) -> list[Any]:
        name = "campaigns_awardcampaign_{}"
        watched = path(
            "<uuid:object_id>/progress/", self.admin_site.admin_view(self.watch), name=name.format("progress")
        )
        download = path(
            "<uuid:object_id>/customers.csv", self.admin_site.admin_view(self.download), name=name.format("download")
        )
        return [watched, download, *super().get_urls()]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[AwardCampaign]:
        return super().get_queryset(request).select_related("program", "definition", "segment")

    def get_readonly_fields(self, request: HttpRequest, obj: AwardCampaign | None = None) -> tuple[str, ...]:
        return () if obj is None else ("program",)

    def has_change_permission(self, request: HttpRequest, obj: AwardCampaign | None = None) -> bool:
        # What was started stays as it was started.
        is_draft = not isinstance(obj, AwardCampaign) or obj.state == State.DRAFT
        return is_draft and super().has_change_permission(request, obj)

    def has_start_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.start_awardcampaign")

    def has_undo_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.undo_awardcampaign")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        campaign = self.get_object(request, object_id)
        if campaign is None:
            return []
        offered = set(_DEEDS[State(campaign.state)])
        if not campaigns.is_undoable(campaign, at=timezone.now()):
            offered.discard("undo")
        if campaign.started_at is None:
            offered.discard("customers")
        names = {f"{self.opts.app_label}_{self.opts.model_name}_{name}" for name in offered}
        return [one for one in super().get_actions_detail(request, object_id) if one.action_name in names]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        sections = {} if campaign is None or not self.has_view_permission(request) else telling.sections(campaign)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except campaigns.NotNow as refusal:
            # It was started after the form had been read.
            messages.error(request, refusal.message)
            return HttpResponseRedirect(request.path)

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm, change: bool) -> None:
        with transaction.atomic():
            if change:
                campaigns.hold_draft(obj.pk)
                # All that the form has: what the chosen expiry has no use for was emptied without having been typed.
                obj.save(update_fields=sorted(set(form.cleaned_data) - {"program"}))
            else:
                obj.save(force_insert=True)
            campaigns.note(obj, "Changed" if change else "Made", console.actor(request), timezone.now())

    def watch(self, request: HttpRequest, object_id: Any) -> HttpResponse:
        """This will answer how far a campaign is, as a part of its page."""
        campaign = self.fetch(request, str(object_id))
        if not self.has_view_permission(request, campaign):
            return HttpResponse(status=403)
        return TemplateResponse(request, "admin/campaign_figures.html", {"progress": telling.progress(campaign)})

    def download(self, request: HttpRequest, object_id: Any) -> HttpResponseBase:
        """This will send what became of a campaign's customers as a table."""
        campaign = self.fetch(request, str(object_id))
        if not (self.has_view_permission(request, campaign) and results.may_download(request)):
            return HttpResponse(status=403)
        answer = results.download(request, campaign)
        if answer.streaming:
            facts = {"rows": "campaign customers", "format": "csv"}
            self.log_change(request, campaign, "Exported its customers.", action=Action.EXPORTED, facts=facts)
        return answer

    @action(description="Who gets it?", url_path="preview", icon="group", permissions=["view"])
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will show how many customers it is for, and what it costs."""
        return self._look(request, self.fetch(request, object_id), form=None)

    @action(
        description="Start",
        url_path="start",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["start"],
    )
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will have the points sent, once they were looked at."""
        campaign = self.fetch(request, object_id)
        form = StartForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            version = form.cleaned_data["segment_version"]
            started = _done(
                form,
                lambda: campaigns.start(
                    campaign_id=campaign.pk, segment_version=version, actor=console.actor(request), at=timezone.now()
                ),
            )
            if started:
                messages.success(request, "It runs. The points are on their way; this page tells how far it is.")
                return HttpResponseRedirect(console.address(campaign))
        faults = list(form.non_field_errors()) if form.is_bound else []
        form = StartForm(initial={"segment_version": campaign.segment.version})
        for fault in faults:
            messages.error(request, str(fault))
        return self._look(request, campaign, form=form)

    @action(description="Pause", url_path="pause", icon="pause", permissions=["start"])
    def pause(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will send no more points until it is resumed."""
        return self._change(
            request,
            object_id,
            deed="Pause",
            verb=campaigns.pause,
            explanation="No more points are sent until it is resumed. Who has points keeps them.",
            told="Paused: nothing more is sent until it is resumed.",
        )

    @action(
        description="Resume",
        url_path="resume",
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
        permissions=["start"],
    )
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will go on with those who wait."""
        return self._change(
            request,
            object_id,
            deed="Resume",
            verb=campaigns.resume,
            explanation="It goes on with the customers who wait. Nobody gets the points twice.",
            told="It runs again.",
        )

    @action(description="Cancel", url_path="cancel", icon="block", variant=ActionVariant.DANGER, permissions=["start"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will end it before its end."""
        return self._change(
            request,
            object_id,
            deed="Cancel the campaign",
            verb=campaigns.cancel,
            explanation="It ends now. Who has points keeps them, who waits gets none. Within 24 hours what it has "
            "awarded can be undone.",
            told="Cancelled: nothing more is sent.",
            is_danger=True,
        )

    @action(description="Undo", url_path="undo", icon="undo", variant=ActionVariant.DANGER, permissions=["undo"])
    def undo(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will take back what it awarded."""
        campaign = self.fetch(request, object_id)
        form = UndoForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            undone = _done(
                form,
                lambda: campaigns.undo(
                    campaign_id=campaign.pk,
                    reason=form.cleaned_data["reason"],
                    actor=console.actor(request),
                    at=timezone.now(),
                ),
            )
            if undone:
                messages.success(request, "The points are being taken back; this page tells how far it is.")
                return HttpResponseRedirect(console.address(campaign))
        return self.ask(
            request,
            campaign,
            form=form,
            title="Take back what this campaign awarded?",
            deed="Take back the points",
            explanation="Each award is reversed. Where a customer has spent the points, the definition decides: "
            f"{campaign.definition.get_clawback_display().lower()}. It cannot be stopped, or undone.",
            facts=telling.facts(campaign),
            is_danger=True,
        )

    @action(description="Customers", url_path="customers", icon="group", permissions=["view"])
    def customers(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """This will list what became of each customer."""
        return results.show(self, request, self.fetch(request, object_id))

    @display(description="State", label=COLOURS)
    def status(self, campaign: AwardCampaign) -> str:
        return campaign.get_state_display()

    @display(description="Points each")
    def each(self, campaign: AwardCampaign) -> str:
        return words.points(campaign.points, campaign.definition)

    @display(description="Customers")
    def progress(self, campaign: AwardCampaign) -> str:
        return f"{campaign.customers:,}" if campaign.started_at else console.NOTHING

    @display(description="Started")
    def started(self, campaign: AwardCampaign) -> str:
        return console.moment(campaign.started_at, campaign.program)

    def _look(self, request: HttpRequest, campaign: AwardCampaign, *, form: forms.Form | None) -> HttpResponse:
        conditions = Conditions.of(campaign.segment)
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": campaign,
            "title": f"Start {campaign}?" if form else f"Who gets the points of {campaign}?",
            "deed": "Start",
            "back": console.address(campaign),
        }
        try:
            found = segments.find(program=campaign.program, conditions=conditions, at=timezone.now())
        except errors.Refusal as refusal:
            messages.warning(request, refusal.message)
            return TemplateResponse(request, "admin/campaign_preview.html", context)
        cost = words.cost(found.cost(campaign.points), campaign.definition, campaign.program)
        context |= told(request, found) | {
            # Who is nobody gets nothing.
            "form": form if found.count and campaign.state == State.DRAFT else None,
            "explanation": "Whoever is in the segment at the start gets the points, once. They are sent in the "
            "background: a million customers take some minutes."
            if form
            else "",
            "facts": [
                ("Programme", campaign.program),
                ("Who", words.conditions(conditions, campaign.program)),
                ("How many", words.customers(found.count)),
                ("Points each", words.points(campaign.points, campaign.definition)),
                ("Points in all", cost),
                ("They expire", telling.end(campaign)),
                ("E-mail", telling.mail(campaign)),
            ],
        }
        return TemplateResponse(request, "admin/campaign_preview.html", context)

    def _change(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        deed: str,
        verb: Callable[..., None],
        explanation: str,
        told: str,
        is_danger: bool = False,
    ) -> HttpResponse:
        campaign = self.fetch(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        if form.is_valid() and _done(
            form, lambda: verb(campaign_id=campaign.pk, actor=console.actor(request), at=timezone.now())
        ):
            messages.success(request, told)
            return HttpResponseRedirect(console.address(campaign))
        return self.ask(
            request,
            campaign,
            form=form,
            title=f"{deed}?",
            deed=deed,
            explanation=explanation,
            facts=telling.facts(campaign),
            is_danger=is_danger,
        )


def _done(form: forms.Form, deed: Callable[[], Any]) -> bool:
    """This will do it, have the worker look at once, and answer whether it was done; a refusal is shown on the form."""

    def both() -> bool:
        deed()
        tasks.award_campaigns.enqueue()
        return True

    return bool(deeds.run(form, both))
