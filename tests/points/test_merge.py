"""Two customers who are one person: all that one account has goes to the other, lot by lot."""

import cProfile
import dataclasses
import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import transaction

from loyalty import errors
from loyalty.models import Program
from points import ledger, moves, reviews, rules, statements
from points.models import AccountRef, Hold
from tests.factories import make_account, make_definition
from tests.points.test_tiers import give_tiers, on
from tests.points.till import NOON, NOTE, Till, answer, breaches, days, key, posting, some_id
from tiers.models import Tier, TierScheme

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def other(program: Program, till: Till) -> Till:
    return Till(make_account(program, till.account.definition))


def merge(old: Till, new: Till, *, at: datetime.datetime = NOON) -> None:
    with transaction.atomic():
        moves.merge(old=[old.account], new=[new.account], actor="till", at=at)


def test_brings_lots_anew_with_start_end_and_origin(program: Program, till: Till, other: Till) -> None:
    first = till.award(20, expires_at=days(10))
    second = till.award(100, valid_from=days(5), expires_at=days(20))
    till.redeem(5)
    other.award(7)
    merge(till, other)
    assert [(lot.origin_id, lot.points, lot.active_from, lot.expires_at) for lot in other.lots()[1:]] == [
        (first.id, 20 - 5, None, days(10)),
        (second.id, 100, days(5), days(20)),
    ]
    assert (till.balance, till.row().pending) == (0, 0)
    assert (other.balance, other.row().pending) == (7 + 15, 100)
    assert till.history()[-1] == ("merge", -115)
    assert other.history() == [("award", 7), ("merge", 115)]
    assert till.row().merged_into_id == other.account.id
    row = other.row()
    assert (row.lifetime_earned, row.lifetime_redeemed) == (7 + 20, 5)
    assert breaches(program) == set()


def test_brings_nothing_to_an_account_that_has_become_another(program: Program, till: Till, other: Till) -> None:
    till.award(20)
    other.award(5)
    merge(till, other)
    before = till.everything(), other.everything()
    for old, new in ((other, till), (till, other), (till, Till(make_account(program, till.account.definition)))):
        with pytest.raises(moves.AccountsOver):
            merge(old, new)
    with pytest.raises(moves.AccountsOver):
        forfeit(till.account)
    assert (till.everything(), other.everything()) == before
    forfeit(other.account)
    before = till.everything(), other.everything()
    with pytest.raises(moves.AccountsOver):
        merge(Till(make_account(program, till.account.definition)), other)
    with pytest.raises(moves.AccountsOver):
        forfeit(other.account)
    assert (till.everything(), other.everything()) == before


def test_posts_on_the_one_that_is_left(program: Program, till: Till, other: Till) -> None:
    till.award(20)
    merge(till, other)
    till.award(10)
    till.redeem(25)
    assert other.history() == [("merge", 20), ("award", 10), ("redeem", -25)]
    assert breaches(program) == set()


def test_follows_one_merge_after_another(program: Program, till: Till, other: Till) -> None:
    third = Till(make_account(program, till.account.definition))
    award = till.award(20)
    merge(till, other)
    merge(other, third)
    till.redeem(5)
    assert third.history() == [("merge", 20), ("redeem", -5)]
    third.award(7, expires_at=days(1))
    till.reverse(award, 15)
    assert third.history()[-1] == ("reverse", -15)
    assert third.left() == [0, 7]
    assert third.row().lifetime_earned == 5 + 7
    with pytest.raises(ledger.AlreadyReversed) as refusal:
        till.reverse(award, 6)
    assert refusal.value.facts["reversible_points"] == 5
    assert breaches(program) == set()


def test_undoes_an_old_award_with_the_lots_of_its_origin(program: Program, till: Till, other: Till) -> None:
    other.award(50, expires_at=days(1))
    award = till.award(20, expires_at=days(10))
    merge(till, other)
    till.reverse(award)
    assert other.left() == [50, 0]
    assert breaches(program) == set()


def test_gives_an_old_redemption_back_with_the_end_of_its_lots(program: Program, till: Till, other: Till) -> None:
    till.award(20, expires_at=days(10))
    till.award(20, expires_at=days(20))
    spent = till.redeem(30)
    till.reverse(spent, 4)
    merge(till, other)
    till.reverse(spent, 12)
    # The lot that ends on day 20 paid 10, of which 4 are back already.
    assert [(lot.points, lot.expires_at) for lot in other.lots()] == [
        (14, days(20)),
        (6, days(20)),
        (6, days(10)),
    ]
    till.reverse(spent)
    assert [(lot.points, lot.expires_at) for lot in other.lots()[3:]] == [(14, days(10))]
    assert (other.balance, other.row().lifetime_redeemed) == (40, 0)
    assert breaches(program) == set()


def test_expires_at_once_what_an_old_redemption_gives_back_too_late(program: Program, till: Till, other: Till) -> None:
    till.award(20, expires_at=days(10))
    spent = till.redeem(20)
    merge(till, other)
    till.reverse(spent, at=days(11))
    assert other.history() == [("merge", 0), ("reverse", 20), ("expire", -20)]
    assert breaches(program) == set()


