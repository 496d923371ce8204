"""Many postings in one transaction: as if they were done one after another, in the order given."""

from decimal import Decimal

import pytest

from cards.models import Card, Customer
from loyalty import errors
from loyalty.models import Program
from points import ledger
from points.models import AccountRef
from tests.factories import CardFactory, make_account, make_definition
from tests.points.till import Till, answer, breaches, days, key, posting


@pytest.fixture
def other(program: Program, account: AccountRef) -> Till:
    """Another customer's account."""
    return Till(make_account(program, account.definition))


def codes(outcomes: list[ledger.Outcome]) -> list[str | None]:
    return [outcome.refusal and outcome.refusal.code for outcome in outcomes]


def test_posts_one_after_another(program: Program, till: Till, other: Till) -> None:
    outcomes = ledger.post_many(
        [
            posting(till.account, "award", 100),
            posting(other.account, "award", 50),
            posting(till.account, "redeem", 30),
            posting(till.account, "adjust", -20),
            posting(other.account, "redeem", 50),
        ]
    )
    assert codes(outcomes) == [None] * 5
    assert [outcome.entry.balance_after for outcome in outcomes] == [100, 50, 70, 50, 0]
    assert [outcome.balance for outcome in outcomes] == [100, 50, 70, 50, 0]
    assert till.history() == [("award", 100), ("redeem", -30), ("adjust", -20)]
    assert other.history() == [("award", 50), ("redeem", -50)]
    assert breaches(program) == set()


def test_spends_what_the_same_batch_awards_and_no_more(till: Till) -> None:
    outcomes = ledger.post_many(
        [
            posting(till.account, "redeem", 10),
            posting(till.account, "award", 10),
            posting(till.account, "redeem", 10),
            posting(till.account, "redeem", 1),
        ]
    )
    assert codes(outcomes) == ["INSUFFICIENT_POINTS", None, None, "INSUFFICIENT_POINTS"]
    assert till.history() == [("award", 10), ("redeem", -10)]


def test_takes_lots_in_spending_order_across_the_batch(program: Program, till: Till) -> None:
    for n in range(30):
        till.award(2, expires_at=days(40 - n))
    redemptions = [posting(till.account, "redeem", 3) for _ in range(15)]
    batch = [*redemptions, posting(till.account, "award", 5, expires_at=days(1)), posting(till.account, "redeem", 6)]
    assert codes(ledger.post_many(batch)) == [None] * 17
    # 45 of the lots that end first, then the one that was made, then one more.
    assert till.left() == [2] * 7 + [0] * 23 + [0]
    assert breaches(program) == set()


def test_leaves_out_what_is_refused(program: Program, till: Till, other: Till) -> None:
    outcomes = ledger.post_many(
        [
            posting(till.account, "award", 10),
            posting(till.account, "award", "0.5"),
            posting(other.account, "redeem", 1),
            posting(till.account, "award", 5, expires_at=days(-1)),
            posting(till.account, "redeem", -1),
            posting(till.account, "adjust", 0),
            posting(till.account, "award", 1),
        ]
    )
    refused = ["INVALID_POINTS", "INSUFFICIENT_POINTS", "INVALID_PARAMETERS", "INVALID_POINTS", "INVALID_POINTS"]
    assert codes(outcomes) == [None, *refused, None]
    assert (till.history(), other.history()) == ([("award", 10), ("award", 1)], [])
    assert breaches(program) == set()


def test_posts_nothing_where_one_is_refused_and_all_or_none_was_asked(till: Till, other: Till) -> None:
    till.award(10)
    before = till.everything()
    outcomes = ledger.post_many(
        [
            posting(till.account, "award", 10, key=key("order-1")),
            posting(other.account, "redeem", 1),
            posting(other.account, "award", 1),
        ],
        is_atomic=True,
        render=answer,
    )
    assert codes(outcomes) == [None, "INSUFFICIENT_POINTS", None]
    assert [outcome.entry for outcome in outcomes] == [None] * 3
    assert (till.everything(), other.history()) == (before, [])
    # Nor is the key used up.
    outcome = ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=answer)
    assert outcome.answer is not None
    assert not outcome.answer.replayed


