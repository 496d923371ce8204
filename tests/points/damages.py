"""An account on which everything has happened, and ways to damage it behind the ledger's back."""

import contextlib
import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal

from django.db import connections, transaction

from loyalty.models import Program
from points import ledger, moves, rules
from points.verify import GUARDED, verify
from tests.factories import make_account
from tests.points.till import NOTE, Till, days
from tiers.models import Tier

TABLES = [
    *("points_pointaccount", "points_pointtransaction", "points_pointlot", "points_lotuse", "points_hold"),
    *("points_tierchange", "events_event"),
]
HOUR = datetime.timedelta(hours=1)


def eventful(program: Program) -> Till:
    """An account on which everything has happened. The comments number the entries. Silver is reached by 150 points,
    with entry 10; Gold by 210, with entry 12."""
    rules.give_defaults(program=program, by="test")
    for code, threshold in (("silver", 150), ("gold", 100 + 40 + 60 + 10)):
        Tier.objects.filter(program=program, code=code).update(threshold=threshold)
    rules.publish(program=program, by="test")
    program.keeps_events = True
    program.save(update_fields=["keeps_events"])
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
    trade_with_others(program, till)
    hold_points(till)
    return till


def trade_with_others(program: Program, till: Till) -> None:
    """Points go to a friend and come from one; another account becomes this one."""
    program.transfers_enabled = True
    program.save(update_fields=["transfers_enabled"])
    friend = Till(make_account(program, till.account.definition))
    friend.award(9, expires_at=days(90), at=days(13))
    friend.post(
        ledger.transfer, sender=friend.account, receiver=till.account, points=Decimal(9), at=days(13)
    )  # 14 brings a lot
    till.post(ledger.transfer, sender=till.account, receiver=friend.account, points=Decimal(6), at=days(13))  # 15
    same_person = Till(make_account(program, till.account.definition))
    same_person.award(11, at=days(13))
    spent = same_person.redeem(3, at=days(13))
    with transaction.atomic():
        moves.merge(old=[same_person.account], new=[till.account], actor="test", at=days(14))  # 16 brings another
    till.reverse(spent, 1, at=days(14))  # 17 of an entry of that account, brings a third
    assert till.balance == 27 + 9 - 6 + 11 - 3 + 1


def hold_points(till: Till) -> None:
    """One hold lapses, one is released, one is captured in part, one stays."""
    noon, later = days(14), days(14) + HOUR
    hold(till, 2, lasts=HOUR, at=noon)  # 18
    released = hold(till, 3, lasts=2 * HOUR, at=noon)  # 19
    till.settle(later)  # 20 releases
    till.post(ledger.release, hold_id=released, at=later)  # 21
    captured = hold(till, 8, lasts=HOUR, at=later)  # 22
    till.post(ledger.capture, hold_id=captured, points=Decimal(5), at=later)  # 23, 24 releases
    hold(till, 4, lasts=100 * 24 * HOUR, at=later)  # 25
    assert (till.balance, till.row().held) == (39 - 5 - 4, 4)


def hold(till: Till, points: int, *, lasts: datetime.timedelta, at: datetime.datetime) -> uuid.UUID:
    outcome = ledger.hold(account=till.account, points=Decimal(points), lasts=lasts, note=NOTE, at=at)
    assert outcome.hold is not None
    return outcome.hold.id


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


def holds(change: str, status: str) -> str:
    return update("hold", change, f"status = '{status}'")


def events(change: str, sequence: int) -> str:
    return f"UPDATE events_event SET {change} WHERE account_id = %(account)s AND sequence = {sequence}"


def last_change(change: str) -> str:
    gold = "(SELECT id FROM tiers_tier WHERE code = 'gold')"
    return update("tierchange", change, f"to_tier_id IN {gold}")


def account(change: str) -> str:
    return f"UPDATE points_pointaccount SET {change} WHERE id = %(account)s"


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
        cursor.execute("ALTER TABLE points_pointaccount DROP CONSTRAINT account_that_is_over_is_empty")
        yield cursor


def accounts_breaking(program: Program) -> dict[str, set[uuid.UUID | None]]:
    """The accounts that break each law, but for the guards that are switched off to break it."""
    found: dict[str, set[uuid.UUID | None]] = {}
    for breach in verify(connections["owner"], program=program):
        if breach.law != GUARDED:
            found.setdefault(breach.law, set()).add(breach.account_id)
    return found
