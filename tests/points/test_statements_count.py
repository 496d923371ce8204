"""How many statements a posting sends, from BEGIN to COMMIT, both among them."""

import contextlib
import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cards.models import Card
from loyalty import idempotency
from loyalty.models import Program
from points import ledger
from points.models import AccountRef
from tests.factories import make_account, make_definition
from tests.points.till import NOON, Till, answer, days, key, posting

HOUR = datetime.timedelta(hours=1)


@contextlib.contextmanager
def at_most(count: int) -> Iterator[None]:
    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        yield
    # What is prepared, is once a connection.
    statements = [query["sql"] for query in queries.captured_queries if not query["sql"].startswith("PREPARE")]
    assert statements[0] == "BEGIN"
    assert statements[-1] == "COMMIT"
    assert len(statements) <= count, "\n".join(statement[:100] for statement in statements)


@pytest.fixture
def with_card(card: Card) -> ledger.Note:
    return ledger.Note(reason="Order", actor="till", card_id=card.pk)


@pytest.fixture
def till(till: Till) -> Till:
    """An account with points, and others that start on day 1 and end on day 2 and 3."""
    till.award(1000)
    till.award(1, valid_from=days(1), expires_at=days(2))
    till.award(1, expires_at=days(3))
    return till


def number_of_lots(till: Till, count: int) -> None:
    ledger.post_many([posting(till.account, "award", 1, expires_at=days(9 + n)) for n in range(count)])


@pytest.mark.parametrize("is_due", [False, True], ids=["nothing due", "something due"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
@pytest.mark.parametrize("kind", ["award", "adjust"])
def test_award_sends_at_most_six(till: Till, with_card: ledger.Note, kind: str, is_keyed: bool, is_due: bool) -> None:
    named = key("order-1") if is_keyed else None
    made = posting(till.account, kind, 10, key=named, at=days(2.5) if is_due else NOON, note=with_card)
    with at_most(6):
        ledger.post(made, render=answer)
    assert len(till.history()) == 4 + 2 * is_due


@pytest.mark.parametrize("is_due", [False, True], ids=["nothing due", "something due"])
@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
@pytest.mark.parametrize("lots", [1, 60, 500])
def test_redeem_sends_at_most_seven_whatever_the_number_of_lots(
    till: Till, with_card: ledger.Note, lots: int, is_keyed: bool, is_due: bool
) -> None:
    number_of_lots(till, lots)
    named = key("order-1") if is_keyed else None
    made = posting(till.account, "redeem", lots, key=named, at=days(2.5) if is_due else NOON, note=with_card)
    with at_most(7):
        ledger.post(made, render=answer)
    assert len(till.uses(till.entries()[-1])) >= lots


@pytest.mark.parametrize("is_keyed", [False, True], ids=["without key", "with key"])
def test_first_posting_sends_one_more(account: AccountRef, with_card: ledger.Note, is_keyed: bool) -> None:
    with at_most(7):
        ledger.post(
            posting(account, "award", 10, key=key("order-1") if is_keyed else None, note=with_card), render=answer
        )


def test_replay_sends_no_more(till: Till) -> None:
    ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=answer)
    with at_most(6):
        ledger.post(posting(till.account, "award", 10, key=key("order-1")), render=answer)


@pytest.mark.parametrize("accounts", [1, 50, 1000])
def test_bulk_of_a_thousand_sends_at_most_twelve(program: Program, accounts: int) -> None:
    definition = make_definition(program)
    refs = [make_account(program, definition) for _ in range(accounts)]
    awards = [posting(ref, "award", 100, expires_at=days(5)) for ref in refs]
    ledger.post_many(awards)
    ledger.post_many([posting(ref, "award", 1, valid_from=days(1)) for ref in refs])
    kinds = ["award", "redeem", "adjust"]
    items = [posting(refs[n % accounts], kinds[n % 3], 1, key=key(f"order-{n}"), at=days(1)) for n in range(1000)]
    asked = idempotency.Key(key=f"bulk-{accounts}", fingerprint="as asked")

    def work() -> idempotency.Answer:
        outcomes = ledger.post_many(items, render=answer)
        assert not any(outcome.refusal for outcome in outcomes)
        return idempotency.Answer(status=200, body=b"done")

    with at_most(12):
        idempotency.answer_once(owner_id=program.pk, key=asked, work=work)
    for n in range(1000, 2000):
        items[n - 1000] = posting(refs[n % accounts], kinds[n % 3], 1, key=key(f"order-{n}"), at=days(6))
    with at_most(12):
        ledger.post_many(items, render=answer)


def test_settling_many_accounts_sends_few(program: Program) -> None:
    definition = make_definition(program)
    refs = [make_account(program, definition) for _ in range(200)]
    ledger.post_many([posting(ref, "award", 10, expires_at=days(5)) for ref in refs])
    with at_most(6):
        ledger.settle(refs, at=days(5))
    assert {Till(ref).balance for ref in refs} == {0}


@pytest.mark.parametrize("is_due", [False, True], ids=["nothing due", "something due"])
def test_asks_for_no_holds_where_nothing_is_held(till: Till, is_due: bool) -> None:
    at = days(2.5) if is_due else NOON
    connection.ensure_connection()
    with CaptureQueriesContext(connection) as queries:
        award = till.award(10, at=at)
        till.reverse(award, 5, at=at)
        till.reverse(till.redeem(3, at=at), at=at)
        till.adjust(-1, at=at)
        till.expire(1, at=at)
        till.settle(at)
    assert len(queries) > 6 * 6
    assert [query["sql"] for query in queries.captured_queries if "points_hold" in query["sql"]] == []


def test_hold_sends_at_most_six_and_seven_where_there_are_others(till: Till) -> None:
    with at_most(6):
        till.post(ledger.hold, points=Decimal(5), lasts=HOUR)
    with at_most(7):
        till.post(ledger.hold, points=Decimal(5), lasts=HOUR)
    assert till.row().held == 10


@pytest.mark.parametrize("verb", [ledger.capture, ledger.release])
def test_resolving_a_hold_sends_at_most_seven(till: Till, verb: Callable) -> None:
    number_of_lots(till, 60)
    held = till.post(ledger.hold, points=Decimal(60), lasts=HOUR)
    with at_most(7):
        till.post(verb, hold_id=held.id)
    assert till.row().held == 0


def test_award_sends_at_most_eight_where_holds_have_lapsed(till: Till) -> None:
    for _ in range(3):
        till.post(ledger.hold, points=Decimal(5), lasts=HOUR)
    with at_most(8):
        till.award(1, at=NOON + HOUR)
    assert till.row().held == 0


def test_transfer_sends_at_most_six_and_four_more_where_an_account_is_new(program: Program, till: Till) -> None:
    program.transfers_enabled = True
    friend = Till(make_account(program, till.account.definition))
    send = partial(till.post, ledger.transfer, sender=till.account, receiver=friend.account, points=Decimal(5))
    with at_most(6 + 4):
        send()
    with at_most(6):
        send()
    assert friend.balance == 10
