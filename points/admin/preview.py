"""What a purchase would earn by the published rules: the calculation, step by step. Nothing is posted."""

import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold import widgets

from loyalty import console, errors
from loyalty.models import Program
from points import earning, rules
from points.admin import words
from points.models import CampaignBudget
from points.terms import Calculation, Campaign, Deed, Kind, Line, Situation

TITLE = "What would a purchase earn?"
MOST_LINES = 100
_AMOUNT: dict[str, Any] = {"max_digits": 15, "decimal_places": 2, "min_value": Decimal(0)}


class PreviewForm(forms.Form):
    program = forms.ModelChoiceField(
        label="Programme",
        queryset=Program.objects.order_by("name", "pk"),
        required=False,
        empty_label=None,
        # Another programme has other tiers to choose from.
        widget=widgets.UnfoldAdminSelectWidget(attrs={"onchange": "this.form.submit()"}),
    )
    amount = forms.DecimalField(
        **{**_AMOUNT, "min_value": Decimal("0.01")},
        widget=widgets.UnfoldAdminDecimalFieldWidget(attrs={"autofocus": True}),
    )
    discount = forms.DecimalField(
        label="Of it paid with points",
        required=False,
        widget=widgets.UnfoldAdminDecimalFieldWidget,
        help_text="Counts where purchases earn on the amount after the redemption.",
        **_AMOUNT,
    )
    tier = forms.ChoiceField(
        required=False, widget=widgets.UnfoldAdminSelectWidget, help_text="What the customer holds before it."
    )
    is_first = forms.BooleanField(
        label="The customer's first purchase", required=False, widget=widgets.UnfoldBooleanSwitchWidget
    )
    shop = forms.CharField(
        max_length=100,
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget,
        help_text="Its id, as purchases name it in shop_id.",
    )
    lines = forms.CharField(
        label="Lines of the cart",
        max_length=10_000,
        required=False,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="A category and its amount on each line: shoes 19.90. Empty: the amount is of no category.",
    )
    moment = forms.DateTimeField(
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text="By the clocks of the programme. Empty: now.",
    )

    def __init__(self, *args: Any, book: rules.Book, **options: Any) -> None:
        super().__init__(*args, **options)
        self.rungs = {rung.code: rung for rung in book.ladder.rungs} if book.ladder else {}
        if isinstance(field := self.fields["tier"], forms.ChoiceField):
            field.choices = [("", "None"), *((rung.code, rung.name) for rung in self.rungs.values())]

    def clean_lines(self) -> list[Line]:
        """This will read a category and an amount from each line.

        Raises:
            forms.ValidationError: a line has none, or there are too many.
        """
        texts = [text for text in self.cleaned_data["lines"].splitlines() if text.strip()]
        if len(texts) > MOST_LINES:
            raise forms.ValidationError(f"No more than {MOST_LINES} lines.")
        return [self._line(text) for text in texts]

    def _line(self, text: str) -> Line:
        category, _, amount = text.strip().rpartition(" ")
        if not category:
            raise forms.ValidationError(f"“{text.strip()}” is not a category and an amount, as in: shoes 19.90.")
        return Line(category=category.strip(), amount=forms.DecimalField(**_AMOUNT).clean(amount))


def show(page: console.TableAdmin, request: HttpRequest) -> HttpResponse:
    """This will answer the page that asks for a purchase and shows what it would earn."""
    programs: QuerySet[Program] = Program.objects.order_by("name", "pk")
    asked = request.GET.get("program", "")
    program = next((p for p in programs if str(p.pk) == asked), None) or programs.first()
    calculation: dict[str, Any] = {}
    form = None
    if program is not None:
        book = rules.of(program)
        with timezone.override(console.zone(program)):
            # A change of the programme alone asks nothing yet.
            form = PreviewForm(
                request.GET if request.GET.get("amount") else None, book=book, initial={"program": program.pk}
            )
            if form.is_valid():
                calculation = _worked_out(program, book, form)
    request.current_app = page.admin_site.name
    context = {
        **page.admin_site.each_context(request),
        "opts": page.opts,
        "title": TITLE,
        "form": form,
        "program": program,
        **calculation,
    }
    return TemplateResponse(request, "admin/preview.html", context)


def _worked_out(program: Program, book: rules.Book, form: PreviewForm) -> dict[str, Any]:
    said = form.cleaned_data
    rung = form.rungs.get(said["tier"])
    purchases = Decimal(0 if said["is_first"] else 1)
    deed = Deed(
        kind=Kind.PURCHASE,
        at=said["moment"] or timezone.now(),
        amount=said["amount"],
        discount=said["discount"] or Decimal(0),
        shop=said["shop"],
        lines=said["lines"],
    )
    situation = Situation(
        tier=rung.code if rung else None,
        multiplier=rung.multiplier if rung else Decimal(1),
        # A customer who has used up nothing of any limit.
        tallied=lambda name: purchases if name == earning.PURCHASES else Decimal(0),
        given=_given(book.earning.campaigns),
        decimal_places=_places(program),
        zone=console.zone(program),
    )
    try:
        found = earning.work_out(book.earning, deed, situation)
    except errors.InvalidParameters as refusal:
        texts = [text for field in refusal.facts["errors"].values() for text in field]
        return {"refusal": " ".join(texts), "version": book.earning.version, "moment": deed.at}
    return {"points": words.points(found.points), "steps": _steps(found, said["tier"], form), "version": found.version}


def _steps(found: Calculation, tier: str, form: PreviewForm) -> dict[str, Any]:
    """This will tell a calculation as the rows of a table."""
    rows = [[f"By the rule “{found.rule}”" if found.rule else "No rule", words.number(found.base)]]
    if tier:
        exact = found.base * found.multiplier
        rows.append([f"{form.rungs[tier].name}: times {words.number(found.multiplier)}", words.number(exact)])
    for code, points in found.campaigns.items():
        rows.append([f"By the campaign {code}", f"+{words.number(points)}"])
    if found.cap is not None:
        rows.append(["Lowered to the limit", words.number(found.cap)])
    rows.append(["Earned, rounded down", words.number(found.points)])
    return {"headers": ["Step", "Points"], "rows": rows}


def _given(campaigns: Iterable[Campaign]) -> dict[str, Decimal]:
    limited = [uuid.UUID(campaign.id) for campaign in campaigns if campaign.most_in_all is not None]
    budgets = CampaignBudget.objects.filter(campaign__in=limited).values_list("campaign_id", "given")
    return {str(campaign_id): given for campaign_id, given in budgets}


def _places(program: Program) -> int:
    definition = program.definitions.filter(is_default=True).first()
    return definition.decimal_places if definition else 0
