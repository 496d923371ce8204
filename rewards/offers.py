"""What a customer could redeem now: rewards that the points suffice for, and that this customer may have."""

import datetime
import uuid

from django.db.models import Count, Q, QuerySet

from points import statements
from points.models import AccountRef
from points.statements import Statement
from rewards import catalogue
from rewards.models import Lapse, Redemption, Reward
from tiers.ladder import Progress

MOST = 50


def to(*, account: AccountRef, known: Statement, at: datetime.datetime) -> list[Reward]:
    """This will answer the rewards that the account could redeem at `at`, the cheapest first; `known` is what it has.

    Whoever redeems one is asked again, under the locks.
    """
    found = catalogue.of_program(program=account.program, is_active=True)
    found = found.filter(definition=account.definition, points_cost__lte=known.balance).exclude(stock=0)
    in_time = Q(valid_from=None) | Q(valid_from__lte=at), Q(valid_to=None) | Q(valid_to__gt=at)
    rewards = list(found.filter(*in_time).order_by("points_cost", "name", "pk")[:MOST])
    taken = _taken(account.customer_id, [reward for reward in rewards if reward.per_customer_limit is not None])
    progress = None
    if any(reward.min_tier for reward in rewards):
        progress = statements.progress(account=account, known=known, at=at)
    return [
        reward
        for reward in rewards
        if (not reward.min_tier or is_for(reward, progress))
        and (reward.per_customer_limit is None or taken.get(reward.pk, 0) < reward.per_customer_limit)
    ]


def is_for(reward: Reward, progress: Progress | None) -> bool:
    """This will tell whether somebody who is so far holds the reward's tier or a higher one."""
    held, lowest = progress.rung if progress else None, reward.lowest_rung()
    return held is not None and lowest is not None and held.threshold >= lowest.threshold


def counting(customer_id: uuid.UUID) -> QuerySet[Redemption]:
    """This will answer a customer's codes that count towards limits: those given back count no more."""
    redemptions = Redemption.objects.filter(customer_id=customer_id, cancelled_at=None)
    return redemptions.filter(Q(lapsed_at=None) | Q(lapse=Lapse.FORFEIT))


def _taken(customer_id: uuid.UUID, rewards: list[Reward]) -> dict[uuid.UUID | None, int]:
    found = counting(customer_id).filter(reward__in=rewards).values("reward").order_by()
    return dict(found.annotate(count=Count("pk")).values_list("reward", "count"))
