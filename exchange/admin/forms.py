"""What staff say of a file that they bring, and of what they take away."""

import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from unfold import widgets

from exchange import imports
from exchange.exports import EXPORTS, Range
from exchange.models import Import
from loyalty import console
from loyalty.models import Program
from points import expiry
from points.models import PointDefinition

OF_ANOTHER = "These points are of another programme."


class ProgramField(forms.ModelChoiceField):
    widget = widgets.UnfoldAdminSelectWidget

    def __init__(self) -> None:
        super().__init__(label="Programme", queryset=Program.objects.order_by("name", "pk"), empty_label=None)


class DefinitionField(forms.ModelChoiceField):
    widget = widgets.UnfoldAdminSelectWidget

    def label_from_instance(self, obj: PointDefinition) -> str:
        return f"{obj.name} · {obj.program}"


class UploadForm(forms.Form):
    kind = forms.ChoiceField(
        label="What its rows are", choices=Import.Kind.choices, widget=widgets.UnfoldAdminSelectWidget
    )
    program = ProgramField()
    file = forms.FileField(
        widget=widgets.UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.xlsx"}),
        max_length=255,
    )
    definition = DefinitionField(
        queryset=PointDefinition.objects.select_related("program").order_by("program__name", "number"),
        required=False,
        empty_label="The programme's default one",
        help_text="For balances, purchases and rewards: which points, where a row does not say.",
    )
    rate = forms.DecimalField(
        max_digits=12,
        decimal_places=6,
        required=False,
        min_value=0,
        widget=widgets.UnfoldAdminDecimalFieldWidget,
        help_text="For purchases: points for each unit of the amount. Empty: by the programme's rules.",
    )
    source = forms.CharField(
        max_length=50,
        required=False,
        validators=[RegexValidator(r"\A[A-Za-z0-9._-]+\Z", "Letters, digits, dots, hyphens and underscores.")],
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"placeholder": imports.SOURCE}),
        help_text="For purchases and balances: the same name for a corrected or longer file, another for another file. "
        "Rows that were imported under the same name are not posted again.",
    )
    changes_existing = forms.BooleanField(
        label="Change customers who are there",
        required=False,
        widget=widgets.UnfoldBooleanSwitchWidget,
        help_text="To what the file says of them. Otherwise they stay as they are.",
    )
    is_whole = forms.BooleanField(
        label="All or nothing",
        required=False,
        widget=widgets.UnfoldBooleanSwitchWidget,
        help_text="Import nothing where any row has a fault. Otherwise the other rows are imported.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        text = f"CSV in UTF-8 or an Excel workbook (.xlsx), at most {settings.IMPORT_MAX_MB} MB and 1,000,000 rows."
        self.fields["file"].help_text = text

    def clean_rate(self) -> Any:
        """This will refuse zero: then no purchase would earn anything."""
        if self.cleaned_data["rate"] == 0:
            raise forms.ValidationError("It must be above zero.")
        return self.cleaned_data["rate"]

    def clean(self) -> dict[str, Any]:
        """This will refuse points of another programme."""
        said = super().clean() or self.cleaned_data
        definition, program = said.get("definition"), said.get("program")
        if definition is not None and program is not None and definition.program_id != program.pk:
            self.add_error("definition", OF_ANOTHER)
        return said


class ExportForm(forms.Form):
    kind = forms.ChoiceField(
        label="What to export",
        choices=[(name, export.title) for name, export in EXPORTS.items()],
        widget=widgets.UnfoldAdminSelectWidget,
    )
    program = ProgramField()
    format = forms.ChoiceField(
        choices=[("csv", "CSV"), ("xlsx", "Excel workbook (.xlsx)")],
        widget=widgets.UnfoldAdminSelectWidget,
        help_text="A workbook takes longer than CSV; what one sheet does not hold goes on in another.",
    )
    since = forms.DateField(
        label="From",
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="Made on this day or later, by the clocks of the programme. Empty: since ever.",
    )
    until = forms.DateField(
        label="To",
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text="Made on this day or earlier. What is exported as it is now, as accounts and lots, has no dates.",
    )

    def clean(self) -> dict[str, Any]:
        """This will refuse days for what is as it is now, years of no calendar, or a last day before the first."""
        said = super().clean() or self.cleaned_data
        export = EXPORTS.get(said.get("kind", ""))
        for name in ("since", "until"):
            day: datetime.date | None = said.get(name)
            if day is not None and export is not None and not export.has_dates:
                self.add_error(name, f"{export.title} are as they are now: leave it empty.")
            elif day is not None and not expiry.FIRST_YEAR <= day.year < expiry.LAST_YEAR:
                self.add_error(name, "There is no such year.")
        if said.get("since") and said.get("until") and said["since"] > said["until"]:
            self.add_error("until", "It is before the first day.")
        return said

    @property
    def dates(self) -> Range:
        """From when to when, once the form is valid."""
        said = self.cleaned_data
        return Range.of_days(since=said["since"], until=said["until"], zone=console.zone(said["program"]))
