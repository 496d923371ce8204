"""Tiers, as staff set them up: what reaches them, what they bring, and how they are measured and lost."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold import widgets
from unfold.decorators import display

from loyalty import console
from loyalty.models import Program
from points.admin import publishing, words
from points.models import PointAccount, TierChange
from tiers.ladder import Basis
from tiers.models import Tier, TierScheme


class TierForm(forms.ModelForm):
    class Meta:
        model = Tier
        fields = ("program", "name", "code", "threshold", "multiplier", "benefits", "color")
        widgets = {"color": widgets.UnfoldAdminColorInputWidget}
        help_texts = {"benefits": "Customers are told them."}

    def clean(self) -> dict[str, Any]:
        """This will name the tier that has the code or the threshold already."""
        values = super().clean() or {}
        program = values.get("program")
        others = Tier.objects.filter(program=program.pk if program else self.instance.program_id)
        others = others.exclude(pk=self.instance.pk)
        for field in ("code", "threshold"):
            other = others.filter(**{field: values[field]}).first() if values.get(field) is not None else None
            if other is not None:
                self.add_error(field, f"{other} has it already.")
        return values


@admin.register(Tier)
class TierAdmin(publishing.PublishedAdmin):
    form = TierForm
    list_display = ("shown", "code", "from_points", "times", "benefit_lines", "program")
    search_fields = ("name", "code")
    ordering = ("program__name", "program", "threshold")
    fieldsets = (
        (None, {"fields": ("program", "name", "code", "color")}),
        ("How it is reached", {"fields": ("threshold",)}),
        ("What it brings", {"fields": ("multiplier", "benefits")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> tuple[str, ...]:
        # Callers and campaigns name a tier by its code.
        return () if obj is None else ("program", "code")

    def why_kept(self, row: Tier) -> str:
        if PointAccount.objects.filter(program=row.program, tier=row).exists():
            return (
                f"Customers hold {row}, so it cannot be deleted. Give it another name, threshold or multiplier instead."
            )
        if TierChange.objects.filter(Q(from_tier=row) | Q(to_tier=row), program=row.program).exists():
            return f"Nobody holds {row} now, but customers once did: their history names it, so it stays."
        campaigns = row.program.campaigns.filter(tiers__contains=[row.code])
        if campaigns:
            names = ", ".join(str(campaign) for campaign in campaigns)
            return f"{row} is named by a campaign: {names}. Change that first."
        return ""

    def warn(self, request: HttpRequest, program: Program) -> None:
        lowest = program.tiers.order_by("threshold").first()
        if lowest is not None and lowest.threshold > 0:
            points = words.points(lowest.threshold)
            messages.warning(
                request, f"The lowest tier, {lowest}, begins at {points}: customers with fewer have no tier."
            )

    @display(description="Tier", ordering="name")
    def shown(self, tier: Tier) -> SafeString:
        return words.swatch(tier.color, tier.name)

    @display(description="From")
    def from_points(self, tier: Tier) -> str:
        return words.points(tier.threshold)

    @display(description="Purchases earn")
    def times(self, tier: Tier) -> str:
        return words.times(tier.multiplier)

    @display(description="Benefits")
    def benefit_lines(self, tier: Tier) -> str:
        return "; ".join(tier.benefits) or console.NOTHING


_LOSES = f"basis != '{Basis.LIFETIME}'"


@admin.register(TierScheme)
class TierSchemeAdmin(publishing.PublishedAdmin):
    list_display = ("program", "basis", "window", "falls", "grace")
    list_filter = ()
    ordering = ("program__name", "program")
    fieldsets = (
        (
            None,
            {
                "fields": ("program", "basis", "window_months", "fall", "grace_days"),
                "description": "Which points reach a tier, and what becomes of one that they do not reach any more. "
                "Redeeming never lowers a tier; one by all points ever earned is not lost with time.",
            },
        ),
    )
    conditional_fields = {
        "window_months": f"basis == '{Basis.ROLLING}'",
        "fall": _LOSES,
        "grace_days": _LOSES,
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Each programme has them once.
        return super().has_add_permission(request) and Program.objects.filter(tier_scheme=None).exists()

    def has_remove_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Window")
    def window(self, scheme: TierScheme) -> str:
        return f"{scheme.window_months} months" if scheme.basis == Basis.ROLLING else console.NOTHING

    @display(description="Falls")
    def falls(self, scheme: TierScheme) -> str:
        return console.NOTHING if scheme.basis == Basis.LIFETIME else scheme.get_fall_display()

    @display(description="Grace period")
    def grace(self, scheme: TierScheme) -> str:
        return console.NOTHING if scheme.basis == Basis.LIFETIME else f"{scheme.grace_days} days"
