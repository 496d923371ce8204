"""Each law is broken once, behind the ledger's back, and its breach must be named; all of it is rolled back."""

import contextlib
import uuid

import pytest
from django.db import connections

from loyalty.models import Program
from points.verify import DERIVED_ID, GUARDED, NAMES, verify
from tests.factories import CustomerFactory, make_account
from tests.points.damages import (
    account,
    accounts_breaking,
    damaged,
    entries,
    eventful,
    events,
    holds,
    last_change,
    lots,
    uses,
)
from tests.points.till import Till, breaches, days


@pytest.fixture
def till(program: Program) -> Till:
    return eventful(program)


@pytest.fixture
def bystander(program: Program, till: Till) -> Till:
    """Another account, which breaks nothing."""
    bystander = Till(make_account(program, till.account.definition))
    bystander.award(10)
    return bystander


DAMAGES = {
    DERIVED_ID: account("customer_id = %(other)s"),
    "versions are 1, 2, 3 … without a gap": entries("version = 26", "version = 25"),
    "an entry's balance before is what the one before it left": entries("balance_before = 71", "version = 3"),
    "an entry's points are what it changes": entries("points = -31", "version = 3"),
    "the account counts the entries that lists tell": account("listed = listed + 1"),
    "time never goes back": entries("effective_at = '2026-01-01'", "version = 5"),
    "points have the sign of what the entry does": entries("type = 'award'", "version = 3"),
    "only awards in advance, their start and their end change what is pending": entries(
        "pending_after = 41, balance_after = 69", "version = 3"
    ),
    "only holds and what becomes of them change what is held": entries(
        "held_after = 1, balance_after = 69", "version = 3"
    ),
    "a unit is reversed at most once": entries("shortfall = 21", "version = 5"),
    "a reversal undoes an entry of its account, or of one that was merged into it": entries(
        "reverses_id = %(other)s", "version = 17"
    ),
    "what one account gives, another gets": entries("type = 'merge', other_account_id = %(other)s", "version = 6"),
    "balance, pending and held are the sum of the entries' points": account(
        "balance = balance + 1, pending = pending + 1"
    ),
    "the account says what its newest entry says": account("effective_at = effective_at + interval '1 second'"),
    "the last activity is the last award or redemption": account("last_activity_at = '2026-03-02 12:00Z'"),
    "the balance is what the active lots hold, less the debt": account("balance = balance + 1, pending = pending - 1"),
    "what is pending is what the pending lots hold": account("balance = balance - 1, pending = pending + 1"),
    "debt and free points never exist together": uses("lot_id = NULL", 13),
    "what is held is what its holds have": holds("points = points - 1", "active"),
    "the lifetimes follow from the entries": account("lifetime_redeemed = lifetime_redeemed + 10"),
    "nothing starts or ends before the account is due": account("next_due_at = '2026-05-01 12:00:00.000001Z'"),
    "nothing is left of a lot, or of a hold, whose end has been settled": lots("remaining = 1", "version = 10"),
    "an account that is over has nothing, and stands for one of the same points": account("closed_at = now()"),
    "what is left of a lot is its points less its uses": lots("remaining = remaining - 1", "version = 8"),
    "an entry's points are what its lots brought, less what it used, and what went into holds": uses(
        "points = points + 1", 3
    ),
    "awards and positive adjustments bring a lot as they say, and nothing else does": lots(
        "expires_at = '2030-01-01Z'", "version = 1"
    ),
    "a lot of another account's points comes with an entry that names it": lots("version = 1", "version = 14"),
    "an entry that activates moves what the lots that it names hold": uses("points = 1", 4),
    "a lot pays between its start and its end": lots("active_from = '2026-03-02 12:00:00.000001Z'", "version = 1"),
    "the clock expires a lot at its end": lots("expires_at = '2026-03-13Z'", "version = 10"),
    "what is set aside of a lot is what its holds are pinned to": holds("pins = '[]'", "active"),
    "a hold was resolved by an entry that says how": holds("captured_points = 4", "captured"),
    "what an expiry uses is known for it": uses("is_expiry = FALSE", 11),
    "only adjustments, reversals and merges make a debt": uses("lot_id = NULL", 3),
    "what pays a debt makes it smaller by as much": uses("points = 29", 7, "pays_debt"),
    "what was earned by month adds up to all that was earned": account(
        """tallies = tallies || '{"earned/before": "1"}'"""
    ),
    "a month that is remembered is what the entries earned in it": account(
        """tallies = '{"earned/2026-03": "220", "earned/2026-02": "1"}'"""
    ),
    "the tier is the one that the newest change came to": account("tier_id = NULL"),
    "a change of tier goes on from the one before": last_change("from_tier_id = NULL"),
    "a change of tier comes with the entry that it names": last_change("entry_id = %(other)s"),
    "every row belongs to the programme of its account": entries("program_id = %(other)s", "version = 3"),
    "every use names an entry and a lot of its account": uses("lot_id = %(other)s", 3),
    "an event tells the entry of its number": events("subject_id = %(other)s", 3),
}


