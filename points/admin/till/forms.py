"""What staff type at the till. Each form has a key, made with the page, so that the same form sent twice posts once."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from unfold import widgets

from cards import search
from points.admin.adjusting import INCOMPLETE
from points.models import MAX_DIGITS

_SMALLEST = Decimal("0.01")


class AmountField(forms.DecimalField):
    """An amount with a point or a comma before its decimals.

    It is a text to the browser: what a scanner types into it by mistake is refused, not made a number of its digits.
    """

    def __init__(self, **options: Any) -> None:
        widget = widgets.UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"})
        limits = {"max_digits": MAX_DIGITS, "decimal_places": 2, "min_value": _SMALLEST}
        super().__init__(**{"widget": widget} | limits | options)

    def to_python(self, value: Any) -> Any:
        """This will read the amount.

        Raises:
            forms.ValidationError: it is none.
        """
        return super().to_python(value.replace(",", ".") if isinstance(value, str) else value)


def _text(label: str, *, required: bool = True, help_text: str = "", max_length: int = 255, **attrs: Any) -> Any:
    widget = widgets.UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"} | attrs)
    return forms.CharField(label=label, required=required, help_text=help_text, max_length=max_length, widget=widget)


class SearchForm(forms.Form):
    """Whom a member of staff looks for."""

    q = forms.CharField(max_length=search.LONGEST_TERM)


class OnceForm(forms.Form):
    """A form that posts once."""

    key = forms.UUIDField(widget=forms.HiddenInput, error_messages=dict.fromkeys(("required", "invalid"), INCOMPLETE))

    def renew(self) -> None:
        """This will let what was typed be sent as something new."""
        typed = {name: self.data[name] for name in self.data}
        self.data = typed | {self.add_prefix("key"): str(uuid.uuid4())}


class PurchaseForm(OnceForm):
    """A purchase earns by the rules of the programme."""

    amount = AmountField(label="Amount")
    receipt = _text("Receipt number", required=False)


class RedeemForm(OnceForm):
    """Points are spent."""

    points = AmountField(label="Points")
    receipt = _text("Receipt number", required=False)


class AwardForm(OnceForm):
    """Points are given by hand."""

    points = AmountField(label="Points")
    reason = _text("Reason", help_text="The customer sees it.")


class UseForm(OnceForm):
    """A code is taken."""

    code = _text("Code", max_length=50, placeholder="REDEEM-", autocapitalize="characters", spellcheck="false")


class RewardForm(OnceForm):
    """A reward is redeemed, at the price that was shown."""

    reward = forms.UUIDField(
        widget=forms.HiddenInput, error_messages=dict.fromkeys(("required", "invalid"), INCOMPLETE)
    )
    points = forms.DecimalField(
        widget=forms.HiddenInput,
        max_digits=MAX_DIGITS + 2,
        decimal_places=2,
        error_messages=dict.fromkeys(("required", "invalid"), INCOMPLETE),
    )
