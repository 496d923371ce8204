import datetime
from decimal import Decimal

import pytest

from cards.models import Card
from loyalty import errors
from loyalty.models import Program
from points import ledger
from points.models import AccountRef, PointAccount, PointDefinition, PointTransaction
from tests.factories import CardFactory, make_account, make_definition
from tests.points.till import DAY, NOON, NOTE, Till, breaches, days


def test_adds_points(program: Program, till: Till) -> None:
    till.award(100)
    entry = till.award(50)
    assert (entry.type, entry.points) == ("award", 50)
    assert (entry.balance_before, entry.balance_after, entry.pending_after) == (100, 100 + 50, 0)
    assert till.balance == 100 + 50
    assert till.row().lifetime_earned == 100 + 50
    assert breaches(program) == set()


def test_answers_the_entry_as_it_is_stored(till: Till, card: Card) -> None:
    note = ledger.Note(
        reason="Order reward",
        actor="key_1",
        reference="order_77",
        staff_member="Bob",
        metadata={"order_total": 50.0, "lines": [1, "näide"], "gift": None},
        card_id=card.pk,
        transaction_date=days(-3),
    )
    entry = till.award(100, note=note)
    [stored] = till.entries()
    for field in PointTransaction._meta.concrete_fields:
        if field.name != "xid":
            assert getattr(entry, field.attname) == getattr(stored, field.attname), field.name
    assert (stored.reason, stored.actor, stored.reference, stored.staff_member) == (
        "Order reward",
        "key_1",
        "order_77",
        "Bob",
    )
    assert stored.metadata == {"order_total": 50.0, "lines": [1, "näide"], "gift": None}
    assert (stored.card_id, stored.transaction_date, stored.effective_at) == (card.pk, days(-3), NOON)


def test_makes_the_account_once(till: Till, account: AccountRef) -> None:
    assert not till.rows()
    till.award(1)
    till.award(1)
    row = till.row()
    assert row.id == PointAccount.id_for(account.customer_id, account.definition.pk)
    assert (row.version, row.customer_id, row.definition_id) == (2, account.customer_id, account.definition.pk)


def test_keeps_accounts_of_two_definitions_apart(program: Program, account: AccountRef) -> None:
    other = AccountRef(program=program, definition=make_definition(program), customer_id=account.customer_id)
    Till(account).award(10)
    Till(other).award(3)
    assert (Till(account).balance, Till(other).balance) == (10, 3)


def test_expires_as_the_definition_says(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="months", expiry_count=12))
    entry = till.award(10)
    assert entry.expires_at == datetime.datetime(2027, 3, 2, 12, tzinfo=datetime.UTC)
    assert till.lots()[0].expires_at == entry.expires_at


def test_expires_as_the_caller_says(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="months", expiry_count=12))
    assert till.award(10, expires_at=days(3)).expires_at == days(3)


def test_never_expires_where_the_definition_says_so(till: Till) -> None:
    assert till.award(10).expires_at is None
    till.settle(days(300_000))
    assert till.balance == 10


def test_takes_its_policy_from_the_day_it_was_made(program: Program) -> None:
    definition = make_definition(program, expiry_policy="days", expiry_count=10, clawback="to_zero")
    till = Till(make_account(program, definition))
    till.award(10)
    PointDefinition.objects.filter(pk=definition.pk).update(expiry_count=20, clawback="refuse")
    definition.refresh_from_db()
    till.award(10)
    assert [lot.expires_at for lot in till.lots()] == [days(10), days(20)]
    assert [lot.clawback for lot in till.lots()] == ["to_zero", "refuse"]


def test_makes_points_pending_until_they_are_valid(program: Program, till: Till) -> None:
    entry = till.award(100, valid_from=days(3))
    assert (entry.balance_after, entry.pending_after, entry.valid_from) == (0, 100, days(3))
    assert (till.balance, till.row().pending, till.row().lifetime_earned) == (0, 100, 0)
    till.award(1, at=days(3) - datetime.timedelta(microseconds=1))
    assert (till.balance, till.row().pending) == (1, 100)
    till.award(1, at=days(3))
    assert (till.balance, till.row().pending, till.row().lifetime_earned) == (1 + 100 + 1, 0, 1 + 100 + 1)
    assert till.history() == [("award", 100), ("award", 1), ("activate", 0), ("award", 1)]
    assert breaches(program) == set()


