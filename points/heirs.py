"""What became of accounts whose customers were merged into others, one merge after another."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from points.models import PointTransaction

# The account that is named `account`, and all that were merged into it, one merge after another.
FAMILY = """
WITH RECURSIVE family AS (
    SELECT %(account)s::uuid AS id
    UNION ALL
    SELECT o.id FROM family f
    JOIN points_pointtransaction e ON e.account_id = f.id AND e.type = 'merge'
    JOIN points_pointaccount o ON o.id = e.other_account_id AND o.merged_into_id = f.id
)
"""
_PATHS = """
WITH RECURSIVE path AS (
    SELECT id AS named, id, customer_id, merged_into_id, 0 AS step FROM points_pointaccount
    WHERE id = ANY(%s::uuid[]) AND merged_into_id IS NOT NULL
    UNION ALL
    SELECT p.named, a.id, a.customer_id, a.merged_into_id, p.step + 1
    FROM path p JOIN points_pointaccount a ON a.id = p.merged_into_id
)
SELECT named, id, customer_id FROM path WHERE step > 0 ORDER BY named, step
"""


def of(account_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """This will answer, by account, the customer whose account it has become; those that are still themselves are left
    out."""
    return {named: customer_id for named, _, customer_id in _read(account_ids)}


def paths(account_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """This will answer, by account, itself and what it has become, in that order."""
    found = {account_id: [account_id] for account_id in account_ids}
    for named, account_id, _ in _read(found):
        found[named].append(account_id)
    return found


def _read(account_ids: Iterable[uuid.UUID]) -> list[tuple[uuid.UUID, uuid.UUID, uuid.UUID]]:
    with connection.cursor() as cursor:
        cursor.execute(_PATHS, [list(account_ids)])
        return cursor.fetchall()


_NAMED = """
WITH RECURSIVE found AS (
    SELECT n.account_id AS heir_id, n.external_id, e.account_id, e.id, a.merged_into_id AS next_id
    FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS n (account_id, program_id, external_id)
    JOIN points_pointtransaction e ON e.program_id = n.program_id AND e.external_id = n.external_id
    JOIN points_pointaccount a ON a.id = e.account_id
    WHERE a.merged_into_id IS NOT NULL
    UNION ALL
    SELECT f.heir_id, f.external_id, f.account_id, f.id, a.merged_into_id
    FROM found f JOIN points_pointaccount a ON a.id = f.next_id
    WHERE f.next_id <> f.heir_id AND a.merged_into_id IS NOT NULL
)
SELECT f.heir_id, f.external_id, e.* FROM found f
JOIN points_pointtransaction e ON e.account_id = f.account_id AND e.id = f.id
WHERE f.next_id = f.heir_id
"""


def named(
    asked: Sequence[tuple[uuid.UUID, uuid.UUID, uuid.UUID]],
) -> dict[tuple[uuid.UUID, uuid.UUID], PointTransaction]:
    """This will answer, by (account id, caller's id), what callers named so in accounts that were merged into that one,
    of all that are asked for as (account id, programme id, caller's id)."""
    if not asked:
        return {}
    # Any: each has its heir's id beside the columns of the model.
    found: Iterable[Any] = PointTransaction.objects.raw(_NAMED, [list(column) for column in zip(*asked, strict=True)])
    return {(entry.heir_id, entry.external_id): entry for entry in found}
