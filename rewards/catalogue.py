"""The rewards of a programme: making, changing and finding them."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import QuerySet

from loyalty import errors, xids
from loyalty.models import Program
from points import definitions
from rewards.models import Reward


class RewardNotFound(errors.NotFound):
    """There is no such reward in the programme."""

    code = "REWARD_NOT_FOUND"
    message = "There is no such reward."


def create(*, program: Program, definition: str | None = None, **said: Any) -> Reward:
    """This will make a reward that points of the definition with that code buy, or those of the programme's default
    one; its currency is the programme's where none is said.

    Raises:
        errors.InvalidParameters: there is no such definition, or what is said does not go together.
    """
    kind = definitions.find(program, definition)
    reward = Reward(program=program, definition=kind, **{"currency": program.currency} | said)
    _check(reward)
    reward.save(force_insert=True)
    # As the database has it: when it was made among it.
    return find(program=program, reward_id=reward.pk)


def change(*, program: Program, reward_id: uuid.UUID | None, **said: Any) -> Reward:
    """This will change what is said of a reward and leave the rest. Codes that exist stay as they are.

    Raises:
        RewardNotFound.
        errors.InvalidParameters: what it would be does not go together.
    """
    reward = find(program=program, reward_id=reward_id)
    with transaction.atomic():
        # A redemption takes its stock under the same lock.
        reward = locked(reward)
        for name, value in said.items():
            setattr(reward, name, value)
        _check(reward)
        if said:
            reward.save(update_fields=said)
    return find(program=program, reward_id=reward.pk)


def find(*, program: Program, reward_id: uuid.UUID | None) -> Reward:
    """This will answer the programme's reward of that id, its definition read with it.

    Raises:
        RewardNotFound: there is none.
    """
    reward = program.rewards.select_related("definition").filter(pk=reward_id).first() if reward_id else None
    if reward is None:
        raise RewardNotFound
    return reward


def named(*, program: Program, names: Iterable[str]) -> set[str]:
    """This will answer which of the names rewards of the programme have, in small letters or large ones."""
    with connection.cursor() as cursor:
        # The database makes both small: Python does it otherwise for some letters.
        cursor.execute(
            "SELECT n FROM unnest(%s::text[]) AS n"
            " WHERE lower(n) IN (SELECT lower(name) FROM rewards_reward WHERE program_id = %s)",
            [list(names), program.pk],
        )
        return {name for (name,) in cursor.fetchall()}


def locked(reward: Reward) -> Reward:
    """This will lock a reward until the transaction ends, and answer it as it is now."""
    now = Reward.objects.select_for_update(no_key=True).get(pk=reward.pk)
    now.program, now.definition = reward.program, reward.definition
    return now


def of_program(*, program: Program, is_active: bool | None = None, category: str | None = None) -> QuerySet[Reward]:
    """This will answer the programme's rewards, the newest first, in an order that a cursor can rely on: those that are
    switched on or off, those of a category, or all. Left out are the newest, as long as a transaction runs whose
    rewards could still come before them."""
    found = xids.settled(program.rewards.select_related("definition").order_by("-xid", "-id"))
    if is_active is not None:
        found = found.filter(is_active=is_active)
    return found if category is None else found.filter(category=category)


def after(rewards: QuerySet[Reward], reward: Reward) -> QuerySet[Reward]:
    """This will answer those of a list that come after one of them: the older ones."""
    return xids.earlier(rewards, reward)


def before(rewards: QuerySet[Reward], reward: Reward) -> QuerySet[Reward]:
    """This will answer those of a list that come before one of them, the nearest first."""
    return xids.later(rewards, reward).reverse()


def _check(reward: Reward) -> None:
    try:
        reward.full_clean(exclude=["program", "definition"], validate_unique=False, validate_constraints=False)
    except ValidationError as failure:
        raise errors.InvalidParameters(failure.message_dict) from failure
