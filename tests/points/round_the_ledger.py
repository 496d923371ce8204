"""Statements sent to the database round the ORM and the ledger, and what it refuses of them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import Error, IntegrityError, ProgrammingError, connections, transaction

from loyalty import ids
from tests.points.till import Till

INSERT_ENTRY = """
INSERT INTO points_pointtransaction (id, account_id, program_id, version, type, points, balance_before, balance_after,
    pending_after, shortfall, reason, actor, reverses_id, effective_at, created_at)
VALUES (%(id)s, %(account)s, %(program)s, %(version)s, %(type)s, %(points)s, %(before)s, %(after)s,
    %(pending)s, 0, 'By hand', 'psql', %(reverses)s, '2026-03-03 12:00Z', now())
"""


def refusal_of(role: str) -> tuple[type[Error], str]:
    """The runtime role lacks the privilege; the owner, who has it, meets the trigger."""
    if role == "default" and has_a_role_of_its_own():
        return ProgrammingError, "permission denied"
    return IntegrityError, "the ledger is append-only"


def has_a_role_of_its_own() -> bool:
    """Whether requests are served by another role than the owner, as in production and with the embedded server."""
    return connections["default"].settings_dict["USER"] != connections["owner"].settings_dict["USER"]


with_two_roles = pytest.mark.skipif(not has_a_role_of_its_own(), reason="one role owns and serves")


@contextlib.contextmanager
def refused(till: Till, *kinds: type[Error], match: str) -> Iterator[None]:
    """Refused by the database for that reason; nothing moved."""
    before = till.everything()
    with pytest.raises(kinds or (IntegrityError,), match=match):
        yield
    assert till.everything() == before


def run(role: str, statement: str, **parameters: Any) -> None:
    with transaction.atomic(using=role), connections[role].cursor() as cursor:
        cursor.execute(statement, parameters)


def entry(till: Till, **changes: Any) -> dict[str, Any]:
    """What would be the fourth entry: one more point."""
    return {
        "id": ids.new_id(),
        "account": till.account.id,
        "program": till.account.program.pk,
        "version": 4,
        "type": "adjust",
        "points": 1,
        "before": 70,
        "after": 71,
        "pending": 0,
        "reverses": None,
    } | changes
