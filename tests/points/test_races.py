"""Many at once, with real threads and connections of their own."""

import contextlib
import io
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from cards.models import Card
from loyalty import errors, idempotency, ids
from loyalty.models import Program
from points import ledger, membership
from points.models import AccountRef, EntryType, PointAccount
from tests.factories import CardFactory, make_account, make_definition
from tests.points.threads import RACE_SECONDS, Waiting, at_once, times
from tests.points.till import NOON, Till, answer, days, key, posting

pytestmark = pytest.mark.usefixtures("without_limit", "without_deadlock")


# One account


def test_card_that_can_pay_for_five_pays_for_five(till: Till, card: Card) -> None:
    till.award(57)
    note = ledger.Note(reason="Order", actor="till", card_id=card.pk)
    outcomes = at_once(*times(20, lambda: till.redeem(10, at=days(1), note=note)))
    refusals = [outcome for outcome in outcomes if isinstance(outcome, errors.Refusal)]
    assert len(outcomes) - len(refusals) == 5
    assert {type(refusal) for refusal in refusals} == {ledger.InsufficientPoints}
    assert till.history() == [("award", 57)] + [("redeem", -10)] * 5
    assert till.balance == 57 - 5 * 10


def test_last_lots_are_spent_once(till: Till) -> None:
    for n in range(10):
        till.award(1, expires_at=days(5 + n))
    at_once(*times(20, lambda: till.redeem(1)))
    assert (till.balance, till.left()) == (0, [0] * 10)


def test_one_key_sent_twenty_times_at_once_posts_once(till: Till) -> None:
    till.award(10)
    one = partial(posting, till.account, "redeem", 10)
    outcomes = at_once(*times(20, lambda: ledger.post(one(key=key("order-1")), render=answer)))
    assert till.history() == [("award", 10), ("redeem", -10)]
    assert {(outcome.answer.status, outcome.answer.body) for outcome in outcomes} == {(201, b"-10.00 points, now 0.00")}
    assert Counter(outcome.answer.replayed for outcome in outcomes) == {False: 1, True: 19}


def test_one_key_on_a_new_account_posts_once(till: Till) -> None:
    one = partial(posting, till.account, "award", 10)
    outcomes = at_once(*times(20, lambda: ledger.post(one(key=key("order-1")), render=answer)))
    assert till.history() == [("award", 10)]
    assert len({outcome.answer.body for outcome in outcomes}) == 1
    assert Counter(outcome.answer.replayed for outcome in outcomes) == {False: 1, True: 19}


def test_one_key_of_a_batch_posts_once(program: Program, till: Till) -> None:
    ref = till.account
    asked = idempotency.Key(key="batch-1", fingerprint="as asked")

    def work() -> idempotency.Answer:
        outcomes = ledger.post_many([posting(ref, "award", 1), posting(ref, "award", 2)])
        return idempotency.Answer(status=200, body=str([outcome.balance for outcome in outcomes]).encode())

    answers = at_once(
        *times(20, lambda: idempotency.answer_once(owner_id=program.pk, key=asked, work=work)),
    )
    assert till.history() == [("award", 1), ("award", 2)]
    assert len({each.body for each in answers}) == 1
    assert Counter(each.replayed for each in answers) == {False: 1, True: 19}


def test_named_postings_post_once(till: Till) -> None:
    name = ids.new_id()
    one = partial(posting, till.account, "award", 10, entry_id=name, is_named=True)
    outcomes = at_once(*times(20, lambda: ledger.post(one())))
    assert till.history() == [("award", 10)]
    assert Counter(outcome.earlier is not None for outcome in outcomes) == {False: 1, True: 19}


def test_first_postings_make_one_account(till: Till) -> None:
    at_once(*times(20, lambda: till.award(1)))
    assert till.balance == 20
    assert till.row().version == 20


def test_limit_holds_across_threads(till: Till) -> None:
    till.account.program.transaction_limit = 100
    till.award(1)
    many = [[partial(till.award, 1) for _ in range(10)] for _ in range(20)]
    outcomes = at_once(*(partial(_one_after_another, works) for works in many))
    counted = Counter(kind for each in outcomes for kind in each)
    assert counted == {"posted": 100 - 1, "TRANSACTION_LIMIT_EXCEEDED": 200 - 99}
    assert till.balance == 100


def _one_after_another(works: list[Callable[[], Any]]) -> list[str]:
    done = []
    for work in works:
        try:
            work()
            done.append("posted")
        except errors.Refusal as refusal:
            done.append(refusal.code)
    return done


def test_a_unit_is_reversed_once(till: Till) -> None:
    award = till.award(100)
    redemption = till.redeem(60)
    outcomes = at_once(*times(8, lambda: till.reverse(redemption, 25)), *times(8, lambda: till.reverse(award, 9)))
    assert sum(isinstance(outcome, ledger.AlreadyReversed) for outcome in outcomes) >= 8 - 2
    assert sum(entry.points for entry in till.entries() if entry.reverses_id == redemption.id) == 50