def test_takes_holds_along_under_their_ids(program: Program, till: Till, other: Till) -> None:
    till.award(100, expires_at=days(10))
    outcome = ledger.hold(account=till.account, points=Decimal(60), lasts=HOUR, note=NOTE, at=NOON)
    assert outcome.hold is not None
    held = outcome.hold.id
    merge(till, other)
    assert (till.row().held, other.row().held, other.balance) == (0, 60, 40)
    assert (till.row().next_due_at, other.row().next_due_at) == (None, NOON + HOUR)
    assert breaches(program) == set()
    ledger.capture(account=till.account, hold_id=held, points=Decimal(45), note=NOTE, at=NOON)
    assert Hold.objects.get(account_id=other.account.id, id=held).status == "captured"
    assert Hold.objects.get(account_id=till.account.id, id=held).status == "moved"
    assert (other.row().held, other.balance, other.left()) == (0, 55, [55])
    assert breaches(program) == set()


@pytest.mark.parametrize("resolve", [ledger.capture, ledger.release])
def test_knows_holds_that_were_resolved_before(
    program: Program, till: Till, other: Till, resolve: Callable[..., ledger.Outcome]
) -> None:
    till.award(100)
    held = ledger.hold(account=till.account, points=Decimal(60), lasts=HOUR, note=NOTE, at=NOON).hold
    assert held is not None
    ledger.capture(account=till.account, hold_id=held.id, note=NOTE, at=NOON)
    merge(till, other)
    last = Till(make_account(program, till.account.definition))
    merge(other, last)
    before = last.everything()
    with pytest.raises(ledger.HoldResolved):
        resolve(account=till.account, hold_id=held.id, note=NOTE, at=NOON)
    # A stranger's it is not.
    with pytest.raises(ledger.HoldNotFound):
        resolve(account=make_account(program, till.account.definition), hold_id=held.id, note=NOTE, at=NOON)
    assert last.everything() == before


def test_takes_as_long_for_each_of_many_lots(program: Program) -> None:
    merging = {count: calls(two_with_lots(program, count, merge)) for count in (50, 400)}
    undoing = {count: calls(two_with_lots(program, count, undo)) for count in (50, 400)}
    for worked in (merging, undoing):
        assert worked[400] < 10 * worked[50], worked


def two_with_lots(program: Program, count: int, work: Callable[[Till, Till], object]) -> Callable[[], object]:
    """This will make two accounts of so many lots, and answer the work that is to be done with them."""
    till = Till(make_account(program))
    other = Till(make_account(program, till.account.definition))
    accounts = [till.account, other.account]
    ledger.post_many([posting(account, "award", 1) for account in accounts for _ in range(count)])
    till.redeem(count)
    return lambda: work(other, till)


def undo(_: Till, till: Till) -> object:
    return till.reverse(till.entries()[-1])


