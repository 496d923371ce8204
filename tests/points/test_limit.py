"""So many single postings within a minute on one account, as the programme says."""

import datetime

import pytest

from loyalty import errors
from loyalty.models import Program
from points import ledger
from points.models import AccountRef
from tests.points.till import NOON, Till, answer, days, key, posting

SECOND = datetime.timedelta(seconds=1)


@pytest.fixture
def till(account: AccountRef) -> Till:
    account.program.transaction_limit = 3
    return Till(account)


def test_stops_the_posting_after_the_last_one_allowed(till: Till) -> None:
    for second in range(3):
        till.award(1, at=NOON + second * SECOND)
    before = till.everything()
    with pytest.raises(ledger.TransactionLimitExceeded) as refused:
        till.award(1, at=NOON + 59.5 * SECOND)
    assert refused.value.facts == {"retry_after": 1}
    assert till.everything() == before


def test_opens_again_a_minute_after_the_first_one(till: Till) -> None:
    for second in (0, 50, 55):
        till.award(1, at=NOON + second * SECOND)
    with pytest.raises(ledger.TransactionLimitExceeded):
        till.award(1, at=NOON + 60 * SECOND - datetime.timedelta(microseconds=1))
    for second in (60, 61, 62):
        till.award(1, at=NOON + second * SECOND)
    with pytest.raises(ledger.TransactionLimitExceeded) as refused:
        till.award(1, at=NOON + 63 * SECOND)
    assert refused.value.facts == {"retry_after": 57}


def test_counts_every_kind_of_posting(till: Till) -> None:
    award = till.award(10)
    till.redeem(1)
    till.adjust(1)
    for verb in (till.award, till.redeem, till.adjust, till.expire):
        with pytest.raises(ledger.TransactionLimitExceeded):
            verb(1)
    with pytest.raises(ledger.TransactionLimitExceeded):
        till.reverse(award)


def test_counts_only_what_posts(till: Till) -> None:
    for _ in range(5):
        with pytest.raises(ledger.InsufficientPoints):
            till.redeem(1)
        with pytest.raises(errors.InvalidPoints):
            till.award("0.5")
        till.expire(before=days(1))
    for _ in range(5):
        ledger.post(posting(till.account, "award", 1, key=key("order-1")), render=answer)
    till.award(1)
    till.award(1)
    with pytest.raises(ledger.TransactionLimitExceeded):
        till.award(1)


@pytest.mark.parametrize("is_refused", [True, False])
def test_the_minute_begins_with_a_posting_that_posts(till: Till, is_refused: bool) -> None:
    till.award(1, at=NOON - 100 * SECOND, expires_at=NOON)
    # Each settles what was due and posts nothing: it opens no minute.
    if is_refused:
        with pytest.raises(ledger.InsufficientPoints):
            till.redeem(1, at=NOON)
    else:
        assert till.expire(before=days(1), at=NOON) is None
    assert till.history() == [("award", 1), ("expire", -1)]
    for second in (30, 31, 32):
        till.award(1, at=NOON + second * SECOND)
    with pytest.raises(ledger.TransactionLimitExceeded) as refused:
        till.award(1, at=NOON + 61 * SECOND)
    assert refused.value.facts == {"retry_after": 29}


def test_does_not_count_the_clock(till: Till) -> None:
    for n in range(5):
        till.award(1, at=NOON + n * 60 * SECOND, expires_at=days(1))
    till.settle(days(1))
    for second in range(3):
        till.award(1, at=days(1) + second * SECOND)


def test_comes_before_the_amount(till: Till) -> None:
    for _ in range(3):
        till.award(1)
    with pytest.raises(ledger.TransactionLimitExceeded):
        till.redeem(1000)


def test_a_programme_may_have_none(till: Till, program: Program) -> None:
    till.account.program.transaction_limit = None
    for _ in range(10):
        till.award(1)
    assert till.balance == 10


def test_posts_uncounted_where_it_is_told_so(till: Till) -> None:
    for _ in range(5):
        ledger.post(posting(till.account, "award", 1), is_counted=False)
    assert till.balance == 5