def test_finds_nothing_wrong_where_nothing_is(program: Program, till: Till) -> None:
    assert till.history()[3:6] == [("activate", 0), ("reverse", 10), ("adjust", -150)]
    assert till.history()[10] == ("expire", -60)
    assert breaches(program) == set()


def test_is_tried_with_a_breach_of_every_law() -> None:
    assert {*DAMAGES, GUARDED} == set(NAMES)


@pytest.mark.parametrize("law", DAMAGES)
def test_names_the_account_that_breaks_the_law(law: str, program: Program, till: Till, bystander: Till) -> None:
    someone_else = CustomerFactory(program=program)
    with damaged() as owner:
        owner.execute(DAMAGES[law], {"account": till.account.id, "other": someone_else.pk})
        assert owner.rowcount >= 1
        found = accounts_breaking(program)
    assert law in found
    assert {account for accounts in found.values() for account in accounts} == {till.account.id}


@pytest.mark.parametrize(
    ("law", "damage"),
    [
        (
            "a month that is remembered is what the entries earned in it",
            account("""tallies = '{"earned/before": "221"}'"""),
        ),
        ("a change of tier goes on from the one before", last_change("from_tier_id = to_tier_id")),
        ("a change of tier comes with the entry that it names", last_change("effective_at = '2030-01-01Z'")),
        ("the tier is the one that the newest change came to", last_change("effective_at = '2020-01-01Z'")),
        ("every row belongs to the programme of its account", last_change("program_id = %(other)s")),
        (
            "every row belongs to the programme of its account",
            "UPDATE tiers_tier SET program_id = (SELECT id FROM loyalty_program WHERE name = 'Elsewhere' LIMIT 1)"
            " WHERE id = (SELECT tier_id FROM points_pointaccount WHERE id = %(account)s)",
        ),
    ],
)
def test_sees_what_else_breaks_the_laws_of_tiers(law: str, damage: str, program: Program, till: Till) -> None:
    someone_else = CustomerFactory(program=program)
    Program.objects.create(slug=f"elsewhere-{uuid.uuid4().hex}", name="Elsewhere")
    with damaged() as owner:
        owner.execute(damage, {"account": till.account.id, "other": someone_else.pk})
        assert owner.rowcount == 1
        assert accounts_breaking(program)[law] == {till.account.id}


