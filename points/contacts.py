"""Accounts as callers name them who think in contacts: by the account's id, or by a contact and the number of a kind of
points. A contact is a customer."""

import dataclasses
import datetime
import uuid
from collections.abc import Iterable
from decimal import Decimal

from django.db import connection

from cards import membership
from loyalty import errors
from loyalty.models import Program
from points import accounts, heirs, ledger
from points.models import AccountRef, PointAccount, PointDefinition

MOST_DEFINITIONS = 2**31 - 1  # What the column of their numbers holds.


class PointAccountNotFound(errors.NotFound):
    """The programme has no such account."""

    code = "POINT_ACCOUNT_NOT_FOUND"
    message = "There is no such account."


class PointDefinitionNotFound(errors.NotFound):
    """The programme has no such kind of points."""

    code = "POINT_DEFINITION_NOT_FOUND"
    message = "There is no such definition of points."


class ContactNotFound(errors.NotFound):
    """The programme has no such customer."""

    code = "CONTACT_NOT_FOUND"
    message = "There is no such contact."


class PointSystemNotActive(errors.Refusal):
    """The programme keeps no point accounts: nothing is posted to them by this API."""

    code = "POINT_SYSTEM_NOT_ACTIVE"
    status = 400
    message = "The programme has its point accounts switched off."


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An account by the clock: what fell due is written. `expires_at`: when the next part of its balance ends."""

    ref: AccountRef
    balance: Decimal
    pending: Decimal
    held: Decimal
    expires_at: datetime.datetime | None


def require_accounts(program: Program) -> None:
    """This will let a posting go on where the programme keeps point accounts.

    Raises:
        PointSystemNotActive: it does not.
    """
    if not program.has_point_accounts:
        raise PointSystemNotActive


def find(*, program: Program, account_id: uuid.UUID) -> AccountRef:
    """This will answer the programme's account of that id.

    Raises:
        PointAccountNotFound: there is none.
    """
    account = PointAccount.objects.select_related("definition").filter(program=program, pk=account_id).first()
    if account is None:
        raise PointAccountNotFound
    return AccountRef(program=program, definition=account.definition, customer_id=account.customer_id)


def name(*, program: Program, contact_id: uuid.UUID, definition_id: int) -> AccountRef:
    """This will answer a contact's account of the definition with that number, whether it exists yet or not; of who
    was merged into another, the other's.

    Raises:
        ContactNotFound, PointDefinitionNotFound: the programme has no such customer, no such definition.
    """
    customer_id = find_contact(program=program, contact_id=contact_id)
    definition = find_definition(program=program, number=definition_id)
    return AccountRef(program=program, definition=definition, customer_id=customer_id)


def find_contact(*, program: Program, contact_id: uuid.UUID) -> uuid.UUID:
    """This will answer the programme's contact of that id, or whom that one was merged into.

    Raises:
        ContactNotFound: it has none of that id, or who it is by now was erased.
    """
    contact = program.customers.select_related("merged_into").filter(pk=contact_id).first()
    try:
        return membership.of_today(contact).pk
    except membership.CustomerNotFound as refusal:
        raise ContactNotFound from refusal


def of_today(account: AccountRef) -> AccountRef:
    """This will answer an account, or what it has become by merges of customers."""
    heir = heirs.of([account.id]).get(account.id)
    return account if heir is None else account.of(heir)


def find_definition(*, program: Program, number: int) -> PointDefinition:
    """This will answer the programme's definition of that number.

    Raises:
        PointDefinitionNotFound: there is none.
    """
    found = find_definitions(program=program, numbers=[number])
    if number not in found:
        raise PointDefinitionNotFound
    return found[number]


def find_definitions(*, program: Program, numbers: Iterable[int]) -> dict[int, PointDefinition]:
    """This will answer, by number, those of the programme's definitions that there are."""
    possible = {number for number in numbers if number <= MOST_DEFINITIONS}
    return {kind.number: kind for kind in program.definitions.filter(number__in=possible)}


def find_contacts(*, program: Program, contact_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """This will answer those of the contacts that the programme has."""
    return set(program.customers.filter(pk__in=set(contact_ids), erased_at=None).values_list("pk", flat=True))


def of_contact(*, program: Program, contact_id: uuid.UUID) -> list[AccountRef]:
    """This will answer the accounts that a contact has, in the order of their definitions' numbers.

    Raises:
        ContactNotFound: the programme has no such customer.
    """
    customer_id = find_contact(program=program, contact_id=contact_id)
    # By their ids, which are worked out: accounts are indexed by nothing else.
    named = accounts.all_of(program, customer_id)
    existing = set(PointAccount.objects.filter(pk__in=[ref.id for ref in named]).values_list("pk", flat=True))
    return [ref for ref in named if ref.id in existing]


def tell(wanted: Iterable[AccountRef], *, at: datetime.datetime) -> list[Told]:
    """This will write what fell due in accounts, and answer what they have; those that do not exist are left out."""
    refs = {ref.id: ref for ref in wanted}
    settle(refs, at=at)
    rows = PointAccount.objects.only("id", "balance", "pending", "held").in_bulk(list(refs))
    ends = _next_ends(list(rows), at=at)
    return [
        Told(ref=ref, balance=row.balance, pending=row.pending, held=row.held, expires_at=ends.get(ref.id))
        for ref in refs.values()
        if (row := rows.get(ref.id)) is not None
    ]


def settle(account_ids: Iterable[uuid.UUID], *, at: datetime.datetime) -> None:
    """This will write what fell due by `at` in accounts."""
    due = PointAccount.objects.filter(pk__in=account_ids, next_due_at__lte=at)
    ledger.settle(
        [
            AccountRef(program=row.program, definition=row.definition, customer_id=row.customer_id)
            for row in due.select_related("program", "definition")
        ],
        at=at,
    )


_NEXT_ENDS = """
SELECT a.id, LEAST(dated.ends_at, idle.ends_at)
FROM points_pointaccount a JOIN loyalty_program g ON g.id = a.program_id
LEFT JOIN LATERAL (
    SELECT l.expires_at AS ends_at FROM points_pointlot l
    WHERE l.account_id = a.id AND l.is_open AND l.inactivity_months IS NULL AND l.expires_at > %(at)s
    AND (l.active_from IS NULL OR l.active_from <= %(at)s)
    ORDER BY l.expires_at, l.version LIMIT 1
) dated ON TRUE
LEFT JOIN LATERAL (
    SELECT min(points_months_after(GREATEST(a.last_activity_at, l.active_from), l.inactivity_months, g.timezone))
        AS ends_at
    FROM points_pointlot l
    WHERE l.account_id = a.id AND l.is_open AND l.inactivity_months IS NOT NULL AND l.active_from <= %(at)s
) idle ON TRUE
WHERE a.id = ANY(%(accounts)s::uuid[])
"""


def _next_ends(account_ids: list[uuid.UUID], *, at: datetime.datetime) -> dict[uuid.UUID, datetime.datetime | None]:
    """This will answer when the next active lot of each account ends."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT_ENDS, {"accounts": account_ids, "at": at})
        return dict(cursor.fetchall())
