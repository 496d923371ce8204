"""`manage.py verify_ledger`: what it looks at, the guards that it asks for, and what it says."""

import io
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from loyalty.models import Program
from points.models import PointAccount
from points.verify import CONSTRAINTS, GUARDED, NAMES, TRIGGERS, Breach, verify
from tests.factories import make_account
from tests.points.damages import TABLES, account, accounts_breaking, damaged, eventful, rolled_back
from tests.points.till import Till


@pytest.fixture
def till(program: Program) -> Till:
    return eventful(program)


@pytest.fixture
def bystander(program: Program, till: Till) -> Till:
    """Another account, which breaks nothing."""
    bystander = Till(make_account(program, till.account.definition))
    bystander.award(10)
    return bystander


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
        ("DROP TRIGGER entries_keep_their_words ON points_pointtransaction", "entries_keep_their_words"),
        ("ALTER TABLE points_hold DISABLE TRIGGER holds_are_resolved_once", "holds_are_resolved_once"),
        ("ALTER TABLE points_hold DROP CONSTRAINT hold_points_positive", "hold_points_positive"),
        ("ALTER TABLE points_pointaccount DISABLE TRIGGER accounts_end_once", "accounts_end_once"),
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
    assert out.getvalue() == f"Checked {len(NAMES)} laws on 4 accounts, 32 entries, 13 lots and 29 uses.\n"


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
