"""Campaigns: more points than usual, for a while."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold import widgets
from unfold.decorators import action, display

from loyalty import console
from points.admin import preview, publishing, words
from points.models import Campaign, CampaignBudget
from points.terms import Effect, Kind
from tiers.models import Tier

_PURCHASE = f"kind == '{Kind.PURCHASE}'"
COLOURS = {"Running": "success", "Planned": "info", "Over": "default", "Off": "warning", "Used up": "warning"}


class CampaignForm(forms.ModelForm):
    tiers = forms.MultipleChoiceField(
        required=False,
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Who holds one of these. None: every customer.",
    )

    class Meta:
        model = Campaign
        fields = (
            "program",
            "name",
            "code",
            "is_active",
            "kind",
            "effect",
            "factor",
            "points",
            "expires_after_days",
            "starts_at",
            "ends_at",
            "smallest_purchase",
            "shops",
            "categories",
            "first_purchase_only",
            "tiers",
            "priority",
            "most_per_customer",
            "most_in_all",
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        tiers = Tier.objects.order_by("threshold")
        if self.instance.program_id is not None:
            tiers = tiers.filter(program=self.instance.program_id)
        if isinstance(field := self.fields.get("tiers"), forms.MultipleChoiceField):
            choices = dict(tiers.values_list("code", "name"))
            field.choices = [(code, f"{name} ({code})") for code, name in choices.items()]

    def clean(self) -> dict[str, Any]:
        """This will name the campaign that has the code already, and a tier that its programme does not have."""
        values = super().clean() or {}
        program = values.get("program")
        program_id = program.pk if program else self.instance.program_id
        others = Campaign.objects.filter(program=program_id, code=values.get("code")).exclude(pk=self.instance.pk)
        if other := others.first():
            self.add_error("code", f"{other} has it already.")
        known = set(Tier.objects.filter(program=program_id).values_list("code", flat=True))
        if unknown := [code for code in values.get("tiers", []) if code not in known]:
            self.add_error("tiers", f"The programme has no tier {', '.join(unknown)}.")
        return values


@admin.register(Campaign)
class CampaignAdmin(publishing.PublishedAdmin):
    form = CampaignForm
    list_display = ("name", "code", "state", "does", "holds", "asks", "given", "priority", "program")
    list_filter = ("program", "kind", "is_active")
    search_fields = ("name", "code")
    ordering = ("program__name", "program", "-pk")
    actions_list = ("preview",)
    fieldsets = (
        (None, {"fields": ("program", "name", "code", "is_active")}),
        ("What it does", {"fields": ("kind", "effect", "factor", "points", "expires_after_days")}),
        ("When it holds", {"fields": ("starts_at", "ends_at"), "description": f"{publishing.CLOCKS} Empty: always."}),
        (
            "For which purchases and customers",
            {"fields": ("smallest_purchase", "shops", "categories", "first_purchase_only", "tiers", "priority")},
        ),
        (
            "How much at most",
            {"fields": ("most_per_customer", "most_in_all"), "description": "In points. Empty: no limit."},
        ),
    )
    conditional_fields = {
        "factor": f"effect == '{Effect.MULTIPLY}'",
        "points": f"effect == '{Effect.ADD}'",
        "expires_after_days": f"['{Kind.BONUS}', '{Kind.REFERRAL}'].includes(kind)",
        "smallest_purchase": _PURCHASE,
        "categories": _PURCHASE,
        "first_purchase_only": _PURCHASE,
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return super().get_queryset(request).select_related("budget")

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> tuple[str, ...]:
        # Callers name a campaign by its code, and entries remember it.
        return () if obj is None else ("program", "code")

    def why_kept(self, row: Campaign) -> str:
        if CampaignBudget.objects.filter(campaign=row).exists():
            return f"{row} has a limit in all, and what it gave is counted. Switch it off instead: make it inactive."
        return ""

    @action(description=preview.TITLE, url_path="preview", icon="calculate", permissions=["view"])
    def preview(self, request: HttpRequest) -> HttpResponse:
        """This will show what a purchase earns by the rules that hold."""
        return preview.show(self, request)

    @display(description="State", label=COLOURS)
    def state(self, campaign: Campaign) -> str:
        now = timezone.now()
        if not campaign.is_active:
            return "Off"
        if campaign.ends_at is not None and campaign.ends_at <= now:
            return "Over"
        if campaign.most_in_all is not None and _given(campaign) >= campaign.most_in_all:
            return "Used up"
        return "Planned" if campaign.starts_at is not None and campaign.starts_at > now else "Running"

    @display(description="Does")
    def does(self, campaign: Campaign) -> str:
        return words.effect(campaign)

    @display(description="Holds")
    def holds(self, campaign: Campaign) -> str:
        return words.period(campaign, campaign.program)

    @display(description="Asks for")
    def asks(self, campaign: Campaign) -> str:
        return words.conditions(campaign, campaign.program)

    @display(description="Given")
    def given(self, campaign: Campaign) -> str:
        if campaign.most_in_all is None:
            return console.NOTHING
        return f"{words.number(_given(campaign))} of {words.number(campaign.most_in_all)}"


def _given(campaign: Campaign) -> Decimal:
    budget = getattr(campaign, "budget", None)
    return budget.given if budget else Decimal(0)
