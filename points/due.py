"""Writing what fell due in accounts that nobody touched.

Time decides, not this: reads work it out and the next posting writes it. But an account without a next posting would
never get its entries.
"""

import dataclasses
import datetime
import uuid
from collections.abc import Iterator

from points import ledger
from points.models import AccountRef, PointAccount, PointDefinition

# As many are locked at once; a till that comes to one of them meanwhile has two seconds of patience.
BATCH = 1_000


@dataclasses.dataclass(slots=True)
class Tally:
    """What there was to do: accounts looked at, those of them that were due, entries written."""

    accounts: int = 0
    due: int = 0
    entries: int = 0


def settle(*, at: datetime.datetime) -> Tally:
    """This will write the entries for what fell due by `at` in all accounts, a batch in each transaction.

    It can be repeated and two may run at once: what is written already is not due any more.

    Raises:
        errors.Unavailable: the database did not answer in time. The batches before are written.
    """
    tally = Tally()
    for page in _pages():
        due = [account for account in page if account.next_due_at is not None and account.next_due_at <= at]
        tally.accounts += len(page)
        tally.due += len(due)
        tally.entries += ledger.settle(_refs(due), at=at).entries
    return tally


def _pages() -> Iterator[list[PointAccount]]:
    # By the primary key, all of them: an index on next_due_at would have to be kept by every posting.
    accounts = PointAccount.objects.only("id", "customer_id", "definition_id", "next_due_at").order_by("id")
    last = uuid.UUID(int=0)
    while page := list(accounts.filter(id__gt=last)[:BATCH]):
        yield page
        last = page[-1].id


def _refs(accounts: list[PointAccount]) -> list[AccountRef]:
    """Read with each batch: a programme that is new, or has another time zone by now, counts as it is."""
    if not accounts:
        return []
    kinds = PointDefinition.objects.select_related("program").in_bulk({account.definition_id for account in accounts})
    return [
        AccountRef(
            program=kinds[account.definition_id].program,
            definition=kinds[account.definition_id],
            customer_id=account.customer_id,
        )
        for account in accounts
    ]
