"""The server goes away in the middle: what was asked is posted once and answered, whatever arrived before."""

import datetime
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction

from loyalty import errors, idempotency
from loyalty.models import Program
from points import ledger, moves
from points.models import AccountRef, Hold, PointTransaction
from tests.factories import make_account, make_definition
from tests.points.killing import KillAt
from tests.points.proxy import Proxy, proxied
from tests.points.threads import Waiting
from tests.points.till import NOON, Till, answer, breaches, days, key, posting

HOUR = datetime.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _lawful(program: Program) -> Iterator[None]:
    yield
    assert breaches(program) == set()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxied() as proxy:
        yield proxy


def kill(pid: int) -> None:
    """This will end a session of the runtime role, as a crash would."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("statement", ["EXECUTE lock_accounts", "EXECUTE write"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_posts_once_where_the_session_is_ended(till: Till, statement: str, is_before: bool, is_keyed: bool) -> None:
    till.award(100, expires_at=days(1))
    killer = KillAt(statement, is_before=is_before)
    asked = posting(till.account, "award", 5, at=days(2), key=key("order-1") if is_keyed else None)
    with connection.execute_wrapper(killer):
        outcome = ledger.post(asked, render=answer)
    assert killer.killed == 1
    assert outcome.entry is not None
    assert outcome.entry.balance_after == 5
    assert till.history() == [("award", 100), ("expire", -100), ("award", 5)]


@pytest.mark.parametrize("statement", ["EXECUTE lock_accounts", "EXECUTE write"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_posts_once_where_the_server_crashes_between_statements(
    proxy: Proxy, till: Till, statement: str, is_keyed: bool
) -> None:
    till.award(100)
    crashes: list[str] = []

    def crash_after(execute: Callable, sql: str, params: Any, many: bool, context: dict) -> Any:
        result = execute(sql, params, many, context)
        if statement in sql and not crashes:
            crashes.append(sql)
            proxy.crash()
        return result

    asked = posting(till.account, "redeem", 30, key=key("order-1") if is_keyed else None)
    with connection.execute_wrapper(crash_after):
        outcome = ledger.post(asked, render=answer)
    assert len(crashes) == 1
    assert outcome.balance == 100 - 30
    assert till.history() == [("award", 100), ("redeem", -30)]


def test_posts_once_where_the_session_is_ended_while_it_waits(till: Till) -> None:
    till.award(10)
    with transaction.atomic():
        till.redeem(4)
        second = Waiting(lambda: till.redeem(4))
        kill(second.pid)
    assert second.result().balance_before == 10 - 4
    assert till.balance == 10 - 4 - 4


@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_posts_once_where_the_answer_to_the_commit_is_lost(proxy: Proxy, till: Till, is_keyed: bool) -> None:
    till.award(100)
    proxy.lose(1)
    asked = posting(till.account, "redeem", 30, key=key("order-1") if is_keyed else None)
    outcome = ledger.post(asked, render=answer)
    assert proxy.lost == 1
    assert till.history() == [("award", 100), ("redeem", -30)]
    assert outcome.entry is not None
    assert outcome.entry.id == till.entries()[-1].id
    assert outcome.answer is not None
    assert (outcome.answer.body, outcome.answer.replayed) == (b"-30.00 points, now 70.00", False)


def test_posts_once_where_the_answers_to_several_commits_are_lost(proxy: Proxy, till: Till) -> None:
    till.award(100)
    proxy.lose(3)
    assert ledger.post(posting(till.account, "redeem", 30)).balance == 70
    assert proxy.lost == 3
    assert till.history() == [("award", 100), ("redeem", -30)]


def test_posts_first_once_where_the_answer_to_the_commit_is_lost(proxy: Proxy, till: Till) -> None:
    connection.ensure_connection()
    proxy.lose(1)
    till.award(100)
    assert proxy.lost == 1
    assert till.history() == [("award", 100)]


def test_another_may_post_before_the_lost_answer_is_looked_for(proxy: Proxy, till: Till) -> None:
    till.award(100)
    proxy.lose(1)
    meanwhile = _Meanwhile(lambda: Till(till.account).redeem(70))
    with connection.execute_wrapper(meanwhile):
        outcome = ledger.post(posting(till.account, "redeem", 30))
    assert meanwhile.is_done
    assert outcome.balance == 70
    assert till.history() == [("award", 100), ("redeem", -30), ("redeem", -70)]


@pytest.mark.parametrize("kind", ["hold", "capture", "release", "reverse", "transfer"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_is_done_once_where_the_answer_to_the_commit_is_lost(
    proxy: Proxy, program: Program, till: Till, kind: str, is_keyed: bool
) -> None:
    program.transfers_enabled = True
    friend = Till(make_account(program, till.account.definition))
    award = till.award(100)
    held = till.post(ledger.hold, points=Decimal(20), lasts=HOUR)
    asked = {
        "hold": partial(posting, till.account, "hold", 30, lasts=HOUR),
        "capture": partial(posting, till.account, "redeem", 15, hold_id=held.id),
        "release": partial(posting, till.account, "release", None, hold_id=held.id),
        "reverse": partial(posting, till.account, "reverse", 30, reverses_id=award.id),
        "transfer": partial(posting, till.account, "transfer", 30, receiver=friend.account),
    }[kind](key=key("order-1") if is_keyed else None)
    before = till.row().version
    proxy.lose(2)
    outcome = ledger.post(asked, render=answer)
    assert proxy.lost == 2
    assert outcome.entry is not None
    assert outcome.answer is not None
    assert not outcome.answer.replayed
    row = till.row()
    assert row.version == before + (2 if kind == "capture" else 1)
    assert (row.balance, row.held) == {
        "hold": (50, 50),
        "capture": (85, 0),
        "release": (100, 0),
        "reverse": (50, 20),
        "transfer": (50, 20),
    }[kind]
    assert friend.history() == ([("transfer", 30)] if kind == "transfer" else [])
    if kind == "hold":
        assert outcome.hold is not None
        assert Hold.objects.get(account_id=till.account.id, id=outcome.hold.id).points == 30


def test_posts_once_where_the_answer_is_lost_and_the_account_became_another(proxy: Proxy, till: Till) -> None:
    other = Till(make_account(till.account.program, till.account.definition))
    till.award(100)
    _merge(till, other)
    proxy.lose(1)
    outcome = ledger.post(posting(till.account, "redeem", 30))
    assert proxy.lost == 1
    assert outcome.balance == 70
    assert other.history() == [("merge", 100), ("redeem", -30)]


@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_posts_once_where_the_account_becomes_another_before_the_lost_answer_is_looked_for(
    proxy: Proxy, till: Till, is_keyed: bool
) -> None:
    other = Till(make_account(till.account.program, till.account.definition))
    till.award(100)
    proxy.lose(1)
    meanwhile = _Meanwhile(lambda: _merge(till, other))
    with connection.execute_wrapper(meanwhile):
        outcome = ledger.post(
            posting(till.account, "redeem", 30, key=key("order-1") if is_keyed else None), render=answer
        )
    assert meanwhile.is_done
    assert outcome.entry is not None
    assert (outcome.entry.account_id, outcome.balance) == (till.account.id, 70)
    assert till.history() == [("award", 100), ("redeem", -30), ("merge", -70)]
    assert other.history() == [("merge", 70)]


def _merge(old: Till, new: Till) -> None:
    with transaction.atomic():
        moves.merge(old=[old.account], new=[new.account], actor="test", at=NOON)


class _Meanwhile:
    """Does a work in another thread before the second locking statement."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.locks = 0
        self.is_done = False

    def __call__(self, execute: Callable, sql: str, params: Any, many: bool, context: dict) -> Any:
        if "EXECUTE lock_accounts" in sql:
            self.locks += 1
            if self.locks == 2:
                self._do()
        return execute(sql, params, many, context)

    def _do(self) -> None:
        def run() -> None:
            try:
                self.work()
                self.is_done = True
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()


