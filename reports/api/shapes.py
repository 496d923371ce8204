"""What reports are asked for with, and the rows that they answer."""

from rest_framework.serializers import Field

from loyalty.api import fields, serializers, values
from loyalty.api.fields import optional
from reports.models import Ending
from reports.periods import By

_PERIOD = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$", "example": "2026-03"}
_MONTH = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$", "example": "2026-03"}
_DEFINITION = {
    "schema": {"example": "points", "pattern": values.CODE_PATTERN},
    "help_text": "Code of the kind of points.",
}
_RATIO = {"type": "number", "nullable": True, "example": 0.25}
_MONEY = {"type": "number", "nullable": True, "example": 12.5}


class ReportQuery(serializers.Query):
    """Which days are wanted, of which points, and how they are written."""

    to = fields.Moment(**optional(help_text="The last day, of the programme's calendar; a time means its day. Today."))
    definition = fields.Code(**optional(help_text="Code of a kind of points. Default: all kinds, a row each."))
    format = fields.Choice(
        among=("json", "csv"), required=False, default="json", help_text="`csv`: the rows alone, under their names."
    )

    def get_fields(self) -> dict[str, Field]:
        """This will answer the fields, with the one that Python has no name for."""
        first = fields.Moment(
            **optional(help_text="The first day. Default: 30 days, or 12 months of them, that end with `to`.")
        )
        return {"from": first, **super().get_fields()}


class PeriodsQuery(ReportQuery):
    """The same, by day or by month."""

    by = fields.Choice(
        among=tuple(By.values),
        required=False,
        default=By.DAY,
        help_text="Months are told as a whole. At most 1,100 days, or 240 months.",
    )


class LiabilityQuery(serializers.Query):
    """As of which day, of which points, and how it is written."""

    to = fields.Moment(**optional(help_text="As of the end of this day. Default: today."))
    definition = ReportQuery().get_fields()["definition"]
    format = ReportQuery().get_fields()["format"]


class Row(serializers.Output):
    """Of one period and kind of points."""

    period = fields.Words(schema=_PERIOD, help_text="A day or a month, by the programme's calendar.")
    definition = fields.Words(**_DEFINITION)


class RollForwardRow(Row):
    """What could be spent or was held as the period began, what changed it, and as it ended: `closing` is `opening` and
    the seven changes, to the point. All are signed."""

    opening = fields.Amount(help_text="Available or held as the period began.")
    earned = fields.Amount(help_text="Awards that could be spent at once.")
    activated = fields.Amount(help_text="What was awarded in advance, and became available.")
    adjusted = fields.Amount(help_text="By corrections.")
    reversed = fields.Amount(help_text="Of awards, below zero; of redemptions, above. What was pending is not in it.")
    redeemed = fields.Amount(help_text="Spent on rewards and discounts.")
    expired = fields.Amount(help_text="By their end, or by hand.")
    transferred = fields.Amount(help_text="Between customers: sent, received, and merged with their accounts.")
    closing = fields.Amount(help_text="Available or held as the period ended.")
    pending_closing = fields.Amount(help_text="What will become available later, beside it.")


class LiabilityRow(Row):
    """Points that end in one month."""

    ends = fields.Words(
        schema={"anyOf": [_MONTH, {"enum": Ending.values}]}, help_text="A month, `never`, `inactivity`, or `debt`."
    )
    points = fields.Amount(help_text="Available or held.")
    pending = fields.Amount(help_text="What will become available later.")
    value = fields.Amount(schema=_MONEY, help_text="Of `points`, at the value that a point has today.")


class VelocityRow(Row):
    """How fast points come and go."""

    awarded = fields.Amount(help_text="Of all awards, those in advance among them.")
    awards = fields.Count(help_text="How many there were.")
    earning_customers = fields.Count(help_text="Who was awarded some, each once.")
    awarded_per_customer = fields.Amount(allow_null=True, help_text="Of each of those, on average.")
    redeemed = fields.Amount(help_text="Above zero.")
    days_to_redemption = fields.Amount(
        schema={"type": "number", "nullable": True, "example": 42.5}, help_text="From earning, the mean over points."
    )


class HealthRow(Row):
    """How the programme is doing. A member is an account with an entry."""

    outstanding = fields.Amount(help_text="The closing of the roll-forward.")
    liability = fields.Amount(schema=_MONEY, help_text="What that is worth.")
    expired = fields.Amount(help_text="Above zero.")
    expiry_rate = fields.Amount(schema=_RATIO, help_text="`expired` of what was `earned` or `activated` meanwhile.")
    members = fields.Count(help_text="How many there were as the period ended.")
    new_members = fields.Count(help_text="Whose first entry is of the period.")
    active_members = fields.Count(help_text="Who earned or redeemed in the period.")
    engagement = fields.Amount(schema=_RATIO, help_text="Active members of all.")
    frequency = fields.Amount(schema=_RATIO, help_text="Awards and redemptions of each active member.")


class BehaviourRow(Row):
    """What customers do with their points."""

    awarded = fields.Amount(help_text="Points of all awards.")
    redeemed = fields.Amount(help_text="Above zero.")
    earn_burn_ratio = fields.Amount(schema=_RATIO, help_text="`redeemed` of `awarded`.")
    redemptions = fields.Count(help_text="How many there were.")
    redeeming_customers = fields.Count(help_text="Who redeemed in the period, each once.")
    average_redemption = fields.Amount(allow_null=True, help_text="Points of each, on average.")
    preferred_size = fields.Count(
        allow_null=True, help_text="Most redemptions took so many points, or more but fewer than the next size."
    )