def test_posts_all_where_all_are_good(till: Till, other: Till) -> None:
    outcomes = ledger.post_many(
        [posting(till.account, "award", 10), posting(other.account, "award", 1)], is_atomic=True
    )
    assert codes(outcomes) == [None, None]
    assert (till.balance, other.balance) == (10, 1)


def test_settles_what_was_due_although_all_is_rolled_back(program: Program, till: Till, other: Till) -> None:
    till.award(10, expires_at=days(1))
    outcomes = ledger.post_many(
        [posting(till.account, "award", 5, at=days(2)), posting(other.account, "redeem", 1, at=days(2))], is_atomic=True
    )
    assert codes(outcomes) == [None, "INSUFFICIENT_POINTS"]
    assert till.history() == [("award", 10), ("expire", -10)]
    assert breaches(program) == set()


def test_writes_nothing_when_it_is_only_tried(till: Till, other: Till) -> None:
    till.award(10, expires_at=days(1))
    before = till.everything()
    outcomes = ledger.post_many(
        [
            posting(till.account, "award", 5, at=days(2), key=key("order-1")),
            posting(till.account, "redeem", 5, at=days(2)),
            posting(till.account, "redeem", 1, at=days(2)),
            posting(other.account, "award", 1, at=days(2)),
        ],
        is_trial=True,
        render=answer,
    )
    assert codes(outcomes) == [None, None, "INSUFFICIENT_POINTS", None]
    assert till.everything() == before
    assert other.rows() == []
    assert ledger.post(posting(till.account, "award", 5, key=key("order-1")), render=answer).entry is not None


def test_writes_nothing_when_a_reversal_or_expiry_is_only_tried(till: Till) -> None:
    award = till.award(10, expires_at=days(9))
    till.award(10, expires_at=days(1))
    before = till.everything()
    outcomes = ledger.post_many(
        [
            posting(till.account, "reverse", 1, at=days(2), reverses_id=award.id),
            posting(till.account, "expire", None, at=days(2), expires_before=days(10)),
        ],
        is_trial=True,
    )
    assert [outcome.entry.points for outcome in outcomes] == [-1, -9]
    assert till.everything() == before


def test_goes_on_through_time_in_the_order_given(program: Program, till: Till) -> None:
    outcomes = ledger.post_many(
        [
            posting(till.account, "award", 10, expires_at=days(5)),
            posting(till.account, "award", 20, at=days(3), valid_from=days(4)),
            posting(till.account, "redeem", 25, at=days(4)),
            posting(till.account, "redeem", 5, at=days(5)),
            posting(till.account, "redeem", 1, at=days(3)),
        ]
    )
    assert codes(outcomes) == [None, None, None, None, "INSUFFICIENT_POINTS"]
    assert till.history() == [("award", 10), ("award", 20), ("activate", 0), ("redeem", -25), ("redeem", -5)]
    assert breaches(program) == set()


def test_expires_in_the_middle_of_a_batch(program: Program, till: Till) -> None:
    for n in range(5):
        till.award(10, expires_at=days(10 + n))
    batch = [posting(till.account, "redeem", 7, at=days(8 + n)) for n in range(8)]
    outcomes = ledger.post_many(batch)
    assert codes(outcomes)[-1] == "INSUFFICIENT_POINTS"
    assert sum(points for kind, points in till.history() if kind == "expire") == -(50 - 7 * (len(batch) - 2))
    assert breaches(program) == set()


def test_spends_lots_by_inactivity_as_one_by_one(program: Program) -> None:
    definition = make_definition(program, expiry_policy="inactivity", expiry_count=2)
    one, many = Till(make_account(program, definition)), Till(make_account(program, definition))
    for till in (one, many):
        till.award(30, valid_from=days(10))
        for day in range(1, 6):
            till.adjust(5, at=days(day))
        till.settle(days(10))
    kinds = [("adjust", -7), ("award", 4), ("redeem", 8), ("adjust", 3), ("adjust", -9), ("redeem", 11)]
    for kind, points in kinds:
        ledger.post(posting(one.account, kind, points, at=days(11)))
    ledger.post_many([posting(many.account, kind, points, at=days(11)) for kind, points in kinds])
    assert many.left() == one.left()
    assert [many.uses(entry) for entry in many.entries()] == [one.uses(entry) for entry in one.entries()]
    assert breaches(program) == set()


