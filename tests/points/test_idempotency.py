"""The same key with the same request gets the answer that the first one got, and posts nothing."""

import datetime

import pytest
from django.db import connections, transaction

from cards.models import Card
from loyalty import errors, idempotency, ids
from loyalty.models import IdempotencyRecord
from points import ledger
from points.models import AccountRef, PointTransaction
from tests.points.till import NOTE, Till, answer, days, key, posting


@pytest.mark.parametrize(("kind", "points"), [("award", 10), ("redeem", 10), ("adjust", -10), ("expire", 10)])
def test_replays_the_first_answer(till: Till, kind: str, points: int) -> None:
    till.award(100)
    first = ledger.post(posting(till.account, kind, points, key=key("order-1")), render=answer)
    again = ledger.post(posting(till.account, kind, points, key=key("order-1")), render=answer)
    assert first.entry is not None
    assert again.entry is None
    assert first.answer is not None
    assert again.answer is not None
    assert (first.answer.replayed, again.answer.replayed) == (False, True)
    assert (again.answer.status, again.answer.body) == (first.answer.status, first.answer.body)
    assert len(till.history()) == 2


def test_replays_a_reversal(till: Till) -> None:
    award = till.award(100)
    first, again = (
        ledger.reverse(
            account=till.account,
            transaction_id=award.id,
            note=NOTE,
            at=days(1),
            points=None,
            key=key("order-1"),
            render=answer,
        )
        for _ in range(2)
    )
    assert again.answer is not None
    assert again.answer.replayed
    assert first.answer is not None
    assert again.answer.body == first.answer.body == b"-100.00 points, now 0.00"


def test_replays_an_expiry_of_nothing(till: Till) -> None:
    outcomes = [
        ledger.expire(account=till.account, before=days(1), note=NOTE, at=days(0), key=key("sweep"), render=answer)
        for _ in range(2)
    ]
    assert [outcome.answer.replayed for outcome in outcomes] == [False, True]


def test_replays_before_it_looks_at_the_funds(till: Till) -> None:
    till.award(100)
    ledger.post(posting(till.account, "redeem", 100, key=key("order-1")), render=answer)
    again = ledger.post(posting(till.account, "redeem", 100, key=key("order-1")), render=answer)
    assert again.answer is not None
    assert again.answer.replayed
    assert till.history() == [("award", 100), ("redeem", -100)]


def test_replays_before_it_looks_at_card_and_limit(till: Till, account: AccountRef, card: Card) -> None:
    note = ledger.Note(reason="Order", actor="till", card_id=card.pk)
    ledger.post(posting(account, "award", 5, note=note, key=key("order-1")), render=answer)
    Card.objects.filter(pk=card.pk).update(status="blocked")
    account.program.transaction_limit = 1
    again = ledger.post(posting(account, "award", 5, note=note, key=key("order-1")), render=answer)
    assert again.answer is not None
    assert again.answer.replayed
    with pytest.raises(ledger.CardBlocked):
        ledger.post(posting(account, "award", 5, note=note, key=key("order-2")), render=answer)
    with pytest.raises(ledger.TransactionLimitExceeded):
        till.award(5)


def test_replays_what_was_answered_and_not_what_holds_now(till: Till) -> None:
    first = ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=answer)
    till.redeem(7)
    again = ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=answer)
    assert again.answer is not None
    assert first.answer is not None
    assert again.answer.body == first.answer.body == b"10.00 points, now 10.00"


def test_settles_although_it_replays(till: Till) -> None:
    ledger.post(posting(till.account, "award", 10, expires_at=days(1), key=key("order-1")), render=answer)
    ledger.post(posting(till.account, "award", 10, expires_at=days(1), at=days(2), key=key("order-1")), render=answer)
    assert till.history() == [("award", 10), ("expire", -10)]


def test_refuses_the_key_for_another_request(till: Till) -> None:
    ledger.post(posting(till.account, "award", 10, key=key("order-1", body="ten")), render=answer)
    before = till.everything()
    with pytest.raises(errors.IdempotencyKeyReused):
        ledger.post(posting(till.account, "award", 11, key=key("order-1", body="eleven")), render=answer)
    assert till.everything() == before


