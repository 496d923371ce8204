"""Importing purchases: what customers bought before, replayed through the ledger with its own moments as the clock.

What was posted is recognised by the id of its entry, which is worked out from the account and from the number of the
row among its customer's rows: rows that repeat each other exactly are real. An entry stays for ever, while an
idempotency key is purged after a while; so an import can be repeated at any time, and run twice at once.
"""

import dataclasses
import datetime
import decimal
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TypeVar

from cards import enrolment
from loyalty.models import Program
from points import ledger
from points.lots import ZERO
from points.models import AccountRef, EntryType, PointDefinition, PointTransaction
from points.purchase_files import BadRow, Purchase

ACTOR = "import"
REASON = "Purchase"
SOURCE = "purchases"
BATCH = 1_000

Item = TypeVar("Item")
# What is compared of an entry and a row: the points and the moment.
Facts = tuple[Decimal, datetime.datetime | None]


@dataclasses.dataclass(slots=True)
class Tally:
    """What became of the purchases. Each counts in one of `posted`, `replayed` and `earned_nothing`, or is `bad`."""

    posted: int = 0
    replayed: int = 0
    earned_nothing: int = 0
    bad: list[BadRow] = dataclasses.field(default_factory=list)
    points: Decimal = ZERO
    customers: int = 0
    new_customers: int = 0


def points_for(*, amount: Decimal, rate: Decimal, decimal_places: int) -> Decimal:
    """This will answer the points that an amount earns, rounded down to so many decimals."""
    # Exact before that: amounts of 15 digits and rates of 12 stay within the 28 of decimal's context.
    return (amount * rate).quantize(Decimal(1).scaleb(-decimal_places), rounding=decimal.ROUND_FLOOR)


def replay(
    *,
    program: Program,
    definition: PointDefinition,
    purchases: Sequence[Purchase],
    rate: Decimal,
    source: str = SOURCE,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Tally:
    """This will make customers with cards of those who bought, and award `rate` points for each unit of the amounts, in
    the order given. What an import of the same `source` posted before is not posted again.

    Raises:
        errors.Unavailable: the database does not answer; what was posted so far stays, and is known the next time.
    """
    run = _Run(program=program, definition=definition, rate=rate, source=source)
    new = run.compare(run.enrol(purchases))
    on_progress(len(purchases) - len(new))
    for batch in _batches(new):
        run.post(batch)
        on_progress(len(batch))
    return run.tally


class _Run:
    """One import: who bought, what is posted already, what is still to be posted."""

    def __init__(self, *, program: Program, definition: PointDefinition, rate: Decimal, source: str) -> None:
        self.program = program
        self.definition = definition
        self.rate = rate
        self.source = source
        self.tally = Tally()
        self.members: dict[str, enrolment.Member] = {}
        self.accounts: dict[str, AccountRef] = {}

    def enrol(self, purchases: Sequence[Purchase]) -> list[Purchase]:
        """This will make the customers, and answer the purchases of those who are customers now."""
        self.members = enrolment.enrol(program=self.program, people=_people(purchases))
        self.accounts = {
            customer: AccountRef(program=self.program, definition=self.definition, customer_id=member.customer_id)
            for customer, member in self.members.items()
        }
        self.tally.customers = len(self.members)
        self.tally.new_customers = sum(member.is_new for member in self.members.values())
        for row in purchases:
            if row.customer not in self.members:
                self._refuse(row, "Another customer has this e-mail address.")
        return [row for row in purchases if row.customer in self.members]

    def compare(self, purchases: Sequence[Purchase]) -> list[Purchase]:
        """This will answer the purchases that are still to be posted.

        A customer one of whose rows says something else than the row that was imported as that one gets none of them:
        the rows have moved, and the last one would be posted again under its new number.
        """
        earlier = self._earlier()
        new: list[Purchase] = []
        moved: set[str] = set()
        for row in purchases:
            facts = earlier.get(self._entry_id(row))
            if facts is None:
                new.append(row)
            elif not self._recognise(row, facts):
                moved.add(row.customer)
        for row in new:
            if row.customer in moved:
                self._refuse(row, "Another row of this customer differs from what was imported before.")
        return [row for row in new if row.customer not in moved and not self._earns_nothing(row)]

    def post(self, purchases: Sequence[Purchase]) -> None:
        """This will award the points of some purchases, in one transaction."""
        outcomes = ledger.post_many([self._posting(row) for row in purchases])
        for row, outcome in zip(purchases, outcomes, strict=True):
            if outcome.entry is not None:
                self.tally.posted += 1
                self.tally.points += outcome.entry.points
            elif outcome.earlier is not None:
                # By another import that runs now, or before a connection was lost.
                self._recognise(row, (outcome.earlier.points, outcome.earlier.transaction_date))
            else:
                self._refuse(row, str(outcome.refusal))

    def _earlier(self) -> dict[uuid.UUID, Facts]:
        found: dict[uuid.UUID, Facts] = {}
        for accounts in _batches(list(self.accounts.values())):
            entries = PointTransaction.objects.filter(account_id__in=[account.id for account in accounts], actor=ACTOR)
            for entry_id, points, moment in entries.values_list("id", "points", "transaction_date"):
                found[entry_id] = (points, moment)
        return found

    def _recognise(self, row: Purchase, facts: Facts) -> bool:
        is_same = facts == (self._points(row), row.at)
        if is_same:
            self.tally.replayed += 1
        else:
            self._refuse(row, f"Row {row.nth} of this customer was imported before, with another date or other points.")
        return is_same

    def _earns_nothing(self, row: Purchase) -> bool:
        is_nothing = self._points(row) == 0
        self.tally.earned_nothing += is_nothing
        return is_nothing

    def _refuse(self, row: Purchase, reason: str) -> None:
        self.tally.bad.append(BadRow(row.line, reason, row.raw))

    def _points(self, row: Purchase) -> Decimal:
        return points_for(amount=row.amount, rate=self.rate, decimal_places=self.definition.decimal_places)

    def _entry_id(self, row: Purchase) -> uuid.UUID:
        return uuid.uuid5(self.accounts[row.customer].id, f"import:{self.source}:{row.nth}")

    def _posting(self, row: Purchase) -> ledger.Posting:
        metadata: dict[str, str | int] = {"amount": str(row.amount)}
        if row.items is not None:
            metadata["items"] = row.items
        note = ledger.Note(
            reason=REASON,
            actor=ACTOR,
            reference=row.reference,
            metadata=metadata,
            card_id=self.members[row.customer].card_id,
            transaction_date=row.at,
        )
        return ledger.Posting(
            type=EntryType.AWARD,
            account=self.accounts[row.customer],
            points=self._points(row),
            at=row.at,
            note=note,
            entry_id=self._entry_id(row),
            is_named=True,
        )


def _people(purchases: Iterable[Purchase]) -> list[enrolment.Person]:
    """This will answer who bought, with the first e-mail address and the first name that the rows give them."""
    emails: dict[str, str | None] = {}
    names: dict[str, str] = {}
    for row in purchases:
        emails[row.customer] = emails.get(row.customer) or row.email
        names[row.customer] = names.get(row.customer) or row.name
    return [
        enrolment.Person(external_id=customer, email=email, name=names[customer]) for customer, email in emails.items()
    ]


def _batches(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
