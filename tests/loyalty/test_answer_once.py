import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from loyalty import errors, idempotency
from loyalty.models import IdempotencyRecord, Program

KEY = idempotency.Key(key="k1", fingerprint="f1")


@pytest.fixture
def owner_id() -> uuid.UUID:
    return uuid.uuid4()


def make_programme() -> Program:
    return Program.objects.create(slug=f"once-{uuid.uuid4().hex[:12]}")


def test_remembers_the_answer_with_what_was_written(owner_id: uuid.UUID) -> None:
    made: list[Program] = []

    def work() -> idempotency.Answer:
        made.append(make_programme())
        return idempotency.Answer(status=201, body=b'{"n": 1}')

    first = idempotency.answer_once(owner_id=owner_id, key=KEY, work=work)
    again = idempotency.answer_once(owner_id=owner_id, key=KEY, work=work)
    assert first == idempotency.Answer(status=201, body=b'{"n": 1}')
    assert again == idempotency.Answer(status=201, body=b'{"n": 1}', replayed=True)
    assert len(made) == 1


def test_undoes_what_a_refusal_that_is_raised_has_written(owner_id: uuid.UUID) -> None:
    made: list[Program] = []

    def work() -> idempotency.Answer:
        made.append(make_programme())
        raise errors.NotFound

    with pytest.raises(errors.NotFound):
        idempotency.answer_once(owner_id=owner_id, key=KEY, work=work)
    assert not Program.objects.filter(pk=made[0].pk).exists()
    assert not IdempotencyRecord.objects.filter(owner_id=owner_id).exists()


def test_keeps_what_a_refusal_that_is_returned_has_written(owner_id: uuid.UUID) -> None:
    made: list[Program] = []

    def work() -> errors.Refusal:
        made.append(make_programme())
        return errors.NotFound()

    for key in (KEY, None):
        with pytest.raises(errors.NotFound):
            idempotency.answer_once(owner_id=owner_id, key=key, work=work)
    assert all(Program.objects.filter(pk=program.pk).exists() for program in made)
    assert not IdempotencyRecord.objects.filter(owner_id=owner_id).exists()


def test_refuses_the_key_for_another_request(owner_id: uuid.UUID) -> None:
    def work() -> idempotency.Answer:
        return idempotency.Answer(status=200, body=b"{}")

    idempotency.answer_once(owner_id=owner_id, key=KEY, work=work)
    other = idempotency.Key(key="k1", fingerprint="f2")
    with pytest.raises(errors.IdempotencyKeyReused):
        idempotency.answer_once(owner_id=owner_id, key=other, work=work)


def test_does_the_work_each_time_without_a_key(owner_id: uuid.UUID) -> None:
    answers = [
        idempotency.answer_once(owner_id=owner_id, key=None, work=lambda: idempotency.Answer(status=200, body=b"{}"))
        for _ in range(2)
    ]
    assert not any(answer.replayed for answer in answers)


def test_is_unavailable_where_the_record_is_purged_meanwhile(owner_id: uuid.UUID) -> None:
    done = idempotency.Answer(status=201, body=b"{}")
    idempotency.answer_once(owner_id=owner_id, key=KEY, work=lambda: done)

    def purge_before_reading(execute: Callable, sql: str, params: Any, many: bool, context: dict) -> Any:
        if sql.startswith("SELECT fingerprint"):
            execute("DELETE FROM loyalty_idempotencyrecord WHERE owner_id = %s", [owner_id], False, context)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(purge_before_reading), pytest.raises(errors.Unavailable):
        idempotency.answer_once(owner_id=owner_id, key=KEY, work=lambda: pytest.fail("done twice"))
