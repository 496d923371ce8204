"""Which customers a segment means: one statement over sets, however many there are.

It goes by what is written. Time decides in the ledger, so what fell due a moment ago counts once the jobs have written
it: lots every five minutes, tiers every hour.
"""

import contextlib
import dataclasses
import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.db import OperationalError, connection, transaction

from campaigns.conditions import Conditions
from campaigns.models import CardState
from cards.models import Customer
from loyalty import errors
from loyalty.models import Program
from points.models import PointDefinition

SHOWN = 20
# Whoever waits for a page waits no longer.
PAGE_SECONDS = 25
_CANCELED = "57014"


class TakesTooLong(errors.Refusal):
    """The customers could not be counted in the time that a page may take."""

    code = "TAKES_TOO_LONG"
    status = 503
    message = "Counting these customers takes too long just now. Try again later, or ask for less."


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """How many customers a segment means, and the first of them."""

    count: int
    first: list[Customer]

    def cost(self, points: Decimal) -> Decimal:
        """The points that they get in all, each so many."""
        return self.count * points


def find(*, program: Program, conditions: Conditions, at: datetime.datetime) -> Found:
    """This will count the customers that conditions mean, and read the first ones, in the order of their ids.

    Raises:
        TakesTooLong: it could not be done in time.
    """
    sql, known = select(program=program, conditions=conditions, at=at)
    with _in_time(), connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) s", known)
        count = cursor.fetchone()[0]
        cursor.execute(f"{sql} ORDER BY c.id LIMIT %(most)s", known | {"most": SHOWN})
        first = [customer_id for (customer_id,) in cursor.fetchall()]
    customers = Customer.objects.in_bulk(first)
    return Found(count, [customers[customer_id] for customer_id in first])


def select(*, program: Program, conditions: Conditions, at: datetime.datetime) -> tuple[str, dict[str, Any]]:
    """This will answer the statement that selects the ids `c.id` of the customers, which more conditions and an order
    can be put behind, and what it asks for. Nobody who was merged into another or erased is among them."""
    # The accounts have no index by customer, and for all customers a scan is the fastest way to all accounts.
    joins = ["cards_customer c"]
    where = ["c.program_id = %(program)s", "c.merged_into_id IS NULL", "c.erased_at IS NULL"]
    known: dict[str, Any] = {"program": program.pk, "at": at, "zone": program.timezone, "currency": program.currency}
    for join, condition, asked in _parts(program, conditions):
        joins += [join] if join and join not in joins else []
        where.append(condition)
        known |= asked
    return f"SELECT c.id FROM {' '.join(joins)} WHERE {' AND '.join(where)}", known


_Part = tuple[str, str, dict[str, Any]]


def _parts(program: Program, asked: Conditions) -> Iterator[_Part]:
    """This will answer of each condition the join that it needs, itself, and what it asks for."""
    yield from _tiers(program, asked)
    yield from _account(program, asked)
    yield from _joined(asked)
    yield from _spend(asked)
    yield from _cards(asked)
    if asked.listing_id is not None:
        # Who was merged since the list was uploaded is the other one now.
        yield (
            "",
            "c.id IN (SELECT COALESCE(m.merged_into_id, m.id) FROM campaigns_listedcustomer l"
            " JOIN cards_customer m ON m.id = l.customer_id WHERE l.listing_id = %(listing)s)",
            {"listing": asked.listing_id},
        )


def _tiers(program: Program, asked: Conditions) -> Iterator[_Part]:
    if not asked.tiers:
        return
    counted = PointDefinition.objects.filter(program=program, counts_for_tiers=True).values_list("pk", flat=True)
    tiers = program.tiers.filter(code__in=asked.tiers).values_list("pk", flat=True)
    yield (
        "JOIN points_pointaccount t ON t.customer_id = c.id AND t.definition_id = %(tiered)s",
        "t.tier_id = ANY(%(tiers)s::uuid[])",
        {"tiered": counted.first(), "tiers": list(tiers)},
    )


