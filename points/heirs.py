"""What became of accounts whose customers were merged into others, one merge after another."""

import uuid
from collections.abc import Iterable

from django.db import connection

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
