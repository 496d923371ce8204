"""What staff fill in to make a campaign, to start it and to undo it."""

from typing import Any

from django import forms
from unfold import widgets

from campaigns.admin import words
from campaigns.models import AwardCampaign

Expiry = AwardCampaign.Expiry


class CampaignForm(forms.ModelForm):
    class Meta:
        model = AwardCampaign
        fields = (
            "program",
            "name",
            "reason",
            "segment",
            "definition",
            "points",
            "expiry",
            "expires_on",
            "expires_after_days",
            "tells_customers",
        )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in {"segment", "definition"} & self.fields.keys():
            words.offer(self.fields[name], self.instance.program if self.instance.program_id else None)

    def clean(self) -> dict[str, Any]:
        """This will refuse what is another programme's, and points that cannot be awarded."""
        values = super().clean() or {}
        program = values.get("program") or (self.instance.program if self.instance.program_id else None)
        definition, points = values.get("definition"), values.get("points")
        for field in ("segment", "definition"):
            if program is not None and values.get(field) is not None and values[field].program_id != program.pk:
                self.add_error(field, "It is another programme's.")
        if definition is not None and points is not None and points != round(points, definition.decimal_places):
            self.add_error("points", f"{definition} have {definition.decimal_places or 'no'} decimals.")
        for kind, field in ((Expiry.DATE, "expires_on"), (Expiry.DAYS, "expires_after_days")):
            if values.get("expiry") != kind:
                # What was typed before another way was chosen.
                values[field] = None
            elif values.get(field) is None and field not in self.errors:
                self.add_error(field, "Say when.")
        return values


class StartForm(forms.Form):
    # What was looked at is what is started.
    segment_version = forms.IntegerField(widget=forms.HiddenInput)


class UndoForm(forms.Form):
    reason = forms.CharField(
        max_length=255,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text="Customers see it in the history of their points.",
    )
