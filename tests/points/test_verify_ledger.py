"""Each law is broken once, behind the ledger's back, and its breach must be named; all of it is rolled back."""

import contextlib
import io
import uuid
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction

from loyalty.models import Program
from points import rules
from points.models import PointAccount
from points.verify import CONSTRAINTS, DERIVED_ID, GUARDED, NAMES, TRIGGERS, Breach, verify
from tests.factories import CustomerFactory, make_account
from tests.points.till import Till, breaches, days
from tiers.models import Tier

TABLES = ["points_pointaccount", "points_pointtransaction", "points_pointlot", "points_lotuse", "points_tierchange"]


@pytest.fixture
def till(program: Program) -> Till:
    """An account on which everything has happened. The comments number the entries. Silver is reached by 150 points,
    with entry 10; Gold by 210, with entry 12."""
    rules.give_defaults(program=program, by="test")
    for code, threshold in (("silver", 150), ("gold", 100 + 40 + 60 + 10)):
        Tier.objects.filter(program=program, code=code).update(threshold=threshold)
    rules.publish(program=program, by="test")
    till = Till(make_account(program, may_go_negative=True))
    till.award(100)  # 1
    till.award(40, valid_from=days(3), expires_at=days(30))  # 2
    redemption = till.redeem(30)  # 3
    till.reverse(redemption, 10, at=days(4))  # 4 activates, 5
    till.adjust(-150, at=days(4))  # 6 leaves a debt of 30
    till.adjust(50, at=days(5))  # 7 pays it
    in_advance = till.award(25, valid_from=days(60), at=days(5))  # 8
    till.reverse(in_advance, 5, at=days(5))  # 9
    till.award(60, expires_at=days(10), at=days(6))  # 10
    till.award(10, at=days(11))  # 11 expires, 12
    till.expire(3, at=days(12))  # 13
    assert till.balance == 100 - 30 + 10 + 40 - 150 + 50 + 60 - 60 + 10 - 3
    assert till.row().pending == 25 - 5
    return till


@pytest.fixture
def bystander(program: Program, till: Till) -> Till:
    """Another account, which breaks nothing."""
    bystander = Till(make_account(program, till.account.definition))
    bystander.award(10)
    return bystander


def update(table: str, change: str, which: str) -> str:
    owner = "id" if table == "account" else "account_id"
    return f"UPDATE points_{table} SET {change} WHERE {owner} = %(account)s AND {which}"


def entries(change: str, which: str) -> str:
    return update("pointtransaction", change, which)


def lots(change: str, which: str) -> str:
    return update("pointlot", change, which)


def uses(change: str, version: int, which: str = "TRUE") -> str:
    entry = f"(SELECT id FROM points_pointtransaction WHERE account_id = %(account)s AND version = {version})"
    return update("lotuse", change, f"entry_id = {entry} AND {which}")


def last_change(change: str) -> str:
    gold = "(SELECT id FROM tiers_tier WHERE code = 'gold')"
    return update("tierchange", change, f"to_tier_id IN {gold}")


def account(change: str) -> str:
    return f"UPDATE points_pointaccount SET {change} WHERE id = %(account)s"