def test_what_is_due_is_settled_once(till: Till) -> None:
    till.award(10, expires_at=days(1))
    till.award(10, valid_from=days(1))
    at_once(*times(5, lambda: till.settle(days(2))), *times(5, lambda: till.award(1, at=days(2))))
    assert Counter(kind for kind, _ in till.history()) == {"award": 2 + 5, "activate": 1, "expire": 1}
    assert till.balance == 10 + 5


# B waits for A


def test_sees_what_the_one_before_it_answered_under_the_same_key(till: Till) -> None:
    till.award(10)
    with transaction.atomic():
        first = ledger.post(posting(till.account, "redeem", 10, key=key("order-1")), render=answer)
        second = Waiting(lambda: ledger.post(posting(till.account, "redeem", 10, key=key("order-1")), render=answer))
    assert second.result().answer.replayed
    assert second.result().answer.body == first.answer.body
    assert till.history() == [("award", 10), ("redeem", -10)]


def test_sees_that_the_last_points_are_spent(till: Till) -> None:
    till.award(10)
    with transaction.atomic():
        till.redeem(10)
        second = Waiting(lambda: till.redeem(10))
    assert isinstance(second.result(), ledger.InsufficientPoints)
    assert second.result().facts == {"current_balance": 0, "requested_points": 10}
    assert till.history() == [("award", 10), ("redeem", -10)]


def test_sees_the_lots_that_were_made_and_spent_meanwhile(till: Till) -> None:
    till.award(10, expires_at=days(9))
    with transaction.atomic():
        till.redeem(7)
        till.award(20, expires_at=days(3))
        second = Waiting(lambda: till.redeem(22))
    assert till.uses(second.result()) == [(3, 20), (1, 2)]


def test_spends_what_was_awarded_after_it_read_the_clock(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=1))
    till.award(5)
    with transaction.atomic():
        till.award(20, at=days(1))
        second = Waiting(lambda: till.redeem(25, at=days(0.5)))
    assert second.result().effective_at == days(1)
    assert till.balance == 0


def test_sees_that_the_entry_was_reversed_meanwhile(till: Till) -> None:
    award = till.award(10)
    with transaction.atomic():
        till.reverse(award)
        second = Waiting(lambda: till.reverse(award))
    assert isinstance(second.result(), ledger.AlreadyReversed)


def test_goes_on_where_the_one_before_it_gave_up(till: Till) -> None:
    till.award(10)
    with transaction.atomic():
        ledger.post(posting(till.account, "redeem", 10, key=key("order-1")), render=answer)
        second = Waiting(lambda: ledger.post(posting(till.account, "redeem", 10, key=key("order-1")), render=answer))
        transaction.set_rollback(True)
    assert not second.result().answer.replayed
    assert till.history() == [("award", 10), ("redeem", -10)]


def test_first_posting_waits_for_the_one_that_makes_the_account(till: Till) -> None:
    with transaction.atomic():
        till.award(10)
        second = Waiting(lambda: till.redeem(4))
    assert second.result().balance_before == 10
    assert till.balance == 10 - 4


@pytest.mark.parametrize("is_first", [False, True], ids=["known account", "first posting"])
def test_posts_nothing_on_a_card_after_it_was_blocked(till: Till, card: Card, is_first: bool) -> None:
    note = ledger.Note(reason="Order", actor="till", card_id=card.pk)
    if not is_first:
        till.award(10)
    with transaction.atomic():
        membership.block(card=card, reason="Lost", note="", at=NOON)
        second = Waiting(lambda: till.award(5, note=note))
    assert isinstance(second.result(), ledger.CardBlocked)
    assert till.history() == [("award", 10)] * (not is_first)


@pytest.mark.parametrize("is_first", [False, True], ids=["known account", "first posting"])
def test_blocking_a_card_waits_for_what_is_being_posted(till: Till, card: Card, is_first: bool) -> None:
    note = ledger.Note(reason="Order", actor="till", card_id=card.pk)
    if not is_first:
        till.award(10)

    def block() -> Card:
        with transaction.atomic():
            return membership.block(card=card, reason="Lost", note="", at=NOON)

    with transaction.atomic():
        till.award(5, note=note)
        second = Waiting(block)
    assert second.result().status == "blocked"
    with pytest.raises(ledger.CardBlocked):
        till.award(5, note=note)


# Many accounts


def test_bulks_over_the_same_cards_in_random_order_never_deadlock(program: Program) -> None:
    definition = make_definition(program)
    refs = [make_account(program, definition) for _ in range(50)]
    cards = {ref.id: CardFactory(program=program, customer_id=ref.customer_id, customer=None).pk for ref in refs}
    until = time.monotonic() + RACE_SECONDS

    def work(seed: int) -> Counter[str]:
        dice = random.Random(seed)
        done: Counter[str] = Counter()
        while time.monotonic() < until:
            items = []
            for ref in dice.sample(refs, dice.randint(2, 50)):
                note = ledger.Note(reason="Order", actor=f"thread {seed}", card_id=cards[ref.id])
                kind = dice.choice(["award", "redeem", "adjust"])
                items.append(posting(ref, kind, dice.randint(1, 9), note=note, at=NOON))
            for outcome in ledger.post_many(items, is_atomic=dice.random() < 0.2):
                done["refused" if outcome.refusal else "posted" if outcome.entry else "rolled back"] += 1
        return done

    total = sum(at_once(*(partial(work, seed) for seed in range(8))), Counter())
    assert total["posted"] > 0
    rows = PointAccount.objects.filter(pk__in=[ref.id for ref in refs])
    assert sum(row.version for row in rows) == total["posted"]


