"""What a purchase or a deed earns, by the rules of one version of the rulebook. Arithmetic on plain data, nothing else:
the same for a preview, an award and an import.

A purchase earns `floor((amount * rate + what campaigns multiply) * the tier's multiplier + what campaigns add)`,
floored once, to the decimals of the points, and lowered to the caps in the same breath.
"""

import decimal
from collections.abc import Sequence
from decimal import Decimal

from django.utils.translation import gettext as _

from loyalty import errors, wording
from points.terms import (
    ONE,
    ZERO,
    Calculation,
    Campaign,
    Combination,
    Deed,
    Effect,
    Kind,
    Rule,
    Rules,
    Situation,
    SpendBasis,
)

PURCHASES = "purchases"  # The tally of a customer's purchases.


class NotWorkedOut(errors.InvalidParameters):
    """No rule says how many points this earns, and none were sent."""


class NothingEarned(errors.InvalidParameters):
    """It earns no points."""


class CapExceeded(errors.InvalidParameters):
    """The points are more than a cap allows; `cap` and `left` say which and how many are left of it."""

    def __init__(self, *, cap: Decimal, left: Decimal) -> None:
        told = {"cap": wording.points(cap), "left": wording.points(left)}
        text = _("More than the limit of %(cap)s. Left of it: %(left)s.") % told
        super().__init__({"points": [text]}, rule="cap")
        self.cap, self.left = cap, left


# What an order that earns nothing is placed in spite of, and an import counts apart.
NOTHING = (NotWorkedOut, NothingEarned, CapExceeded)


def work_out(rules: Rules, deed: Deed, situation: Situation) -> Calculation:
    """This will answer how many points the deed earns; what the caller sent wins over the rules, not over the caps.

    Raises:
        NotWorkedOut: no points were sent and no rule holds.
        NothingEarned: the rules give less than the smallest unit.
        CapExceeded: points sent are above a cap, or the cap of a day or month is used up.
    """
    rule = _rule(rules, deed)
    if deed.points is not None:
        return _sent(rules, rule, deed, situation)
    campaign = _named_campaign(rules, deed, situation)
    rate = rule.rate if rule is not None and deed.kind == Kind.PURCHASE else None
    fixed = rule.points if rule is not None and deed.kind != Kind.PURCHASE else None
    if rate is None and fixed is None and campaign is None:
        raise NotWorkedOut({"points": [_("No rule says how many points this earns.")]}, rule="no_rule")
    if rule is not None and rate is not None:
        base, multiplier = _amount(rules, deed, rule.categories) * rate, situation.multiplier
    else:
        base, multiplier = fixed or ZERO, ONE
    return _totalled(rules, rule, deed, situation, base=base, multiplier=multiplier, named=campaign)


def floor(points: Decimal, decimal_places: int) -> Decimal:
    """This will answer the points rounded down to so many decimals: the one rounding there is."""
    return points.quantize(ONE.scaleb(-decimal_places), rounding=decimal.ROUND_FLOOR)


def _totalled(
    rules: Rules,
    rule: Rule | None,
    deed: Deed,
    situation: Situation,
    *,
    base: Decimal,
    multiplier: Decimal,
    named: Campaign | None,
) -> Calculation:
    cap = _most(rule, deed, situation)
    exact = base * multiplier
    total = _lowered(exact, cap, situation)
    parts: dict[str, Decimal] = {}
    budgets: dict[str, Decimal] = {}
    tallies: dict[str, Decimal] = {}
    chosen = _chosen(rules, rule, deed, situation, base=base, multiplier=multiplier, named=named)
    for campaign, extra in chosen:
        exact += extra
        part = _lowered(exact, cap, situation) - total
        if not part:
            continue
        total += part
        parts[campaign.code] = part
        tallies |= _given(campaign, part)
        if campaign.most_in_all is not None:
            budgets[campaign.id] = part
    if total <= 0:
        raise NothingEarned({"points": [_("This earns no points.")]}, rule="nothing_earned")
    return Calculation(
        points=total,
        base=base,
        multiplier=multiplier,
        tier=situation.tier,
        campaigns=parts,
        cap=cap if cap is not None and floor(exact, situation.decimal_places) > cap else None,
        rule=rule.name if rule else None,
        version=rules.version,
        tallies=tallies | _counted(rule, deed, situation, total),
        budgets=budgets,
        expires_after_days=named.expires_after_days if named and named.code in parts else None,
    )


