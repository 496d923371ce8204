"""A till for tests: posts on one account through the ledger's own verbs, and reads back what is in the database."""

import datetime
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db import connections, transaction

from loyalty import idempotency
from loyalty.models import Program
from points import ledger
from points.models import AccountRef, EntryType, LotUse, PointAccount, PointLot, PointTransaction
from points.verify import verify

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NOTE = ledger.Note(reason="Order reward", actor="till")


def days(count: float) -> datetime.datetime:
    """So many days after NOON."""
    return NOON + count * DAY


class Till:
    """Posts at NOON unless told another time."""

    def __init__(self, account: AccountRef) -> None:
        self.account = account

    def award(self, points: Any, **options: Any) -> PointTransaction:
        return self.post(ledger.award, points=Decimal(points), **options)

    def redeem(self, points: Any, **options: Any) -> PointTransaction:
        return self.post(ledger.redeem, points=Decimal(points), **options)

    def adjust(self, points: Any, **options: Any) -> PointTransaction:
        return self.post(ledger.adjust, points=Decimal(points), **options)

    def reverse(self, target: PointTransaction, points: Any = None, **options: Any) -> PointTransaction:
        left = None if points is None else Decimal(points)
        return self.post(ledger.reverse, transaction_id=target.id, points=left, **options)

    def expire(self, points: Any = None, **options: Any) -> PointTransaction:
        return self.post(ledger.expire, points=None if points is None else Decimal(points), **options)

    def post(self, verb: Any, **options: Any) -> PointTransaction:
        named = {} if "sender" in options else {"account": self.account}
        return verb(**named | {"at": NOON, "note": NOTE} | options).entry

    def settle(self, at: datetime.datetime) -> None:
        ledger.settle([self.account], at=at)

    def rows(self) -> list[PointAccount]:
        return list(PointAccount.objects.filter(pk=self.account.id))

    def row(self) -> PointAccount:
        [row] = self.rows()
        return row

    @property
    def balance(self) -> Decimal:
        return self.row().balance

    def entries(self) -> list[PointTransaction]:
        return list(PointTransaction.objects.filter(account_id=self.account.id).order_by("version"))

    def history(self) -> list[tuple[str, Decimal]]:
        """Type and points of each entry, the oldest first."""
        return [(entry.type, entry.points) for entry in self.entries()]

    def lots(self) -> list[PointLot]:
        return list(PointLot.objects.filter(account_id=self.account.id).order_by("version"))

    def left(self) -> list[Decimal]:
        """What is left of each lot, the oldest first."""
        return [lot.remaining for lot in self.lots()]

    def uses(self, entry: PointTransaction) -> list[tuple[int | None, Decimal]]:
        """What an entry took, in the order taken: the version of the lot (None: a debt) and the points."""
        versions = {lot.id: lot.version for lot in self.lots()}
        uses = LotUse.objects.filter(account_id=self.account.id, entry_id=entry.id).order_by("position")
        return [(versions[use.lot_id] if use.lot_id else None, use.points) for use in uses]

    def everything(self) -> tuple[Any, ...]:
        """All that the database knows of the account, to assert that nothing moved."""
        rows = PointAccount.objects.filter(pk=self.account.id).values_list()
        lots = PointLot.objects.filter(account_id=self.account.id).order_by("version").values_list()
        return list(rows), list(lots), [entry.id for entry in self.entries()]


def posting(
    account: AccountRef, kind: str, points: Any, *, at: datetime.datetime = NOON, **options: Any
) -> ledger.Posting:
    """A posting for `ledger.post_many`."""
    amount = None if points is None else Decimal(points)
    return ledger.Posting(type=EntryType(kind), account=account, points=amount, at=at, **{"note": NOTE} | options)


def key(name: str, body: str = "as asked") -> idempotency.Key:
    """A caller's key, and a fingerprint of what was asked."""
    return idempotency.Key(key=name, fingerprint=idempotency.fingerprint(method="POST", path="/", body=body))


def answer(outcome: ledger.Outcome) -> idempotency.Answer:
    """An answer such as a face would give: of the entry's facts alone."""
    points = outcome.entry.points if outcome.entry else Decimal(0)
    return idempotency.Answer(status=201, body=f"{points:.2f} points, now {outcome.balance:.2f}".encode())


def breaches(program: Program) -> set[str]:
    """The laws that the programme's accounts break."""
    with transaction.atomic(using="owner"):
        return {str(breach) for breach in verify(connections["owner"], program=program)}


def tills(accounts: Iterable[AccountRef]) -> list[Till]:
    return [Till(account) for account in accounts]


def some_id() -> uuid.UUID:
    """An id that nothing has."""
    return uuid.uuid4()