def test_replays_an_item_by_its_key(till: Till) -> None:
    items = [posting(till.account, "award", 10, key=key("order-1")), posting(till.account, "award", 5)]
    first = ledger.post_many(items, render=answer)
    again = ledger.post_many([posting(till.account, "award", 10, key=key("order-1"))], render=answer)
    assert [outcome.answer and outcome.answer.replayed for outcome in [*first, *again]] == [False, False, True]
    assert again[0].answer.body == first[0].answer.body
    assert till.balance == 10 + 5


def test_replays_the_first_of_two_with_one_key(till: Till) -> None:
    items = [posting(till.account, "award", 10, key=key("order-1")) for _ in range(2)]
    items.append(posting(till.account, "award", 11, key=key("order-1", body="another")))
    outcomes = ledger.post_many(items, render=answer)
    assert codes(outcomes) == [None, None, "IDEMPOTENCY_KEY_REUSED"]
    assert outcomes[1].answer.replayed
    assert outcomes[1].answer.body == outcomes[0].answer.body
    assert till.history() == [("award", 10)]


def test_one_key_on_two_accounts_is_two_keys(till: Till, other: Till) -> None:
    items = [posting(each.account, "award", 10, key=key("order-1")) for each in (till, other)]
    assert [outcome.answer.replayed for outcome in ledger.post_many(items, render=answer)] == [False, False]
    assert (till.balance, other.balance) == (10, 10)


def test_a_refused_item_may_be_sent_again_under_its_key(till: Till) -> None:
    spend = posting(till.account, "redeem", 10, key=key("order-1"))
    assert codes(ledger.post_many([spend], render=answer)) == ["INSUFFICIENT_POINTS"]
    till.award(10)
    again = posting(till.account, "redeem", 10, key=key("order-1"))
    assert codes(ledger.post_many([again], render=answer)) == [None]
    assert till.balance == 0


def test_asks_each_items_card(till: Till, customer: Customer, card: Card) -> None:
    blocked = CardFactory(customer=customer, status="blocked")
    notes = [ledger.Note(reason="Order", actor="till", card_id=each.pk) for each in (card, blocked)]
    outcomes = ledger.post_many(
        [
            posting(till.account, "award", 1, note=notes[0]),
            posting(till.account, "award", 10, note=notes[1]),
            posting(till.account, "adjust", 100, note=notes[1]),
            posting(till.account, "redeem", 1, note=notes[1]),
        ]
    )
    assert codes(outcomes) == [None, "CARD_BLOCKED", None, "CARD_BLOCKED"]
    assert till.balance == 1 + 100


def test_does_not_count_towards_the_limit(program: Program, till: Till) -> None:
    program.transaction_limit = 2
    program.save(update_fields=["transaction_limit"])
    assert codes(ledger.post_many([posting(till.account, "award", 1) for _ in range(5)])) == [None] * 5
    till.award(1)
    till.award(1)
    with pytest.raises(ledger.TransactionLimitExceeded):
        till.award(1)
    assert codes(ledger.post_many([posting(till.account, "award", 1)])) == [None]


def test_pays_a_debt_as_one_by_one(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    outcomes = ledger.post_many(
        [
            posting(till.account, "adjust", -10),
            posting(till.account, "award", 4),
            posting(till.account, "redeem", 1),
            posting(till.account, "award", 10),
        ]
    )
    assert codes(outcomes) == [None, None, "INSUFFICIENT_POINTS", None]
    assert (till.balance, till.left()) == (Decimal(4), [0, 4])
    assert breaches(program) == set()


@pytest.mark.parametrize("kind", ["reverse", "expire"])
def test_refuses_all_or_none_of_what_it_could_not_undo(till: Till, kind: str) -> None:
    award = till.award(10)
    item = posting(till.account, kind, 1, reverses_id=award.id if kind == "reverse" else None)
    with pytest.raises(ValueError, match="atomic"):
        ledger.post_many([item], is_atomic=True)
    assert till.history() == [("award", 10)]


def test_answers_nothing_for_nothing() -> None:
    assert ledger.post_many([]) == []


def test_refuses_nothing_by_an_exception(till: Till) -> None:
    try:
        [outcome] = ledger.post_many([posting(till.account, "redeem", 1)])
    except errors.Refusal:
        pytest.fail("a refused item is an outcome")
    assert outcome.refusal is not None
