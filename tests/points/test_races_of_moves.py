"""Many at once while points go from one account to another: none is lost, and nothing is posted where nobody is."""

import contextlib
import datetime
import random
import time
from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from cards.membership import CustomerNotFound
from loyalty import errors
from loyalty.models import Program
from points import ledger, moves
from points.models import AccountRef, PointAccount, PointTransaction
from tests.factories import make_account, make_definition
from tests.points.threads import RACE_SECONDS, Waiting, at_once, times
from tests.points.till import NOON, Till, answer, key, posting

HOUR = datetime.timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("without_limit", "without_deadlock")


@pytest.fixture(autouse=True)
def _with_transfers(program: Program) -> None:
    program.transfers_enabled = True
    program.save(update_fields=["transfers_enabled"])


@pytest.fixture
def other(program: Program, till: Till) -> Till:
    return Till(make_account(program, till.account.definition))


def send(sender: Till, receiver: Till, points: Any, **options: Any) -> PointTransaction:
    return sender.post(
        ledger.transfer, sender=sender.account, receiver=receiver.account, points=Decimal(points), **options
    )


def merge(old: Till, new: Till) -> moves.AccountsOver | None:
    """This will answer why not, where one of them has become another meanwhile."""
    try:
        with transaction.atomic():
            moves.merge(old=[old.account], new=[new.account], actor="test", at=NOON)
    except moves.AccountsOver as over:
        return over
    return None


def forfeit(till: Till) -> None:
    with transaction.atomic():
        moves.forfeit(accounts=[till.account], actor="test", at=NOON)


def owned(*tills: Till) -> Decimal:
    return sum((row.balance + row.pending + row.held for till in tills for row in till.rows()), Decimal(0))


# Transfers


def test_transfers_to_and_fro_never_deadlock(program: Program) -> None:
    definition = make_definition(program)
    tills = [Till(make_account(program, definition)) for _ in range(4)]
    for n, till in enumerate(tills):
        till.award(200, expires_at=NOON + (n + 1) * HOUR)
    until = time.monotonic() + RACE_SECONDS

    def work(seed: int) -> Counter[str]:
        dice, done = random.Random(seed), Counter[str]()
        # Most of them between two, in both directions.
        one, another = tills[seed % 2], tills[1 - seed % 2]
        while time.monotonic() < until:
            sender, receiver = (one, another) if dice.random() < 0.7 else dice.sample(tills, 2)
            try:
                send(sender, receiver, dice.randint(1, 40))
                done["sent"] += 1
            except ledger.InsufficientPoints:
                done["refused"] += 1
        return done

    total = sum(at_once(*(partial(work, seed) for seed in range(16))), Counter[str]())
    assert total["sent"] > 0
    assert owned(*tills) == 4 * 200
    assert sum(till.row().version for till in tills) == 4 + 2 * total["sent"]
    # Each lot's points are still there, with their end.
    ends = Counter[Any]()
    for till in tills:
        for lot in till.lots():
            ends[lot.expires_at] += lot.remaining
    assert ends == {NOON + (n + 1) * HOUR: 200 for n in range(4)}


def test_last_points_are_sent_once(till: Till, other: Till) -> None:
    till.award(57)
    outcomes = at_once(*times(20, lambda: send(till, other, 10)))
    assert sum(isinstance(outcome, ledger.InsufficientPoints) for outcome in outcomes) == 15
    assert (till.balance, other.balance) == (7, 50)


def test_transfers_to_new_accounts_in_opposite_directions_never_deadlock(program: Program) -> None:
    definition = make_definition(program)
    for _ in range(10):
        one, another = (Till(make_account(program, definition)) for _ in range(2))
        outcomes = at_once(
            *times(4, lambda one=one, another=another: send(one, another, 1)),
            *times(4, lambda one=one, another=another: send(another, one, 1)),
        )
        assert {type(outcome) for outcome in outcomes} == {ledger.InsufficientPoints}
        assert owned(one, another) == 0


def test_day_allows_no_more_than_it_may(program: Program, till: Till, other: Till) -> None:
    program.transfer_daily_points = Decimal(50)
    program.save(update_fields=["transfer_daily_points"])
    till.award(500)
    outcomes = at_once(*times(20, lambda: send(till, other, 10)))
    assert sum(isinstance(outcome, ledger.TransferLimitExceeded) for outcome in outcomes) == 15
    assert other.balance == 50


