"""Vouchers, as staff see them: the rules by which points become them, and what became of each."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display

from loyalty import console
from points.models import PointTransaction
from rewards.models import RewardVoucher, VoucherRule

COLOURS = {"Available": "success", "Redeemed": "info", "Expired": "warning"}


@admin.register(VoucherRule)
class VoucherRuleAdmin(console.TableAdmin):
    list_display = ("definition", "shop", "conversion", "worth", "smallest_points", "is_active")
    list_select_related = ("definition__program",)
    search_fields = ("definition__name", "definition__code")
    ordering = ("definition__program__name", "definition__number")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "definition",
                    "conversion",
                    "smallest_points",
                    "point_value",
                    ("step_points", "step_value"),
                    "voucher_name",
                    "valid_months",
                    "is_active",
                ),
                "description": "For vouchers made from now on. Those that exist keep their value and their date.",
            },
        ),
    )
    conditional_fields = {
        "point_value": f"conversion == '{VoucherRule.Conversion.ALL}'",
        "step_points": f"conversion == '{VoucherRule.Conversion.STEPS}'",
        "step_value": f"conversion == '{VoucherRule.Conversion.STEPS}'",
    }

    def get_readonly_fields(self, request: HttpRequest, obj: VoucherRule | None = None) -> tuple[str, ...]:
        return () if obj is None else ("definition",)

    @display(description="Programme")
    def shop(self, rule: VoucherRule) -> str:
        return str(rule.definition.program)

    @display(description="Worth")
    def worth(self, rule: VoucherRule) -> str:
        currency = rule.definition.program.currency
        if rule.conversion == VoucherRule.Conversion.STEPS:
            return f"{rule.step_value:f} {currency} for each {(rule.step_points or Decimal(0)).normalize():f} points"
        return f"{(rule.point_value or Decimal(0)).normalize():f} {currency} a point"


@admin.register(RewardVoucher)
class RewardVoucherAdmin(console.ReadOnlyAdmin):
    list_display = ("number", "state", "worth", "points_taken", "customer_page", "made", "until", "shop")
    list_select_related = ("program", "customer", "definition")
    list_filter = ("program",)
    search_fields = ("number",)
    search_help_text = "Number of a voucher"
    ordering = ("-created_at", "-id")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "state"),
                    ("name", "worth"),
                    ("customer_page", "points_taken"),
                    ("made", "until"),
                    ("redeemed", "reactivations"),
                )
            },
        ),
    )
    change_form_outer_after_template = "admin/tables.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        voucher = self.get_object(request, object_id)
        sections = {} if voucher is None else _history(voucher)
        return super().change_view(request, object_id, form_url, sections | (extra_context or {}))

    @display(description="State", label=COLOURS)
    def state(self, voucher: RewardVoucher) -> str:
        return str(voucher.state(timezone.now()).label)

    @display(description="Worth")
    def worth(self, voucher: RewardVoucher) -> str:
        return f"{voucher.value:f} {voucher.currency}"

    @display(description="Points")
    def points_taken(self, voucher: RewardVoucher) -> str:
        return console.amount(voucher.points, places=voucher.definition.decimal_places)

    @display(description="Customer")
    def customer_page(self, voucher: RewardVoucher) -> str:
        return console.link(voucher.customer)

    @display(description="Made")
    def made(self, voucher: RewardVoucher) -> str:
        return console.moment(voucher.created_at, voucher.program)

    @display(description="Redeemable until")
    def until(self, voucher: RewardVoucher) -> str:
        return console.moment(voucher.expires_at, voucher.program)

    @display(description="Redeemed")
    def redeemed(self, voucher: RewardVoucher) -> str:
        return console.moment(voucher.redeemed_at, voucher.program)

    @display(description="Programme")
    def shop(self, voucher: RewardVoucher) -> str:
        return str(voucher.program)


def _history(voucher: RewardVoucher) -> dict[str, Any]:
    """This will answer the table of what happened to a voucher, the entry that took its points first."""
    entry = PointTransaction.objects.filter(account_id=voucher.account_id, id=voucher.entry_id).first()
    posted = console.NOTHING if entry is None else console.link(entry, "Ledger entry")
    rows = [[console.moment(voucher.created_at, voucher.program), "Made from points", posted]]
    rows += [
        [console.moment(event.created_at, voucher.program), event.get_kind_display(), event.actor]
        for event in voucher.events.order_by("created_at", "id")
    ]
    return {"tables": [{"title": "History", "table": {"headers": ["When", "What", "By"], "rows": rows}}]}
