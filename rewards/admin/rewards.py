"""Rewards, as staff offer them: for how many points, to whom, when, and how many are left."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from loyalty import console
from rewards.models import Reward

COLOURS = {"Offered": "success", "Sold out": "danger", "Not offered": "default"}


class RewardForm(forms.ModelForm):
    class Meta:
        model = Reward
        fields = (
            "program",
            "definition",
            "name",
            "description",
            "category",
            "points_cost",
            "discount_amount",
            "discount_percent",
            "currency",
            "stock",
            "per_customer_limit",
            "min_tier",
            "valid_from",
            "valid_to",
            "code_valid_days",
            "lapse",
            "is_active",
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if currency := self.fields.get("currency"):
            currency.required = False
            currency.help_text = "Empty: the programme's."
        if stock := self.fields.get("stock"):
            # What is sold while the page is open is not a change of whoever saves it.
            stock.show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        """This will take the programme's currency where none is said, and refuse points of another programme."""
        said = super().clean() or self.cleaned_data
        program = said.get("program") or (self.instance.program if self.instance.program_id else None)
        if program is not None and "currency" in said:
            said["currency"] = said["currency"] or program.currency
        definition = said.get("definition")
        if program is not None and definition is not None and definition.program_id != program.pk:
            self.add_error("definition", "These points are of another programme.")
        return said


@admin.register(Reward)
class RewardAdmin(console.TableAdmin):
    form = RewardForm
    list_display = ("name", "state", "price", "discount", "left", "category", "shop")
    list_select_related = ("program", "definition")
    list_filter = ("program", "is_active")
    search_fields = ("name", "category")
    search_help_text = "Name or category"
    ordering = ("-pk",)
    fieldsets = (
        (
            None,
            {
                "fields": (("program", "definition"), "name", "description", ("category", "is_active")),
                "description": "Codes that exist keep what they cost and what they are worth.",
            },
        ),
        ("What it costs and gives", {"fields": ("points_cost", ("discount_amount", "discount_percent"), "currency")}),
        (
            "Who gets it",
            {"fields": (("stock", "per_customer_limit"), "min_tier", "valid_from", "valid_to")},
        ),
        ("Its codes", {"fields": ("code_valid_days", "lapse")}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return console.only_program() | super().get_changeform_initial_data(request)

    def get_readonly_fields(self, request: HttpRequest, obj: Reward | None = None) -> tuple[str, ...]:
        return () if obj is None else ("program", "definition")

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **options: Any
    ) -> forms.ModelChoiceField | None:
        field = super().formfield_for_foreignkey(db_field, request, **options)
        if field is not None and db_field.name == "definition":
            field.queryset = field.queryset.select_related("program").order_by("program__name", "number")
            field.label_from_instance = lambda kind: f"{kind.name} · {kind.program}"
        return field

    @display(description="State", label=COLOURS)
    def state(self, reward: Reward) -> str:
        if not reward.is_valid(timezone.now()):
            return "Not offered"
        return "Sold out" if reward.stock == 0 else "Offered"

    @display(description="Price")
    def price(self, reward: Reward) -> str:
        return f"{console.amount(reward.points_cost, places=reward.definition.decimal_places)} {reward.definition}"

    @display(description="Discount")
    def discount(self, reward: Reward) -> str:
        return discount(reward) or console.NOTHING

    @display(description="Left")
    def left(self, reward: Reward) -> str:
        return "No end" if reward.stock is None else f"{reward.stock:,}"

    @display(description="Programme")
    def shop(self, reward: Reward) -> str:
        return str(reward.program)


def discount(row: Any) -> str:
    """This will say what a reward or a code takes off; nothing where it takes nothing off."""
    if row.discount_percent is not None:
        return f"{row.discount_percent.normalize():f}%"
    return "" if row.discount_amount is None else f"{row.discount_amount:f} {row.currency}"