class MoneyRow(Row):
    """What redemptions cost, and what those who redeem spend more."""

    redeemed = fields.Amount(help_text="Points, above zero.")
    redemption_cost = fields.Amount(schema=_MONEY, help_text="Their value.")
    redeeming_customers = fields.Count(help_text="Who redeemed in the period, each once.")
    redeeming_spend = fields.Amount(help_text="In the programme's currency.")
    spend_per_redeeming_customer = fields.Amount(schema=_MONEY, help_text="On average.")
    other_customers = fields.Count(help_text="Who bought in the month and did not redeem.")
    other_spend = fields.Amount(help_text="In the programme's currency.")
    spend_per_other_customer = fields.Amount(schema=_MONEY, help_text="On average.")
    difference = fields.Amount(schema=_MONEY, help_text="Per customer, times the customers who redeemed.")
    margin_percent = fields.Amount(schema=_MONEY, help_text="Of the programme.")

    def get_fields(self) -> dict[str, Field]:
        """This will answer the fields, with the one that Python has no name for."""
        told = fields.Amount(
            schema=_RATIO, help_text="(`difference` * margin - `redemption_cost`) / `redemption_cost`."
        )
        return {**super().get_fields(), "return": told}


class CohortRow(serializers.Output):
    """Of the points earned in a month, those that were redeemed in a month."""

    earned_in = fields.Words(schema=_MONTH, help_text="The month in which they were awarded.")
    redeemed_in = fields.Words(schema=_MONTH, help_text="The month in which they were redeemed.")
    definition = fields.Words(**_DEFINITION)
    points = fields.Amount(help_text="How many of them.")
    share = fields.Amount(
        schema=_RATIO,
        help_text="Of what was awarded in `earned_in`. Points that corrections added count as earned, too.",
    )


class Season(serializers.Output):
    """A day of the week."""

    weekday = fields.Words(schema={"example": "monday"}, help_text="Its name in English.")
    awarded = fields.Amount(help_text="Points of all awards.")
    redeemed = fields.Amount(help_text="Spent on rewards and discounts.")


class PopularReward(serializers.Output):
    """A reward, and how often it was redeemed."""

    reward_id = fields.PublicId("rwd", help_text="Id of the reward.")
    name = fields.Words(help_text="What it is called.")
    redemptions = fields.Count(help_text="How many there were.")
    points = fields.Amount(help_text="How many of them.")


class SizeCount(serializers.Output):
    """How many redemptions took from so many points on, and fewer than the next size."""

    from_points = fields.Count(help_text="The least of this size.")
    redemptions = fields.Count(help_text="How many there were.")


class Inactive(serializers.Output):
    """How many accounts neither earned nor redeemed for so many days, as of now."""

    days = fields.Count(help_text="How long.")
    customers = fields.Count(help_text="How many.")


class Report(serializers.Output):
    """Rows, and what they are of."""

    counted_at = fields.Time(
        allow_null=True,
        help_text="What was written to the ledger before this is in the rows, but for what was written beside a "
        "transaction that was still under way. Null: not counted yet.",
    )
    timezone = fields.Words(schema={"example": "Europe/Vilnius"}, help_text="Of the days.")
    currency = fields.Words(schema={"example": "EUR"}, help_text="Of what is told in money.")


class RollForward(Report):
    """What could be spent, period by period."""

    rows = RollForwardRow(many=True, help_text="The oldest period first.")


class Liability(Report):
    """What is owed, by when it ends."""

    rows = LiabilityRow(many=True, help_text="The oldest period first.")


class Velocity(Report):
    """How fast points come and go, with the days of the week and the rewards of all periods together."""

    rows = VelocityRow(many=True, help_text="The oldest period first.")
    weekdays = Season(many=True, help_text="Monday first.")
    popular_rewards = PopularReward(many=True, help_text="At most ten, the most popular first.")


class HealthReport(Report):
    """How the programme is doing."""

    rows = HealthRow(many=True, help_text="The oldest period first.")


class TierCount(serializers.Output):
    """How many customers hold a tier."""

    tier = fields.Words(schema={"example": "silver"}, help_text="Its name; `No tier` below the lowest.")
    customers = fields.Count(help_text="When it was last counted, up to `to`.")
    change = fields.Count(
        allow_null=True, help_text="How many more than when it was last counted before `from`. Null: it was not."
    )


class Behaviour(Report):
    """What customers do; with the sizes of redemptions of all periods together, who holds which tier, and who does
    nothing any more."""

    rows = BehaviourRow(many=True, help_text="The oldest period first.")
    sizes = SizeCount(many=True, help_text="The smallest first.")
    tiers = TierCount(many=True, help_text="The lowest first.")
    inactive = Inactive(many=True, help_text="For 30, 90, 180 and 365 days.")


class Money(Report):
    """What the programme costs, month by month."""

    rows = MoneyRow(many=True, help_text="The oldest period first.")


class Cohorts(Report):
    """When points are redeemed, by when they were earned."""

    rows = CohortRow(many=True, help_text="The oldest period first.")