def _sent(rules: Rules, rule: Rule | None, deed: Deed, situation: Situation) -> Calculation:
    points = deed.points or ZERO
    if rule is not None:
        if rule.most_per_transaction is not None and points > rule.most_per_transaction:
            raise CapExceeded(cap=rule.most_per_transaction, left=rule.most_per_transaction)
        for cap, left in _periods(rule, deed, situation):
            if points > left:
                raise CapExceeded(cap=cap, left=max(left, ZERO))
    campaign = _named_campaign(rules, deed, situation)
    tallies = _counted(rule, deed, situation, points)
    budgets = {}
    if campaign is not None:
        for cap, left in _limits(campaign, situation):
            if points > left:
                raise CapExceeded(cap=cap, left=max(left, ZERO))
        tallies |= _given(campaign, points)
        if campaign.most_in_all is not None:
            budgets[campaign.id] = points
    return Calculation(
        points=points,
        base=points,
        campaigns={campaign.code: points} if campaign else {},
        tier=situation.tier,
        rule=rule.name if rule else None,
        version=rules.version,
        tallies=tallies,
        budgets=budgets,
        expires_after_days=campaign.expires_after_days if campaign else None,
    )


def _rule(rules: Rules, deed: Deed) -> Rule | None:
    """This will answer the rule of the highest priority that holds; of equals the older one."""
    counting = deed.without(rules.excluded_categories)
    if not counting.amount:
        # Where nothing is left that counts, the rule is the one to say that this earns nothing.
        counting = deed
    holding = [
        rule
        for rule in rules.rules
        if rule.applies(deed)
        and (rule.activity == deed.activity or deed.kind != Kind.ACTIVITY)
        # What it came to and what was bought decide how many points are worked out; the caps hold for those sent, too.
        and (deed.points is not None or rule.is_enough(counting))
    ]
    return max(holding, key=lambda rule: rule.priority, default=None)


def _named_campaign(rules: Rules, deed: Deed, situation: Situation) -> Campaign | None:
    """This will answer the campaign that the caller names, for a bonus or a referral. None where it does not hold, for
    this customer or at all, and the caller says how many points it is.

    Raises:
        NotWorkedOut: it does not hold, and it would have said so.
    """
    if deed.kind not in (Kind.BONUS, Kind.REFERRAL) or not deed.campaign:
        return None
    named = next((c for c in _campaigns(rules, deed, situation) if c.code == deed.campaign), None)
    if named is None and deed.points is None:
        raise NotWorkedOut({"points": [_("There is no such campaign for this customer now.")]}, rule="no_campaign")
    return named


def _campaigns(rules: Rules, deed: Deed, situation: Situation) -> list[Campaign]:
    counting = deed.without(rules.excluded_categories)
    if deed.lines and not counting.lines:
        # Whatever was bought earns nothing: a campaign does not give for it either.
        return []
    holding = [
        campaign
        for campaign in rules.campaigns
        if campaign.holds(counting)
        and (not campaign.tiers or situation.tier in campaign.tiers)
        and (not campaign.first_purchase_only or not situation.tallied(PURCHASES))
    ]
    return sorted(holding, key=lambda campaign: -campaign.priority)


def _chosen(
    rules: Rules,
    rule: Rule | None,
    deed: Deed,
    situation: Situation,
    *,
    base: Decimal,
    multiplier: Decimal,
    named: Campaign | None,
) -> list[tuple[Campaign, Decimal]]:
    """This will answer the campaigns that count, each with what it adds before it is floored: no more than it has."""
    if deed.kind in (Kind.BONUS, Kind.REFERRAL):
        return [(named, _limited(named, named.points + (named.factor - 1) * base, situation))] if named else []
    extras = []
    for campaign in _campaigns(rules, deed, situation):
        if campaign.effect == Effect.ADD:
            extra = campaign.points
        else:
            part = base
            if rule is not None and rule.rate is not None and deed.kind == Kind.PURCHASE:
                part = _amount(rules, deed, rule.categories, campaign.categories) * rule.rate
            extra = (campaign.factor - 1) * part * multiplier
        extras.append((campaign, _limited(campaign, extra, situation)))
    if rules.combination == Combination.SUM:
        return extras
    return [max(extras, key=lambda pair: pair[1])] if extras else []


