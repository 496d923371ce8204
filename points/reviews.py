"""Writing the tiers that fell in accounts that nobody touched, and those that staff moved with the ladder.

Time decides, not this: reads work it out and the next posting writes it. But an account without a next posting would
never get it into its history, and whoever is to be told of a fall would never be.
"""

import dataclasses
import datetime
import functools
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

from django.db import connection

from loyalty import pace, retry
from loyalty.models import Program
from points import ledger
from points.models import AccountRef, PointAccount, PointDefinition

# As many are looked at by one statement.
PAGE = 25_000


@dataclasses.dataclass(slots=True)
class Tally:
    """What there was to do: accounts looked at, those of them that were due, tiers changed."""

    accounts: int = 0
    due: int = 0
    tier_changes: int = 0


class _Account(NamedTuple):
    id: uuid.UUID
    customer_id: uuid.UUID
    definition_id: uuid.UUID
    is_due: bool


def count(program: Program | None = None) -> int:
    """This will answer how many accounts there are to look at, in all programmes or in one.

    Raises:
        errors.Unavailable: the database did not answer in time.
    """
    accounts = PointAccount.objects.all()
    return retry.run((accounts.filter(program=program) if program else accounts).count)


def review(
    *, at: datetime.datetime, program: Program | None = None, on_progress: Callable[[int], object] = lambda _: None
) -> Tally:
    """This will write the changes of tiers that came due by `at` in the accounts of all programmes or of one, a batch
    in each transaction.

    It can be repeated and two may run at once: what is written already is not due any more. `on_progress` is told how
    many more accounts are done.

    Raises:
        errors.Unavailable: the database did not answer in time. The batches before are written.
    """
    tally = Tally()
    for batch in pace.batches(_due(at, program, tally, on_progress)):
        tally.due += len(batch)
        tally.tier_changes += ledger.settle(batch, at=at).tier_changes
        on_progress(len(batch))
    return tally


def _due(
    at: datetime.datetime, program: Program | None, tally: Tally, on_progress: Callable[[int], object]
) -> Iterator[AccountRef]:
    for page in _pages(at, program):
        due = [account for account in page if account.is_due]
        tally.accounts += len(page)
        on_progress(len(page) - len(due))
        yield from _refs(due)


def _pages(at: datetime.datetime, program: Program | None) -> Iterator[list[_Account]]:
    # By the primary key, all of them: an index on tier_until would have to be kept by every posting.
    last = uuid.UUID(int=0)
    while True:
        page = retry.run(functools.partial(_page, at, program, last))
        yield page
        if len(page) < PAGE:
            return
        last = page[-1].id


def _page(at: datetime.datetime, program: Program | None, last: uuid.UUID) -> list[_Account]:
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, {"at": at, "last": last, "page": PAGE, "program": program.pk if program else None})
        return [_Account(*row) for row in cursor.fetchall()]


def _refs(accounts: list[_Account]) -> Iterator[AccountRef]:
    """Read with each page: a programme that is new, or has other rules by now, counts as it is."""
    if not accounts:
        return
    kinds = PointDefinition.objects.select_related("program").in_bulk({account.definition_id for account in accounts})
    for account in accounts:
        kind = kinds[account.definition_id]
        yield AccountRef(program=kind.program, definition=kind, customer_id=account.customer_id)


# What `points/standing.py` will find due under the lock. A tier that is in the ladder no more is due as well.
_PAGE = """
WITH ladders AS MATERIALIZED (
    SELECT r.program_id, r.content->'scheme'->>'basis' = 'lifetime' AS is_for_life, r.content->'tiers' AS tiers
    FROM loyalty_program g JOIN points_rulebook r ON r.program_id = g.id AND r.version = g.rules_version
    WHERE jsonb_array_length(r.content->'tiers') > 0
), rungs AS MATERIALIZED (
    SELECT l.program_id, t.id, t.threshold,
        lead(t.threshold) OVER (PARTITION BY l.program_id ORDER BY t.threshold) AS above
    FROM ladders l, jsonb_to_recordset(l.tiers) AS t (id uuid, threshold numeric)
), lowest AS MATERIALIZED (
    SELECT program_id, min(threshold) AS threshold FROM rungs GROUP BY program_id
), page AS MATERIALIZED (
    SELECT id, program_id, customer_id, definition_id, lifetime_earned, tier_id, tier_since, tier_until
    FROM points_pointaccount
    WHERE id > %(last)s AND program_id = COALESCE(%(program)s, program_id)
    AND merged_into_id IS NULL AND closed_at IS NULL ORDER BY id LIMIT %(page)s
)
SELECT p.id, p.customer_id, p.definition_id, d.counts_for_tiers AND l.program_id IS NOT NULL AND CASE
    WHEN p.tier_id IS NULL AND p.tier_since IS NULL THEN
        p.lifetime_earned > 0 AND (NOT l.is_for_life OR p.lifetime_earned >= first.threshold)
    WHEN NOT l.is_for_life THEN COALESCE(p.tier_until <= %(at)s, held.threshold > 0, FALSE)
    WHEN p.tier_id IS NULL THEN p.lifetime_earned >= first.threshold
    ELSE p.tier_until IS NOT NULL OR held.id IS NULL OR p.lifetime_earned < held.threshold
        OR COALESCE(p.lifetime_earned >= held.above, FALSE)
END AS is_due
FROM page p JOIN points_pointdefinition d ON d.id = p.definition_id
LEFT JOIN ladders l ON l.program_id = p.program_id LEFT JOIN lowest first ON first.program_id = p.program_id
LEFT JOIN rungs held ON held.program_id = p.program_id AND held.id = p.tier_id
ORDER BY p.id
"""
