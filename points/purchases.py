"""Importing purchases: what customers bought before, replayed through the ledger with its own moments as the clock.

What was posted is recognised by the id of its entry, which is worked out from the account and from the number of the
row among its customer's rows: rows that repeat each other exactly are real. An entry stays for ever, while an
idempotency key is purged after a while; so an import can be repeated at any time, and run twice at once.
"""

import abc
import dataclasses
import datetime
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.models.fields.json import KeyTextTransform

from cards import enrolment
from cards.models import looks_like_ours
from loyalty import errors, retry
from loyalty.models import Program
from points import earning, heirs, ledger, reasons, rules
from points.lots import ZERO
from points.models import AccountRef, EntryType, PointDefinition, PointTransaction, UnearnedPurchase
from points.purchase_files import BadRow, Purchase
from points.terms import Deed, Kind

ACTOR = "import"
SOURCE = "purchases"
BATCH = 1_000

Item = TypeVar("Item")


class NoRules(errors.InvalidParameters):
    """The programme has no rule by which purchases earn."""

    def __init__(self) -> None:
        super().__init__({"rate": ["The programme has no rule for purchases: say how many points they earn."]})


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


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What is compared of an entry and a row. What was bought is not there any more once the customer is erased."""

    points: Decimal
    at: datetime.datetime | None
    amount: str | None


def replay(
    *,
    program: Program,
    definition: PointDefinition,
    purchases: Sequence[Purchase],
    rate: Decimal | None,
    source: str = SOURCE,
    on_progress: Callable[[int], object] = lambda _: None,
) -> Tally:
    """This will make customers with cards of those who bought, and award points in the order given: `rate` for each
    unit of the amounts, or without one what the programme's rules say. What an import of the same `source` posted
    before is not posted again.

    Raises:
        NoRules: there is neither a rate nor a rule.
        errors.Unavailable: the database does not answer; what was posted so far stays, and is known the next time.
    """
    run = run_of(program=program, definition=definition, rate=rate, source=source)
    new = run.compare(run.enrol(purchases))
    on_progress(len(purchases) - len(new))
    for batch in _batches(new):
        run.post(batch)
        on_progress(len(batch))
    return run.tally


def run_of(*, program: Program, definition: PointDefinition, rate: Decimal | None, source: str) -> "_Run":
    """This will begin an import: nothing is done in it yet.

    Raises:
        NoRules: there is neither a rate nor a rule.
    """
    if rate is not None:
        return _AtARate(program=program, definition=definition, source=source, rate=rate)
    return _ByTheRules(program=program, definition=definition, source=source)


class _Run(abc.ABC):
    """One import: who bought, what is posted already, what is still to be posted."""

    # What differs, beside the date, of a row that was imported as another one.
    difference: str

    def __init__(self, *, program: Program, definition: PointDefinition, source: str) -> None:
        self.program = program
        self.definition = definition
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
                is_ours = looks_like_ours(row.customer)
                why = "The customer is not the shop's own id: it looks like one of this service."
                self._refuse(row, why if is_ours else "Another customer has this e-mail address.")
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

    @abc.abstractmethod
    def post(self, purchases: Sequence[Purchase]) -> None:
        """This will award the points of some purchases, in one transaction."""

    @abc.abstractmethod
    def _is_same(self, row: Purchase, facts: Facts) -> bool: ...

    @abc.abstractmethod
    def _earns_nothing(self, row: Purchase) -> bool: ...

    def _earlier(self) -> dict[uuid.UUID, Facts]:
        found: dict[uuid.UUID, Facts] = {}
        for accounts in _batches(list(self.accounts.values())):
            # Also where accounts have become others by merges of customers: what was imported since is there.
            known = {step for path in heirs.paths(account.id for account in accounts).values() for step in path}
            entries = PointTransaction.objects.filter(account_id__in=known, actor=ACTOR)
            facts = entries.values_list("id", "points", "transaction_date", KeyTextTransform("amount", "metadata"))
            found.update((entry_id, Facts(*columns)) for entry_id, *columns in facts)
        return found

    def _recognise(self, row: Purchase, facts: Facts) -> bool:
        is_same = facts.at == row.at and self._is_same(row, facts)
        if is_same:
            self.tally.replayed += 1
        else:
            what = f"Row {row.nth} of this customer was imported before"
            self._refuse(row, f"{what}, with another date or {self.difference}.")
        return is_same

    def _count(self, row: Purchase, outcome: ledger.Outcome) -> None:
        entry = outcome.earlier
        if outcome.entry is not None:
            self.tally.posted += 1
            self.tally.points += outcome.entry.points
        elif entry is not None:
            # By another import that runs now, or before a connection was lost.
            self._recognise(row, Facts(entry.points, entry.transaction_date, (entry.metadata or {}).get("amount")))
        else:
            self._refuse(row, str(outcome.refusal))

    def _refuse(self, row: Purchase, reason: str) -> None:
        self.tally.bad.append(BadRow(row.line, reason, row.raw))

    def _entry_id(self, row: Purchase) -> uuid.UUID:
        return uuid.uuid5(self.accounts[row.customer].id, f"import:{self.source}:{row.nth}")

    def _posting(self, row: Purchase, *, points: Decimal | None = None, deed: Deed | None = None) -> ledger.Posting:
        metadata: dict[str, str | int] = {"amount": str(row.amount)}
        if row.items is not None:
            metadata["items"] = row.items
        note = ledger.Note(
            reason=reasons.PURCHASE,
            actor=ACTOR,
            reference=row.reference,
            metadata=metadata,
            card_id=self.members[row.customer].card_id,
            transaction_date=row.at,
        )
        return ledger.Posting(
            type=EntryType.AWARD,
            account=self.accounts[row.customer],
            points=points,
            deed=deed,
            at=row.at,
            note=note,
            entry_id=self._entry_id(row),
            is_named=True,
        )


class _AtARate(_Run):
    """The same for everybody, whatever the rules say."""

    difference = "other points"

    def __init__(self, *, rate: Decimal, **whose: Any) -> None:
        super().__init__(**whose)
        self.rate = rate

    def post(self, purchases: Sequence[Purchase]) -> None:
        """This will award the points of some purchases, in one transaction."""
        outcomes = ledger.post_many([self._posting(row, points=self._points(row)) for row in purchases])
        for row, outcome in zip(purchases, outcomes, strict=True):
            self._count(row, outcome)

    def _is_same(self, row: Purchase, facts: Facts) -> bool:
        return facts.points == self._points(row)

    def _earns_nothing(self, row: Purchase) -> bool:
        is_nothing = self._points(row) == 0
        self.tally.earned_nothing += is_nothing
        return is_nothing

    def _points(self, row: Purchase) -> Decimal:
        # Exact before that: amounts of 15 digits and rates of 12 stay within the 28 of decimal's context.
        return earning.floor(row.amount * self.rate, self.definition.decimal_places)


class _ByTheRules(_Run):
    """As at the till: by the tier that the customer holds at that moment, with the campaigns and caps of that day.

    What has earned nothing is written down. Met again, it could earn something by a tier that was reached since.
    """

    difference = "another amount"

    def __init__(self, **whose: Any) -> None:
        super().__init__(**whose)
        if not any(rule.kind == Kind.PURCHASE and rule.rate for rule in rules.of(self.program).earning.rules):
            raise NoRules

    def post(self, purchases: Sequence[Purchase]) -> None:
        """This will award what some purchases earn, in one transaction."""
        rows, outcomes = retry.run(lambda: self._post(purchases))
        self.tally.earned_nothing += len(purchases) - len(rows)
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome.refusal, earning.NOTHING):
                self.tally.earned_nothing += 1
            else:
                self._count(row, outcome)

    def _post(self, purchases: Sequence[Purchase]) -> tuple[list[Purchase], list[ledger.Outcome]]:
        """This will post the purchases that have not earned nothing before, and answer what became of them."""
        with transaction.atomic():
            self._take_turns()
            ids = [self._unearned_id(row) for row in purchases]
            known = set(UnearnedPurchase.objects.filter(pk__in=ids).values_list("pk", flat=True))
            rows = [row for row, row_id in zip(purchases, ids, strict=True) if row_id not in known]
            outcomes = ledger.post_many([self._posting(row, deed=_deed(row)) for row in rows])
            UnearnedPurchase.objects.bulk_create(
                UnearnedPurchase(id=self._unearned_id(row), account_id=self.accounts[row.customer].id)
                for row, outcome in zip(rows, outcomes, strict=True)
                if isinstance(outcome.refusal, earning.NOTHING)
                and not isinstance(outcome.refusal, earning.NotWorkedOut)
            )
        return rows, outcomes

    def _take_turns(self) -> None:
        """This will wait for another import of these purchases to end its batch, before anything is locked."""
        with connection.cursor() as cursor:
            name = f"import:{self.program.pk}:{self.source}"
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])

    def _unearned_id(self, row: Purchase) -> uuid.UUID:
        # With what the row says: one that was corrected is another.
        what = f"{row.nth}:{row.at.isoformat()}:{row.amount.normalize():f}"
        return uuid.uuid5(self.accounts[row.customer].id, f"unearned:{self.source}:{what}")

    def _is_same(self, row: Purchase, facts: Facts) -> bool:
        # Not the points: they are the rules' of that day, and the rules may have changed.
        return facts.amount is None or Decimal(facts.amount) == row.amount

    def _earns_nothing(self, row: Purchase) -> bool:
        return False


def _deed(row: Purchase) -> Deed:
    return Deed(kind=Kind.PURCHASE, amount=row.amount, at=row.at)


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