def _limited(campaign: Campaign, extra: Decimal, situation: Situation) -> Decimal:
    # A limit with more decimals than the points have must not be passed by rounding.
    lefts = [floor(left, situation.decimal_places) for cap, left in _limits(campaign, situation)]
    return max(min([extra, *lefts]), ZERO)


def _amount(rules: Rules, deed: Deed, *conditions: Sequence[str]) -> Decimal:
    """This will answer so much of the amount as earns: without excluded lines, of the categories where some are named,
    and before or after what points paid, in proportion."""
    amount = deed.amount or ZERO
    counting = deed.without(rules.excluded_categories)
    earning = counting.amount or ZERO
    if any(conditions):
        wanted = (
            line.amount
            for line in counting.lines
            if all(not categories or line.category in categories for categories in conditions)
        )
        earning = min(earning, sum(wanted, ZERO))
    if rules.spend_basis == SpendBasis.AFTER and amount > 0:
        # Three thirds must be a whole, so a share without an end is rounded up, in its last digit of 28.
        with decimal.localcontext(rounding=decimal.ROUND_UP):
            earning = earning * max(amount - deed.discount, ZERO) / amount
    return earning


def _most(rule: Rule | None, deed: Deed, situation: Situation) -> Decimal | None:
    """This will answer the lowest cap for points that a rule works out.

    Raises:
        CapExceeded: a day's or a month's is used up.
    """
    if rule is None:
        return None
    caps = [] if rule.most_per_transaction is None else [rule.most_per_transaction]
    for cap, left in _periods(rule, deed, situation):
        if left <= 0:
            raise CapExceeded(cap=cap, left=ZERO)
        caps.append(left)
    return min(caps, default=None)


def _periods(rule: Rule, deed: Deed, situation: Situation) -> list[tuple[Decimal, Decimal]]:
    """This will answer the caps of the day and the month, and what is left of each."""
    day, month = _period_tallies(deed, situation)
    caps = [(rule.most_per_day, day), (rule.most_per_month, month)]
    return [(cap, cap - situation.tallied(name)) for cap, name in caps if cap is not None]


def _period_tallies(deed: Deed, situation: Situation) -> tuple[str, str]:
    subject = f"{deed.kind.value}.{deed.activity}" if deed.kind == Kind.ACTIVITY else deed.kind.value
    today = deed.at.astimezone(situation.zone).date()
    return f"{subject}/{today:%Y-%m-%d}", f"{subject}/{today:%Y-%m}"


def _given(campaign: Campaign, points: Decimal) -> dict[str, Decimal]:
    # Only where it is asked for: the account's row would grow with every campaign.
    return {} if campaign.most_per_customer is None else {_campaign_tally(campaign): points}


def _campaign_tally(campaign: Campaign) -> str:
    return f"campaign/{campaign.id}"


def _counted(rule: Rule | None, deed: Deed, situation: Situation, points: Decimal) -> dict[str, Decimal]:
    day, month = _period_tallies(deed, situation)
    # An activity that no rule names has no cap, and callers make up as many of them as they like.
    counted = {} if rule is None and deed.kind == Kind.ACTIVITY else {day: points, month: points}
    # Of points that are sent, the rules say nothing.
    return counted | ({PURCHASES: ONE} if deed.kind == Kind.PURCHASE and deed.points is None else {})


def _limits(campaign: Campaign, situation: Situation) -> list[tuple[Decimal, Decimal]]:
    """This will answer the caps of a campaign, for this customer and in all, and what is left of each."""
    limits = []
    if campaign.most_per_customer is not None:
        tallied = situation.tallied(_campaign_tally(campaign))
        limits.append((campaign.most_per_customer, campaign.most_per_customer - tallied))
    if campaign.most_in_all is not None:
        given = situation.given.get(campaign.id, ZERO)
        limits.append((campaign.most_in_all, campaign.most_in_all - given))
    return limits


def _lowered(exact: Decimal, cap: Decimal | None, situation: Situation) -> Decimal:
    return floor(exact if cap is None else min(exact, cap), situation.decimal_places)