def test_keeps_no_record_of_a_refusal(till: Till) -> None:
    with pytest.raises(ledger.InsufficientPoints):
        ledger.post(posting(till.account, "redeem", 10, key=key("order-1")), render=answer)
    assert not IdempotencyRecord.objects.filter(owner_id=till.account.id).exists()
    till.award(10)
    ledger.post(posting(till.account, "redeem", 10, key=key("order-1")), render=answer)
    assert till.balance == 0


def test_keeps_no_record_of_what_was_not_posted(till: Till) -> None:
    till.award(10)

    class Broken(Exception):
        pass

    def fail(_: ledger.Outcome) -> None:
        raise Broken

    before = till.everything()
    with pytest.raises(Broken):
        ledger.post(posting(till.account, "award", 5, key=key("order-1")), render=fail)
    with transaction.atomic():
        ledger.post(posting(till.account, "award", 5, key=key("order-2")), render=answer)
        transaction.set_rollback(True)
    assert till.everything() == before
    assert not IdempotencyRecord.objects.filter(owner_id=till.account.id).exists()


def test_keys_belong_to_the_account(till: Till) -> None:
    ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=answer)
    record = IdempotencyRecord.objects.get(owner_id=till.account.id)
    assert (record.key, record.status, record.body) == ("order-1", 201, "10.00 points, now 10.00")
    assert record.fingerprint == key("order-1").fingerprint


def test_posts_twice_without_a_key(till: Till) -> None:
    till.award(10)
    till.award(10)
    assert till.balance == 10 + 10


def test_refuses_a_key_under_which_nothing_would_be_kept(till: Till) -> None:
    asked = posting(till.account, "award", 10, key=key("order-1"))
    with pytest.raises(ValueError, match="repetition"):
        ledger.post(asked)
    with pytest.raises(ValueError, match="repetition"):
        ledger.post_many([asked])
    assert till.history() == []


def test_keeps_an_answer_of_any_text(till: Till) -> None:
    body = '{"reason": "Ürün \\u0000 “näide” 🎁"}'.encode()

    def told(_: ledger.Outcome) -> idempotency.Answer:
        return idempotency.Answer(status=201, body=body)

    ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=told)
    again = ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=told)
    assert again.answer is not None
    assert again.answer.body == body


# Postings that are named by their caller: the id says what the entry stands for


def test_posts_what_is_named_once(till: Till) -> None:
    name = ids.new_id()
    first = ledger.post(posting(till.account, "award", 10, entry_id=name, is_named=True))
    again = ledger.post(posting(till.account, "award", 10, entry_id=name, is_named=True))
    assert first.entry is not None
    assert (again.entry, again.earlier.id) == (None, name)
    assert till.history() == [("award", 10)]


def test_posts_what_is_named_once_in_a_batch(till: Till) -> None:
    name = ids.new_id()
    twice = [posting(till.account, "award", 10, entry_id=name, is_named=True) for _ in range(2)]
    outcomes = ledger.post_many([*twice, posting(till.account, "award", 1)])
    assert [outcome.entry is not None for outcome in outcomes] == [True, False, True]
    assert [outcome.earlier is not None for outcome in outcomes] == [False, True, False]
    assert till.balance == 10 + 1


def test_takes_a_clock_that_a_replay_brings_as_it_is(till: Till) -> None:
    late = datetime.timedelta(seconds=3)
    ledger.post(posting(till.account, "award", 10, at=days(1), key=key("order-1")), render=answer)
    ledger.post(posting(till.account, "award", 10, at=days(1) - late, key=key("order-1")), render=answer)
    assert till.row().effective_at == days(1)


def test_entries_and_record_are_written_by_one_transaction(till: Till) -> None:
    ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=answer)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT e.xmin = r.xmin FROM points_pointtransaction e, loyalty_idempotencyrecord r"
            " WHERE e.account_id = %(account)s AND r.owner_id = %(account)s",
            {"account": till.account.id},
        )
        assert cursor.fetchall() == [(True,)]
    assert PointTransaction.objects.filter(account_id=till.account.id).count() == 1
