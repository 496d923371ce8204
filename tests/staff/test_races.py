"""Several members of staff at once, with real threads and connections of their own."""

import uuid
from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any

from django.contrib.auth.models import User

from loyalty import errors
from loyalty.models import Program
from points.models import AccountRef
from staff import adjusting
from staff.models import AdjustmentLimit, AdjustmentRequest, AdjustmentTally
from tests.factories import make_account
from tests.points.threads import at_once, deadlocks
from tests.points.till import NOON, Till, breaches, key


def adjust(account: AccountRef, by: User, points: int) -> Any:
    wish = adjusting.Wish(account=account, points=Decimal(points), reason="Goodwill")
    return adjusting.adjust(wish=wish, by=by, key=key(f"staff-{uuid.uuid4()}"), at=NOON)


def test_two_who_approve_at_once_post_once(bosses: list[User], till: Till, asked: AdjustmentRequest) -> None:
    works = [partial(adjusting.approve, request_id=asked.pk, by=by, at=NOON) for by in bosses * 4]

    outcomes = at_once(*works)

    assert till.history() == [("adjust", Decimal(101))]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, errors.Refusal)]
    # The faster one is told the same four times, the other one four times that it was late.
    assert {type(refusal) for refusal in refusals} == {adjusting.RequestDecided}
    assert len(refusals) == 4
    asked.refresh_from_db()
    [entry] = till.entries()
    assert (asked.state, asked.entry_id) == ("approved", entry.pk)


def test_one_approves_while_another_refuses(bosses: list[User], till: Till, asked: AdjustmentRequest) -> None:
    one, other = bosses
    outcomes = at_once(
        partial(adjusting.approve, request_id=asked.pk, by=one, at=NOON),
        partial(adjusting.refuse, request_id=asked.pk, by=other, why="No", at=NOON),
        partial(adjusting.withdraw, request_id=asked.pk, by=asked.asked_by, at=NOON),
    )

    assert sum(isinstance(outcome, adjusting.RequestDecided) for outcome in outcomes) == 2
    asked.refresh_from_db()
    assert till.history() == ([("adjust", Decimal(101))] if asked.state == "approved" else [])


def test_adjustments_at_once_stay_within_the_day(clerk: User, program: Program, account: AccountRef) -> None:
    before = deadlocks()
    accounts = [account, *(make_account(program, account.definition) for _ in range(9))]

    outcomes = at_once(*(partial(adjust, each, clerk, 100) for each in accounts))

    # 100 + 100 + 100 > 250: two are posted, and eight wait for a second person.
    assert Counter(outcome.request_id is None for outcome in outcomes) == {True: 2, False: 8}
    assert AdjustmentRequest.objects.filter(program=program).count() == 8
    assert sum(Till(each).row().balance for each in accounts if Till(each).rows()) == 2 * 100
    assert AdjustmentTally.objects.get(program=program, user=clerk).points == 2 * 100
    assert deadlocks() == before
    assert breaches(program) == set()


def test_approvals_at_once_stay_within_the_day(
    program: Program, account: AccountRef, bosses: list[User], asked: AdjustmentRequest
) -> None:
    boss = bosses[0]
    AdjustmentLimit.objects.filter(group__in=boss.groups.all()).update(most_points_a_day=250)
    requests = [asked]
    for _ in range(5):
        copy = AdjustmentRequest.objects.get(pk=asked.pk)
        copy.pk = uuid.uuid4()
        copy.save(force_insert=True)
        requests.append(copy)

    outcomes = at_once(*(partial(adjusting.approve, request_id=each.pk, by=boss, at=NOON) for each in requests))

    # 101 + 101 + 101 > 250
    assert sum(isinstance(outcome, adjusting.AboveLimit) for outcome in outcomes) == 4
    assert Till(account).balance == 2 * 101
