import uuid

import pytest
from django.db import OperationalError, connection, transaction

from loyalty import errors, retry
from loyalty.models import IdempotencyRecord


def fail(sqlstate: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$")


def remember(key: uuid.UUID) -> None:
    IdempotencyRecord.objects.create(owner_id=key, key="k", fingerprint="f")


class Work:
    """Fails so many times, for a reason of Postgres, before it succeeds."""

    def __init__(self, sqlstate: str, *, times: int) -> None:
        self.sqlstate = sqlstate
        self.failures_left = times
        self.tries = 0
        self.key = uuid.uuid4()

    def __call__(self) -> str:
        self.tries += 1
        with transaction.atomic():
            remember(self.key)
            if self.failures_left:
                self.failures_left -= 1
                fail(self.sqlstate)
        return "done"


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "57P01"])
def test_tries_again_when_the_next_try_may_succeed(sqlstate: str) -> None:
    work = Work(sqlstate, times=2)
    assert retry.run(work) == "done"
    assert work.tries == 3
    assert IdempotencyRecord.objects.filter(owner_id=work.key).count() == 1


def test_gives_up_after_the_fourth_try() -> None:
    work = Work("40001", times=9)
    with pytest.raises(errors.Unavailable) as refusal:
        retry.run(work)
    assert work.tries == 4
    assert refusal.value.facts == {"retry_after": 1}
    assert not IdempotencyRecord.objects.filter(owner_id=work.key).exists()


def test_does_not_try_again_what_takes_too_long() -> None:
    work = Work("57014", times=1)
    with pytest.raises(errors.Unavailable):
        retry.run(work)
    assert work.tries == 1


def test_does_not_repeat_what_may_have_been_done_before_the_connection_was_lost() -> None:
    lost = Work("57P01", times=1)
    with pytest.raises(errors.Unavailable):
        retry.run(lost, repeatable=False)
    assert lost.tries == 1
    deadlocked = Work("40P01", times=1)
    assert retry.run(deadlocked, repeatable=False) == "done"


def test_leaves_a_callers_transaction_to_its_caller() -> None:
    work = Work("40001", times=1)
    with pytest.raises(OperationalError), transaction.atomic():
        retry.run(work)
    assert work.tries == 1


def test_lets_faults_through() -> None:
    def divide() -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        retry.run(divide)