def test_a_batch_is_posted_once_where_the_answer_to_the_commit_is_lost(proxy: Proxy, program: Program) -> None:
    refs = _accounts(program)
    ledger.post_many([posting(ref, "award", 10) for ref in refs])
    proxy.lose(1)
    items = [posting(refs[0], "redeem", 11), *(posting(ref, "redeem", 3, key=key("order-1")) for ref in refs)]
    outcomes = ledger.post_many(items, render=answer)
    assert proxy.lost == 1
    assert [outcome.refusal is None for outcome in outcomes] == [False, True, True, True]
    assert {Till(ref).balance for ref in refs} == {10 - 3}
    stored = set(PointTransaction.objects.filter(program=program, type="redeem").values_list("id", flat=True))
    assert {outcome.entry.id for outcome in outcomes[1:]} == stored


def test_work_is_done_and_first_answered_once_where_the_answer_to_the_commit_is_lost(
    proxy: Proxy, program: Program
) -> None:
    done: list[int] = []

    def ask() -> idempotency.Answer:
        return idempotency.answer_once(owner_id=program.pk, key=key("order-1"), work=work)

    def work() -> idempotency.Answer:
        done.append(1)
        return idempotency.Answer(status=201, body=b"%d" % len(done))

    proxy.lose(1)
    assert ask() == idempotency.Answer(status=201, body=b"1")
    assert proxy.lost == 1
    assert ask() == idempotency.Answer(status=201, body=b"1", replayed=True)
    assert done == [1]


def test_a_refusal_is_one_where_the_answer_to_the_commit_is_lost(proxy: Proxy, till: Till) -> None:
    till.award(10, expires_at=days(1))
    proxy.lose(1)
    with pytest.raises(ledger.InsufficientPoints):
        till.redeem(1, at=days(2))
    assert proxy.lost == 1
    assert till.history() == [("award", 10), ("expire", -10)]


def test_settles_once_where_the_answer_to_the_commit_is_lost(proxy: Proxy, till: Till) -> None:
    till.award(10, expires_at=days(1))
    proxy.lose(1)
    till.settle(days(1))
    assert proxy.lost == 1
    assert till.history() == [("award", 10), ("expire", -10)]


def test_is_unavailable_where_the_server_stays_away(till: Till) -> None:
    till.award(10)
    before = till.everything()
    settings = connection.settings_dict
    connections["default"].close()
    connection.settings_dict = settings | {"HOST": "/nowhere"}
    try:
        with pytest.raises(errors.Unavailable):
            till.award(5)
    finally:
        connection.settings_dict = settings
    assert till.everything() == before


def test_is_unavailable_where_another_keeps_the_lock(till: Till) -> None:
    till.award(10)
    before = till.everything()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    try:
        with connections["owner"].cursor() as other, transaction.atomic(using="owner"):
            other.execute("SELECT id FROM points_pointaccount WHERE id = %s FOR UPDATE", [till.account.id])
            with pytest.raises(errors.Unavailable) as refused:
                till.award(5)
    finally:
        connections["default"].close()
    assert refused.value.facts["retry_after"] >= 1
    assert till.everything() == before


def _accounts(program: Program) -> list[AccountRef]:
    definition = make_definition(program)
    return [make_account(program, definition) for _ in range(3)]
