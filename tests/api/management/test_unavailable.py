import threading
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from points.models import PointAccount
from tests.api.management.till import Till, data, error, nothing_moves


@pytest.fixture
def impatient() -> Iterator[None]:
    """Waits for locks a moment only, as the role does for seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '20ms'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


@pytest.fixture
def locked(till: Till) -> Iterator[threading.Event]:
    """Alice's account, held by somebody until the event."""
    till.award(10)
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(PointAccount.objects.select_for_update().filter(program=till.program))
                is_held.set()
                may_end.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(20)
    yield may_end
    may_end.set()
    thread.join()


def test_answers_503_when_the_lock_is_not_to_be_had(till: Till, locked: threading.Event, impatient: None) -> None:
    with nothing_moves(till.program):
        for answer in (
            till.redeem(1, key="k1"),
            till.bulk(till.item("award", 1)),
            till.post(f"loyalty-cards/{till.card_id}/block", {"reason": "Stolen"}),
        ):
            assert error(answer, 503, "UNAVAILABLE") == {"retry_after": 1}
            assert answer.headers["Retry-After"] == "1"
    assert till.balance == 10


def test_posts_once_when_called_again_with_the_same_key(till: Till, locked: threading.Event, impatient: None) -> None:
    error(till.redeem(1, key="k1"), 503, "UNAVAILABLE")
    locked.set()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
    data(till.redeem(1, key="k1"), 201)
    assert till.balance == 10 - 1