def test_bulks_single_postings_blocks_and_settling_get_along(program: Program) -> None:
    definition = make_definition(program, expiry_policy="days", expiry_count=2)
    refs = [make_account(program, definition) for _ in range(12)]
    cards = [CardFactory(program=program, customer_id=ref.customer_id, customer=None) for ref in refs]
    until = time.monotonic() + RACE_SECONDS / 4

    def until_it_is_over(work: Callable[[random.Random], Any], seed: int) -> int:
        dice, rounds = random.Random(seed), 0
        while time.monotonic() < until:
            with contextlib.suppress(ledger.InsufficientPoints):
                work(dice)
            rounds += 1
        return rounds

    def moment() -> Any:
        return days((RACE_SECONDS / 4 - (until - time.monotonic())) * 4)

    def bulk(dice: random.Random) -> None:
        kinds = ["award", "redeem", "adjust"]
        ledger.post_many([posting(ref, dice.choice(kinds), 5, at=moment()) for ref in dice.sample(refs, 8)])

    def single(dice: random.Random) -> None:
        ledger.post(posting(dice.choice(refs), dice.choice(["award", "redeem"]), 3, at=moment()))

    def settle(dice: random.Random) -> None:
        ledger.settle(dice.sample(refs, 12), at=moment())

    def block(dice: random.Random) -> None:
        card = dice.choice(cards)
        with transaction.atomic():
            membership.block(card=card, reason="Lost", note="", at=moment())
        with transaction.atomic():
            membership.unblock(card=card, reason="Found", note="")

    works = [bulk, bulk, single, single, settle, block]
    rounds = at_once(*(partial(until_it_is_over, work, seed) for seed, work in enumerate(works)))
    assert all(rounds)


@pytest.mark.parametrize("are_new", [False, True], ids=["known accounts", "first postings"])
def test_bulk_takes_its_accounts_in_lock_order_whatever_its_own(program: Program, are_new: bool) -> None:
    definition = make_definition(program)
    for _ in range(4):
        first, *others, last = _in_lock_order([make_account(program, definition) for _ in range(5)])
        if not are_new:
            _award_one_each([first, *others, last])
        with transaction.atomic():
            _award_one_each([first])
            # It must hold none of the later ones while it waits for the first.
            bulk = Waiting(partial(_award_one_each, [last, *others, first]))
            _award_one_each([last])
        assert not isinstance(bulk.result(), errors.Refusal)


def _in_lock_order(refs: list[AccountRef]) -> list[AccountRef]:
    by_id = {ref.id: ref for ref in refs}
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM unnest(%s::uuid[]) AS a (id) ORDER BY uuid_hash(id), id", [list(by_id)])
        return [by_id[pk] for (pk,) in cursor.fetchall()]


def test_bulks_over_new_accounts_in_opposite_orders_never_deadlock(program: Program) -> None:
    definition = make_definition(program)
    for _ in range(15):
        refs = [make_account(program, definition) for _ in range(8)]
        known = refs[::3]
        ledger.post_many([posting(ref, "award", 1) for ref in known])
        orders = [refs, refs[::-1], refs[4:], refs[:5][::-1], [refs[0], refs[7]], refs[2:6]]
        outcomes = at_once(*(partial(_award_one_each, order) for order in orders))
        assert not any(isinstance(outcome, errors.Refusal) for outcome in outcomes)
        expected = Counter({ref.id: 1 for ref in known}) + Counter(ref.id for order in orders for ref in order)
        rows = PointAccount.objects.in_bulk([ref.id for ref in refs])
        assert {pk: row.balance for pk, row in rows.items()} == expected


def _award_one_each(refs: list[AccountRef]) -> None:
    ledger.post_many([posting(ref, "award", 1) for ref in refs])


def test_verifies_clean_while_others_post(program: Program) -> None:
    definition = make_definition(program)
    refs = [make_account(program, definition) for _ in range(10)]
    until = time.monotonic() + RACE_SECONDS / 4

    def post() -> None:
        dice = random.Random(uuid.uuid4().int)
        while time.monotonic() < until:
            types = [EntryType.AWARD, EntryType.REDEEM]
            ledger.post_many([posting(ref, dice.choice(types), Decimal(1)) for ref in refs])

    def check() -> int:
        checks = 0
        while time.monotonic() < until:
            call_command("verify_ledger", programme=program.slug, stdout=io.StringIO())
            checks += 1
        return checks

    assert at_once(post, post, check)[-1] > 0