def test_one_key_sends_once(till: Till, other: Till) -> None:
    till.award(100)
    asked = partial(posting, till.account, "transfer", 30, receiver=other.account)
    outcomes = at_once(*times(10, lambda: ledger.post(asked(key=key("gift")), render=answer)))
    assert {outcome.answer.body for outcome in outcomes} == {b"-30.00 points, now 70.00"}
    assert (till.balance, other.balance) == (70, 30)


# Merges


def test_nothing_is_lost_while_accounts_become_one(program: Program, till: Till, other: Till) -> None:
    till.award(300)
    other.award(300)
    merged: list[float] = []

    def work(seed: int) -> list[tuple[Any, Decimal]]:
        dice, done = random.Random(seed), []
        # Before the merge and after it, however long that one had to wait.
        while not merged or time.monotonic() < merged[0] + RACE_SECONDS / 4:
            one = till if dice.random() < 0.6 else other
            kind = dice.choice(["award", "redeem", "hold", "resolve"])
            with contextlib.suppress(ledger.InsufficientPoints, ledger.TooManyHolds):
                if kind in ("hold", "resolve"):
                    held = one.post(ledger.hold, points=Decimal(dice.randint(1, 5)), lasts=HOUR)
                    done.append((held.id, Decimal(0)))
                    if kind == "resolve":
                        taken = one.post(ledger.capture, hold_id=held.id)
                        done.append((taken.id, taken.points))
                else:
                    entry = one.post(getattr(ledger, kind), points=Decimal(dice.randint(1, 9)))
                    done.append((entry.id, entry.points))
        return done

    def become_one() -> list[tuple[Any, Decimal]]:
        time.sleep(RACE_SECONDS / 4)
        try:
            merge(till, other)
        finally:
            merged.append(time.monotonic())
        return []

    posted = [
        each for answered in at_once(become_one, *(partial(work, seed) for seed in range(8))) for each in answered
    ]
    accounts = [till.account.id, other.account.id]
    entries = PointTransaction.objects.filter(account_id__in=accounts)
    # Whoever was answered finds the entry, once.
    assert len(posted) == len({entry_id for entry_id, _ in posted})
    found = Counter(entries.filter(id__in=[entry_id for entry_id, _ in posted]).values_list("id", flat=True))
    assert found == Counter(entry_id for entry_id, _ in posted)
    assert entries.count() == 2 + 2 + len(posted)
    assert owned(till, other) == owned(other) == 600 + sum(points for _, points in posted)
    assert till.history()[-1][0] == "merge"
    assert till.row().merged_into_id == other.account.id
    # They went on afterwards, also those who asked for the old account.
    assert other.entries()[-1].type != "merge"


def test_posting_that_waits_for_the_merge_posts_on_the_one_that_is_left(till: Till, other: Till) -> None:
    till.award(10)
    asked = partial(posting, till.account, "award", 5)
    with transaction.atomic():
        moves.merge(old=[till.account], new=[other.account], actor="test", at=NOON)
        second = Waiting(lambda: ledger.post(asked(key=key("order-1")), render=answer))
    assert second.result().entry.account_id == other.account.id
    assert not second.result().answer.replayed
    for account in (till.account, other.account):
        again = ledger.post(posting(account, "award", 5, key=key("order-1")), render=answer)
        assert again.answer is not None
        assert again.answer.replayed
        assert again.answer.body == second.result().answer.body
    assert till.history() == [("award", 10), ("merge", -10)]
    assert other.history() == [("merge", 10), ("award", 5)]


def test_first_posting_that_waits_for_the_merge_posts_on_the_one_that_is_left(till: Till, other: Till) -> None:
    other.award(10)
    with transaction.atomic():
        moves.merge(old=[till.account], new=[other.account], actor="test", at=NOON)
        second = Waiting(lambda: till.award(5))
    assert second.result().account_id == other.account.id
    assert till.history() == []
    assert other.balance == 15