DAMAGES = {
    DERIVED_ID: account("customer_id = %(other)s"),
    "versions are 1, 2, 3 … without a gap": entries("version = 14", "version = 13"),
    "an entry's balance before is what the one before it left": entries("balance_before = 71", "version = 3"),
    "an entry's points are what it changes": entries("points = -31", "version = 3"),
    "the account counts the entries that lists tell": account("listed = listed + 1"),
    "time never goes back": entries("effective_at = '2026-01-01'", "version = 5"),
    "points have the sign of what the entry does": entries("type = 'award'", "version = 3"),
    "only awards in advance, their start and their reversal change what is pending": entries(
        "pending_after = 41, balance_after = 69", "version = 3"
    ),
    "a unit is reversed at most once": entries("shortfall = 21", "version = 5"),
    "balance and pending are the sum of the entries' points": account("balance = balance + 1, pending = pending + 1"),
    "the account says what its newest entry says": account("effective_at = effective_at + interval '1 second'"),
    "the last activity is the last award or redemption": account("last_activity_at = '2026-03-02 12:00Z'"),
    "the balance is what the active lots hold, less the debt": account("balance = balance + 1, pending = pending - 1"),
    "what is pending is what the pending lots hold": account("balance = balance - 1, pending = pending + 1"),
    "debt and free points never exist together": uses("lot_id = NULL", 13),
    "the lifetimes follow from the entries": account("lifetime_redeemed = lifetime_redeemed + 10"),
    "nothing starts or ends before the account is due": account("next_due_at = '2026-05-01 12:00:00.000001Z'"),
    "nothing is left of a lot whose end has been settled": lots("remaining = 1", "version = 10"),
    "what is left of a lot is its points less its uses": lots("remaining = remaining - 1", "version = 8"),
    "an entry's points are what its lot brought, less what it used": uses("points = points + 1", 3),
    "awards and positive adjustments bring a lot as they say, and nothing else does": lots(
        "expires_at = '2030-01-01Z'", "version = 1"
    ),
    "an entry that activates moves what the lots that it names hold": uses("points = 1", 4),
    "a lot pays between its start and its end": lots("active_from = '2026-03-02 12:00:00.000001Z'", "version = 1"),
    "the clock expires a lot at its end": lots("expires_at = '2026-03-13Z'", "version = 10"),
    "what an expiry uses is known for it": uses("is_expiry = FALSE", 11),
    "only adjustments and reversals make a debt": uses("lot_id = NULL", 3),
    "what pays a debt makes it smaller by as much": uses("points = 29", 7, "pays_debt"),
    "what was earned by month adds up to all that was earned": account(
        """tallies = tallies || '{"earned/before": "1"}'"""
    ),
    "a month that is remembered is what the entries earned in it": account(
        """tallies = '{"earned/2026-03": "209", "earned/2026-02": "1"}'"""
    ),
    "the tier is the one that the newest change came to": account("tier_id = NULL"),
    "a change of tier goes on from the one before": last_change("from_tier_id = NULL"),
    "a change of tier comes with the entry that it names": last_change("entry_id = %(other)s"),
    "every row belongs to the programme of its account": entries("program_id = %(other)s", "version = 3"),
    "every use names an entry and a lot of its account": uses("lot_id = %(other)s", 3),
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
            account("""tallies = '{"earned/before": "210"}'"""),
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


def test_looks_at_one_programme_where_it_is_named(program: Program, till: Till) -> None:
    other = Program.objects.create(slug=f"other-{uuid.uuid4().hex}", name="Other")
    with damaged() as owner:
        owner.execute(account("lifetime_expired = 0"), {"account": till.account.id})
        assert accounts_breaking(other) == {}
        assert accounts_breaking(program) != {}


@pytest.mark.parametrize(
    ("damage", "guard"),
    [
        ("ALTER TABLE points_pointtransaction DISABLE TRIGGER entries_never_change", "entries_never_change"),
        ("ALTER TABLE points_lotuse ENABLE REPLICA TRIGGER uses_never_change", "uses_never_change"),
        ("DROP TRIGGER entries_follow_on ON points_pointtransaction", "entries_follow_on"),
        (
            "ALTER TABLE points_pointaccount DROP CONSTRAINT account_balance_not_negative",
            "account_balance_not_negative",
        ),
        (
            "ALTER TABLE points_lotuse DROP CONSTRAINT use_belongs_to_an_entry, ADD CONSTRAINT use_belongs_to_an_entry"
            " FOREIGN KEY (account_id, entry_id) REFERENCES points_pointtransaction (account_id, id) NOT VALID",
            "use_belongs_to_an_entry",
        ),
    ],
)
def test_names_a_guard_that_is_missing(damage: str, guard: str, program: Program) -> None:
    with rolled_back() as owner:
        owner.execute(damage)
        assert list(verify(connections["owner"], program=program)) == [Breach(GUARDED, guard=guard)]


def test_knows_every_guard_that_the_migrations_make() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = ANY(%s::regclass[]) AND NOT tgisinternal", [TABLES]
        )
        assert {name for (name,) in cursor.fetchall()} == TRIGGERS
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = ANY(%s::regclass[]) AND contype <> 'n'", [TABLES]
        )
        made = {name for (name,) in cursor.fetchall()}
        cursor.execute(
            "SELECT indexrelid::regclass::text FROM pg_index"
            " WHERE indrelid = ANY(%s::regclass[]) AND indisunique AND indpred IS NOT NULL",
            [TABLES],
        )
        made |= {name for (name,) in cursor.fetchall()}
    # Django names its own foreign keys and checks of sizes after table and column.
    assert {name for name in made if not name.endswith(("_check",)) and "_fk_" not in name} == CONSTRAINTS


def test_command_says_how_much_it_checked(program: Program, till: Till, bystander: Till) -> None:
    out = io.StringIO()
    call_command("verify_ledger", programme=program.slug, stdout=out)
    assert out.getvalue() == f"Checked {len(NAMES)} laws on 2 accounts, 14 entries, 7 lots and 11 uses.\n"


def test_command_checks_the_whole_database(till: Till) -> None:
    out = io.StringIO()
    call_command("verify_ledger", stdout=out)
    assert out.getvalue().startswith(f"Checked {len(NAMES)} laws on ")


def test_command_fails_and_names_the_account(program: Program, till: Till) -> None:
    out = io.StringIO()
    this = PointAccount.objects.filter(pk=till.account.id)
    this.update(lifetime_expired=64)
    try:
        with pytest.raises(CommandError, match="1 breaches") as failure:
            call_command("verify_ledger", programme=program.slug, stdout=out)
    finally:
        this.update(lifetime_expired=63)
    assert failure.value.returncode == 1
    assert f"account {till.account.id} breaks the law: the lifetimes follow from the entries\n" in out.getvalue()


def test_command_refuses_a_programme_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="there is no programme nowhere"):
        call_command("verify_ledger", programme="nowhere")


@contextlib.contextmanager
def rolled_back() -> Iterator:
    """A cursor of the owner, whatever it does undone."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        # Whoever still reads these tables has finished; the tests run one after another.
        yield cursor
        transaction.set_rollback(True, using="owner")


@contextlib.contextmanager
def damaged() -> Iterator:
    """A cursor of the owner for which no trigger and no foreign key between uses and lots holds, all of it undone."""
    with rolled_back() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE points_lotuse DROP CONSTRAINT use_names_a_lot_of_its_account")
        cursor.execute("ALTER TABLE points_pointlot DROP CONSTRAINT lot_was_made_by_an_entry")
        yield cursor


def accounts_breaking(program: Program) -> dict[str, set[uuid.UUID | None]]:
    """The accounts that break each law, but for the guards that are switched off to break it."""
    found: dict[str, set[uuid.UUID | None]] = {}
    for breach in verify(connections["owner"], program=program):
        if breach.law != GUARDED:
            found.setdefault(breach.law, set()).add(breach.account_id)
    return found