def _account(program: Program, asked: Conditions) -> Iterator[_Part]:
    definition_id = asked.definition_id or _usual(program)
    join = "LEFT JOIN points_pointaccount a ON a.customer_id = c.id AND a.definition_id = %(definition)s"
    known = {"definition": definition_id}
    for name, column in (("balance", "a.balance"), ("earned", "a.lifetime_earned")):
        for bound, sign in (("least", ">="), ("most", "<=")):
            value = getattr(asked, f"{name}_{bound}")
            if value is not None:
                # Who has no account has nothing.
                condition = f"COALESCE({column}, 0) {sign} %({name}_{bound})s"
                yield join, condition, known | {f"{name}_{bound}": value}
    if asked.active_from_on is not None:
        yield join, f"a.last_activity_at >= {_day('active_from')}", known | {"active_from": asked.active_from_on}
    if asked.active_until_on is not None:
        # Who was never active was not active lately.
        before = f"(a.last_activity_at IS NULL OR a.last_activity_at < {_day('active_until')})"
        yield join, before, known | {"active_until": asked.active_until_on}


def _joined(asked: Conditions) -> Iterator[_Part]:
    if asked.joined_from_on is not None:
        yield "", f"c.created_at >= {_day('joined_from')}", {"joined_from": asked.joined_from_on}
    if asked.joined_until_on is not None:
        yield "", f"c.created_at < {_day('joined_until')}", {"joined_until": asked.joined_until_on}


# What is recorded of purchases: orders less their refunds, purchases of the shop face, and imported ones. Each is told
# in one of these places alone. What others wrote into an entry under these names may be no number.
_SPENT = """
    SELECT a.customer_id, sum(p.amount) AS amount FROM (
        SELECT account_id, total - refunded AS amount FROM points_order
        WHERE program_id = %(program)s AND total IS NOT NULL AND currency = %(currency)s {orders}
        UNION ALL
        SELECT account_id, CASE WHEN sent ~ '^[0-9]{{1,13}}([.][0-9]{{1,4}})?$' THEN sent::numeric ELSE 0 END FROM (
            SELECT account_id, metadata ->> CASE actor WHEN 'import' THEN 'amount' ELSE 'purchase_amount' END AS sent
            FROM points_pointtransaction
            WHERE program_id = %(program)s AND type = 'award' AND metadata IS NOT NULL {entries}
        ) e WHERE sent IS NOT NULL
    ) p JOIN points_pointaccount a ON a.id = p.account_id GROUP BY a.customer_id
"""


def _spend(asked: Conditions) -> Iterator[_Part]:
    if asked.spent_least is None and asked.spent_most is None:
        return
    days = {"spent_from": asked.spent_from_on, "spent_until": asked.spent_until_on}
    signs = {"spent_from": ">=", "spent_until": "<"}
    known = {name: day for name, day in days.items() if day is not None}
    orders = "".join(f" AND created_at {signs[name]} {_day(name)}" for name in known)
    entries = "".join(f" AND COALESCE(transaction_date, effective_at) {signs[name]} {_day(name)}" for name in known)
    join = f"LEFT JOIN ({_SPENT.format(orders=orders, entries=entries)}) s ON s.customer_id = c.id"
    for bound, sign in (("least", ">="), ("most", "<=")):
        value = getattr(asked, f"spent_{bound}")
        if value is not None:
            yield join, f"COALESCE(s.amount, 0) {sign} %(spent_{bound})s", known | {f"spent_{bound}": value}


_CARD = "EXISTS (SELECT FROM cards_card k WHERE k.customer_id = c.id{})"
_HAS: dict[str, str] = {
    CardState.ACTIVE: _CARD.format(" AND k.status = 'active' AND (k.expires_at IS NULL OR k.expires_at > %(at)s)"),
    CardState.INACTIVE: _CARD.format(" AND k.status = 'inactive'"),
    CardState.BLOCKED: _CARD.format(" AND k.status = 'blocked'"),
    CardState.EXPIRED: _CARD.format(" AND k.status = 'active' AND k.expires_at <= %(at)s"),
    CardState.NONE: "NOT " + _CARD.format(""),
}


def _cards(asked: Conditions) -> Iterator[_Part]:
    if asked.cards:
        yield "", f"({' OR '.join(_HAS[state] for state in asked.cards)})", {}


def _day(name: str) -> str:
    """This will answer when a day begins by the programme's clocks."""
    return f"(%({name})s::date::timestamp AT TIME ZONE %(zone)s)"


def _usual(program: Program) -> uuid.UUID | None:
    return PointDefinition.objects.filter(program=program, is_default=True).values_list("pk", flat=True).first()


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", [f"{PAGE_SECONDS}s"])
            yield
    except OperationalError as failure:
        if getattr(failure.__cause__, "pgcode", None) != _CANCELED:
            raise
        raise TakesTooLong from failure