def test_merge_waits_for_what_is_being_posted(till: Till, other: Till) -> None:
    till.award(10)
    with transaction.atomic():
        till.award(5)
        second = Waiting(lambda: merge(till, other))
    assert second.result() is None
    assert other.history() == [("merge", 15)]


def test_transfer_that_waits_for_the_merge_is_none(till: Till, other: Till) -> None:
    till.award(10)
    with transaction.atomic():
        moves.merge(old=[till.account], new=[other.account], actor="test", at=NOON)
        second = Waiting(lambda: send(till, other, 5))
    assert isinstance(second.result(), ledger.SameCustomer)
    assert other.history() == [("merge", 10)]


def test_bulk_that_waits_for_the_merge_posts_each_once(program: Program, till: Till, other: Till) -> None:
    third = make_account(program, till.account.definition)
    refs = [till.account, other.account, third, till.account]
    for ref in refs[:3]:
        Till(ref).award(10)
    with transaction.atomic():
        moves.merge(old=[till.account], new=[other.account], actor="test", at=NOON)
        second = Waiting(lambda: ledger.post_many([posting(ref, "award", 1) for ref in refs]))
    assert [outcome.entry.account_id for outcome in second.result()] == [
        *[other.account.id] * 2,
        third.id,
        other.account.id,
    ]
    assert (other.balance, Till(third).balance) == (10 + 10 + 3, 11)


def test_two_accounts_become_one_and_not_each_other(program: Program) -> None:
    definition = make_definition(program)
    for _ in range(10):
        one, another = (Till(make_account(program, definition)) for _ in range(2))
        one.award(10)
        another.award(20)
        outcomes = at_once(
            partial(merge, one, another),
            partial(merge, another, one),
            partial(one.award, 5),
            partial(another.award, 5),
        )
        assert sorted(isinstance(outcome, moves.AccountsOver) for outcome in outcomes[:2]) == [False, True]
        assert owned(one, another) == 10 + 20 + 5 + 5
        heirs = [row.merged_into_id for till in (one, another) for row in till.rows()]
        assert sorted(heir is None for heir in heirs) == [False, True]


def test_three_accounts_become_one_whoever_comes_first(program: Program) -> None:
    definition = make_definition(program)
    for _ in range(8):
        first, second, third = (Till(make_account(program, definition)) for _ in range(3))
        for till in (first, second, third):
            till.award(10)
        at_once(partial(merge, first, second), partial(merge, second, third), *times(3, partial(first.award, 1)))
        assert owned(first, second, third) == 33
        # Where the second was merged before the first could be, the first is still itself.
        assert first.row().merged_into_id in (None, second.account.id)
        first.award(1)
        last = third if first.row().merged_into_id else first
        assert last.entries()[-1].points == 1


# Erased


def test_award_comes_before_the_end_or_not_at_all(program: Program) -> None:
    definition = make_definition(program)
    for _ in range(10):
        till = Till(make_account(program, definition))
        till.award(10)
        outcomes = at_once(
            partial(forfeit, till), *times(4, partial(till.award, 5)), *times(2, partial(hold_some, till.account))
        )
        awarded = sum(isinstance(outcome, PointTransaction) and outcome.type == "award" for outcome in outcomes)
        refusals = {type(outcome) for outcome in outcomes if isinstance(outcome, errors.Refusal)}
        assert refusals <= {CustomerNotFound}
        row = till.row()
        assert (row.balance, row.held, row.lifetime_expired) == (0, 0, 10 + 5 * awarded)
        assert row.closed_at == NOON
        assert till.history()[-1] == ("expire", -10 - 5 * awarded)


def hold_some(account: AccountRef) -> PointTransaction | None:
    return ledger.hold(
        account=account, points=Decimal(3), lasts=HOUR, note=ledger.Note(reason="Order", actor="till"), at=NOON
    ).entry


@pytest.mark.parametrize("is_first", [False, True], ids=["known account", "first posting"])
def test_award_that_waits_for_the_end_is_refused(till: Till, is_first: bool) -> None:
    if not is_first:
        till.award(10)
    with transaction.atomic():
        moves.forfeit(accounts=[till.account], actor="test", at=NOON)
        second = Waiting(lambda: till.award(5))
    assert isinstance(second.result(), CustomerNotFound)
    assert PointAccount.objects.get(pk=till.account.id).balance == 0