@pytest.mark.parametrize("valid_from", [days(-1), NOON])
def test_takes_a_start_in_the_past_for_now(till: Till, valid_from: datetime.datetime) -> None:
    entry = till.award(100, valid_from=valid_from)
    assert (entry.valid_from, entry.balance_after) == (None, 100)


def test_counts_the_policy_from_the_start(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="days", expiry_count=10))
    assert till.award(100, valid_from=days(3)).expires_at == days(13)


@pytest.mark.parametrize(
    "dates",
    [
        {"expires_at": NOON},
        {"expires_at": days(-1)},
        {"expires_at": days(3), "valid_from": days(3)},
        {"expires_at": days(2), "valid_from": days(3)},
    ],
)
def test_refuses_points_that_end_before_they_start(till: Till, dates: dict) -> None:
    till.award(5)
    before = till.everything()
    with pytest.raises(errors.InvalidParameters) as refused:
        till.award(100, **dates)
    assert refused.value.facts["field"] == "expires_at"
    assert till.everything() == before


def test_refuses_an_end_beyond_the_calendar(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="months", expiry_count=1200))
    with pytest.raises(errors.InvalidParameters):
        till.award(1, valid_from=datetime.datetime(9990, 1, 1, tzinfo=datetime.UTC))
    assert till.history() == []


@pytest.mark.parametrize("points", ["0", "-1", "0.5", "1000000000000000", "1e30", "-1e30"])
def test_refuses_an_amount_that_is_none(till: Till, points: str) -> None:
    till.award(5)
    before = till.everything()
    with pytest.raises(errors.InvalidPoints):
        till.award(points)
    assert till.everything() == before


def test_takes_fifteen_digits_in_all_and_no_more(till: Till) -> None:
    till.award("999999999999998")
    till.award(1)
    before = till.everything()
    with pytest.raises(errors.InvalidPoints):
        till.award(1)
    assert till.everything() == before
    till.redeem("999999999999999")
    # What was ever earned has a place in the answers as well.
    with pytest.raises(errors.InvalidPoints):
        till.award(1)


def test_counts_exactly_where_floats_would_not(program: Program) -> None:
    till = Till(make_account(program, decimal_places=2))
    for _ in range(3):
        till.award("0.10")
    assert till.balance == Decimal("0.30")
    till.award("9999999999999.69")
    assert till.balance == Decimal("9999999999999.99")
    with pytest.raises(errors.InvalidPoints):
        till.award("0.001")


def test_takes_effect_no_earlier_than_the_entry_before_it(till: Till) -> None:
    till.award(10, at=days(5))
    entry = till.award(10, at=NOON)
    assert entry.effective_at == days(5)
    assert till.award(10, at=NOON, valid_from=days(4)).valid_from is None


def test_is_refused_on_a_card_that_does_not_earn(till: Till, card: Card, customer) -> None:
    refusals = [
        ({"status": "blocked"}, ledger.CardBlocked),
        ({"status": "inactive"}, ledger.CardInactive),
        ({"expires_at": NOON}, ledger.CardExpired),
    ]
    for values, refusal in refusals:
        other = CardFactory(customer=customer, **values)
        with pytest.raises(refusal) as refused:
            till.award(10, note=ledger.Note(reason="Order", actor="till", card_id=other.pk))
        assert refused.value.facts == {"card_id": f"card_{other.pk.hex}"}
    assert till.history() == []
    valid = CardFactory(customer=customer, expires_at=NOON + DAY)
    till.award(10, note=ledger.Note(reason="Order", actor="till", card_id=valid.pk))
    assert till.balance == 10


def test_settles_what_was_due_although_it_is_refused(program: Program, till: Till) -> None:
    till.award(100, expires_at=days(3))
    with pytest.raises(errors.InvalidPoints):
        till.award("0.5", at=days(4))
    assert till.history() == [("award", 100), ("expire", -100)]
    assert till.balance == 0


def test_posts_nothing_that_a_caller_could_not_explain(till: Till) -> None:
    entry = till.award(1, note=NOTE)
    assert entry.reason == "Order reward"
    assert (entry.reference, entry.staff_member, entry.metadata, entry.card_id) == (None, None, None, None)