def calls(work: Callable[[], object]) -> int:
    """This will count the calls of a work, which on a busy machine are as many as on an idle one."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())


def test_takes_a_debt_along(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    other = Till(make_account(program, till.account.definition))
    till.adjust(-30)
    other.award(20)
    merge(till, other)
    assert (till.balance, other.balance, other.left()) == (0, -10, [0])
    assert breaches(program) == set()
    debt = till.entries()[0]
    till.reverse(debt)
    assert (other.balance, other.left()) == (20, [20])
    assert breaches(program) == set()


def test_pays_a_debt_with_what_comes(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    other = Till(make_account(program, till.account.definition))
    till.award(50)
    other.adjust(-30)
    merge(till, other)
    assert (other.balance, other.left()) == (20, [20])
    assert breaches(program) == set()


def test_answers_an_old_key_as_before(program: Program, till: Till, other: Till) -> None:
    [first] = ledger.post_many([posting(till.account, "award", 10, key=key("k"))], render=answer)
    merge(till, other)
    for account in (till.account, other.account):
        [again] = ledger.post_many([posting(account, "award", 10, key=key("k"))], render=answer)
        assert again.answer is not None
        assert again.answer.replayed
        assert again.answer.body == first.answer.body if first.answer else False
    assert other.balance == 10


def test_answers_each_of_two_who_used_one_key(program: Program, till: Till, other: Till) -> None:
    asked = [posting(one.account, "award", 10, key=key("k", body=one.account.id.hex)) for one in (till, other)]
    first = [ledger.post_many([one], render=answer)[0].answer for one in asked]
    merge(till, other)
    for one, expected in zip(asked, first, strict=True):
        assert expected is not None
        again = dataclasses.replace(one, account=other.account, entry_id=some_id())
        [outcome] = ledger.post_many([again], render=answer)
        assert outcome.answer == dataclasses.replace(expected, replayed=True)
    [refused] = ledger.post_many([posting(other.account, "award", 11, key=key("k"))], render=answer)
    assert isinstance(refused.refusal, errors.IdempotencyKeyReused)
    assert other.balance == 20


def test_keeps_the_higher_tier_until_its_end(program: Program) -> None:
    rules.give_defaults(program=program, by="test")
    Tier.objects.filter(program=program, code="silver").update(threshold=100)
    Tier.objects.filter(program=program, code="gold").update(threshold=150)
    rules.publish(program=program, by="test")
    definition = make_definition(program)
    till, other = Till(make_account(program, definition)), Till(make_account(program, definition))
    till.award(100)
    other.award(60)
    merge(till, other)
    told = statements.balance(account=other.account, at=NOON)
    assert told.progress is not None
    assert told.progress.rung is not None
    assert told.progress.rung.code == "gold"
    assert told.lifetime_earned == 160
    assert breaches(program) == set()
    earlier = statements.as_of(account=other.account, moment=NOON - HOUR)
    assert earlier.lifetime_earned == 0


def test_keeps_a_tier_that_the_points_of_both_do_not_reach(program: Program) -> None:
    give_tiers(program, at=on("2025-01-01"), basis="calendar")
    definition = make_definition(program)
    till, other = Till(make_account(program, definition)), Till(make_account(program, definition))
    till.award(600, at=on("2025-06-10"))
    other.award(10, at=on("2026-02-10"))
    merge(till, other, at=on("2026-03-10"))
    last, end = on("2026-12-31T23:59:59Z"), on("2027-01-01T00:00:00Z")
    tiers = [statements.balance(account=other.account, at=at).tier for at in (on("2026-03-10"), last, end)]
    assert [tier and tier.rung and tier.rung.code for tier in tiers] == ["silver", "silver", "bronze"]
    assert breaches(program) == set()


def test_brings_a_debt_to_an_account_that_may_have_none(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.adjust(-30)
    definition = till.account.definition
    definition.may_go_negative = False
    definition.save(update_fields=["may_go_negative"])
    other = Till(make_account(program, definition))
    other.award(20)
    merge(till, other)
    assert (other.balance, other.row().may_go_negative) == (-10, True)
    assert breaches(program) == set()


def test_tells_what_it_had_before_and_after(program: Program, till: Till, other: Till) -> None:
    till.award(100, at=days(0))
    till.redeem(30, at=days(1))
    other.award(5, at=days(1))
    merge(till, other, at=days(2))
    other.award(1, at=days(3))
    before = statements.as_of(account=other.account, moment=days(1))
    assert (before.balance, before.lifetime_earned, before.lifetime_redeemed) == (5, 5, 0)
    after = statements.as_of(account=other.account, moment=days(2))
    assert (after.balance, after.lifetime_earned, after.lifetime_redeemed) == (75, 105, 30)


def test_refuses_more_than_an_account_can_hold(program: Program, till: Till, other: Till) -> None:
    till.award(10**15 - 1)
    other.award(10**15 - 1)
    with pytest.raises(errors.InvalidPoints):
        merge(till, other)
    assert till.balance == other.balance == 10**15 - 1


def test_leaves_the_tier_of_an_account_that_is_over(program: Program) -> None:
    rules.give_defaults(program=program, by="test")
    TierScheme.objects.filter(program=program).update(basis="rolling", window_months=1)
    rules.publish(program=program, by="test")
    definition = make_definition(program)
    till, other = Till(make_account(program, definition)), Till(make_account(program, definition))
    till.award(600)
    merge(till, other)
    row = till.row()
    assert reviews.review(at=days(100), program=program).tier_changes == 1
    assert till.row().tier_id == row.tier_id
    assert other.row().tier_id != row.tier_id
    assert breaches(program) == set()


def forfeit(account: AccountRef) -> None:
    with transaction.atomic():
        moves.forfeit(accounts=[account], actor="till", at=NOON)


def test_forfeits_all_points_by_an_entry(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.award(100)
    till.award(50, valid_from=days(5))
    ledger.hold(account=till.account, points=Decimal(60), lasts=HOUR, note=NOTE, at=NOON)
    forfeit(till.account)
    assert till.history()[-2:] == [("release", 0), ("expire", -150)]
    row = till.row()
    assert (row.balance, row.pending, row.held, row.closed_at) == (0, 0, 0, NOON)
    assert breaches(program) == set()
    with pytest.raises(errors.NotFound):
        till.award(1)


def test_writes_off_what_is_owed(program: Program) -> None:
    till = Till(make_account(program, may_go_negative=True))
    till.adjust(-30)
    forfeit(till.account)
    assert till.history() == [("adjust", -30), ("adjust", 30)]
    assert till.balance == 0
    assert breaches(program) == set()


def test_erases_the_words_of_closed_accounts_alone(program: Program, till: Till) -> None:
    till.award(10)
    with pytest.raises(Exception, match="is not closed"), transaction.atomic():
        moves.erase_words(account_ids=[till.account.id], at=NOON)
    forfeit(till.account)
    with transaction.atomic():
        moves.erase_words(account_ids=[till.account.id], at=NOON)
    assert {entry.reason for entry in till.entries()} == {None}
    assert {entry.told_reason for entry in till.entries()} == {"Erased"}
    assert breaches(program) == set()