@pytest.mark.parametrize(
    ("law", "damage"),
    [
        ("points have the sign of what the entry does", entries("points = 1", "version = 18")),
        ("points have the sign of what the entry does", entries("points = -1", "version = 20")),
        ("points have the sign of what the entry does", entries("points = 0", "version = 14")),
        (
            "only holds and what becomes of them change what is held",
            entries("balance_after = balance_after + 1", "version = 18"),
        ),
        (
            "only holds and what becomes of them change what is held",
            entries("balance_after = balance_after + 1", "version = 20"),
        ),
        (
            "only holds and what becomes of them change what is held",
            entries("balance_after = balance_after + 1", "version = 23"),
        ),
        (
            "nothing starts or ends before the account is due",
            "UPDATE points_hold h SET expires_at = next_due_at - interval '1 microsecond' FROM points_pointaccount a"
            " WHERE a.id = %(account)s AND h.account_id = a.id AND h.status = 'active'",
        ),
        (
            "nothing is left of a lot, or of a hold, whose end has been settled",
            holds("expires_at = '2026-03-16 13:00Z'", "active"),
        ),
        ("a lot of another account's points comes with an entry that names it", lots("origin_id = id", "version = 1")),
        ("a lot pays between its start and its end", lots("expires_at = '2026-03-16 12:00Z'", "version = 14")),
        ("a hold was resolved by an entry that says how", holds("resolved_by_id = id", "captured")),
        ("a hold was resolved by an entry that says how", holds("resolved_by_id = id", "released")),
        ("a hold was resolved by an entry that says how", holds("resolved_by_id = id", "lapsed")),
        ("a hold was resolved by an entry that says how", holds("status = 'moved'", "lapsed")),
        ("the clock expires a lot at its end", lots("expires_at = '2026-03-12 11:59Z'", "version = 10")),
        ("every row belongs to the programme of its account", holds("program_id = account_id", "active")),
        (
            "every row belongs to the programme of its account",
            "UPDATE points_pointaccount SET program_id = (SELECT id FROM loyalty_program WHERE name = 'Elsewhere'"
            " LIMIT 1) WHERE id = (SELECT other_account_id FROM points_pointtransaction"
            " WHERE account_id = %(account)s AND version = 14)",
        ),
    ],
)
def test_sees_what_else_breaks_the_laws_of_holds_and_moves(law: str, damage: str, program: Program, till: Till) -> None:
    Program.objects.create(slug=f"elsewhere-{uuid.uuid4().hex}", name="Elsewhere")
    with damaged() as owner:
        owner.execute(damage, {"account": till.account.id})
        assert owner.rowcount == 1
        assert accounts_breaking(program)[law] == {till.account.id}


def test_sees_an_account_that_stands_for_none(program: Program, till: Till) -> None:
    law = "an account that is over has nothing, and stands for one of the same points"
    with damaged() as owner:
        owner.execute(
            "UPDATE points_pointaccount SET merged_into_id = %(other)s WHERE merged_into_id = %(account)s RETURNING id",
            {"account": till.account.id, "other": uuid.uuid4()},
        )
        [(over,)] = owner.fetchall()
        assert accounts_breaking(program)[law] == {over}


def test_asks_no_more_of_the_months_than_an_account_remembers(program: Program) -> None:
    till = Till(make_account(program))
    old = till.award(10, at=days(0))
    till.award(20, at=days(31))
    till.award(40, at=days(31 + 25 * 31))
    assert till.row().tallies == {"earned/before": "30", "earned/2028-05": "40"}
    till.reverse(old, 3, at=days(31 + 25 * 31))
    assert breaches(program) == set()


def test_checks_lots_that_end_by_inactivity(program: Program) -> None:
    till = Till(make_account(program, expiry_policy="inactivity", expiry_count=2))
    till.award(10)
    till.award(10, valid_from=days(20), at=days(10))
    till.adjust(10, at=days(30))
    assert till.row().next_due_at is not None
    assert breaches(program) == set()
    with damaged() as owner:
        # The first lot ends two months after the second award, on day 10: 12 May.
        owner.execute(account("next_due_at = '2026-05-12 12:00Z'"), {"account": till.account.id})
        assert accounts_breaking(program) == {}
        owner.execute(account("next_due_at = '2026-05-12 12:00:00.000001Z'"), {"account": till.account.id})
        assert "nothing starts or ends before the account is due" in accounts_breaking(program)


def test_finds_rows_without_an_account(program: Program, till: Till) -> None:
    nobody = uuid.uuid4()
    with damaged() as owner:
        owner.execute(lots("account_id = %(nobody)s", "version = 12"), {"account": till.account.id, "nobody": nobody})
        with contextlib.closing(verify(connections["owner"])) as found:
            broken = {(breach.law, breach.account_id) for breach in found}
    assert ("every row belongs to the programme of its account", nobody) in broken
    assert ("awards and positive adjustments bring a lot as they say, and nothing else does", nobody) in broken
