"""Which account a caller means: by a card or a customer, and a kind of points."""

import dataclasses
import functools
import uuid
from collections.abc import Iterable

from django.db import connection

from cards import customers, membership
from loyalty import ids
from loyalty.models import Program
from loyalty.postgres import prepared
from points import definitions
from points.ledger import AccountRef
from points.models import PointDefinition

# By the type of a card's name, the column that has it.
_NAMED_BY: dict[type, str] = {uuid.UUID: "id", str: "number", int: "serial"}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """An account, and the card by which it was named."""

    account: AccountRef
    card_id: uuid.UUID | None

    @property
    def customer_id(self) -> uuid.UUID:
        """Whose account it is."""
        return self.account.customer_id


def find(
    *, program: Program, card: str | None = None, customer: str | None = None, definition: str | None = None
) -> Named:
    """This will answer the account that a card (its id or number) or else a customer's id names, whether it exists yet
    or not, of the definition with that code or of the programme's default one.

    Raises:
        errors.InvalidParameters: the programme has no such definition.
        cards.membership.CardNotFound, cards.membership.CustomerNotFound: it has no such card, no such customer.
    """
    if card is None:
        kind = definitions.find(program, definition)
        owner = membership.find_customer(program=program, reference=customer or "")
        return Named(account=AccountRef(program=program, definition=kind, customer_id=owner.pk), card_id=None)
    named = membership.parse(card)
    row = None if named is None else _read(program, named, definition)
    if row is None:
        definitions.find(program, definition)
        raise membership.CardNotFound(card)
    return _named(program, row)


def find_by_serial(*, program: Program, serial: int) -> Named:
    """This will answer the account of the programme's default definition that a card's number in the shop's API names.

    Raises:
        cards.membership.CardNotFound: the programme has no such card.
    """
    row = _read(program, serial, None)
    if row is None:
        raise membership.CardNotFound(str(serial))
    return _named(program, row)


def of_customer(*, program: Program, reference: str, definition: str | None = None) -> AccountRef:
    """This will answer the account of a customer, named by our id or by the shop's own, of the definition with that
    code or of the programme's default one.

    Raises:
        errors.InvalidParameters: the programme has no such definition.
        cards.membership.CustomerNotFound: it has no such customer.
    """
    owner = customers.find(program=program, reference=reference)
    return AccountRef(program=program, definition=definitions.find(program, definition), customer_id=owner.pk)


def default_of(program: Program, customer_id: uuid.UUID) -> AccountRef:
    """This will answer a customer's account of the programme's default definition: the one that cards mean."""
    return AccountRef(program=program, definition=definitions.find(program, None), customer_id=customer_id)


def all_of(program: Program, customer_id: uuid.UUID) -> list[AccountRef]:
    """This will answer a customer's accounts of all the programme's definitions, in the order of their numbers, whether
    they exist yet or not."""
    return [
        AccountRef(program=program, definition=kind, customer_id=customer_id)
        for kind in program.definitions.order_by("number")
    ]


class Directory:
    """The accounts that many cards and customers name; all of them are read at once."""

    def __init__(
        self,
        *,
        program: Program,
        cards: Iterable[str],
        customers: Iterable[str],
        codes: Iterable[str | None],
    ) -> None:
        self.program = program
        named = {card: membership.parse(card) for card in cards}
        found = _read_cards(program, set(named.values()))
        self._cards = {card: found[name] for card, name in named.items() if name in found}
        self._customers = _read_customers(program, {ids.parse("cus", customer) for customer in customers})
        self._definitions = definitions.find_all(program, codes)
        self._accounts: dict[tuple[uuid.UUID, str | None], AccountRef] = {}

    def find(self, *, card: str | None, customer: str | None, definition: str | None) -> Named:
        """This will answer what the function of that name does, and raise what it raises."""
        kind = self._definitions.get(definition)
        if kind is None:
            raise definitions.unknown()
        if card is not None:
            if card not in self._cards:
                raise membership.CardNotFound(card)
            card_id, customer_id = self._cards[card]
            return Named(card_id=card_id, account=self._account(customer_id, definition, kind))
        owner = ids.parse("cus", customer or "")
        if owner is None or owner not in self._customers:
            raise membership.CustomerNotFound
        return Named(card_id=None, account=self._account(owner, definition, kind))

    def _account(self, customer_id: uuid.UUID, code: str | None, kind: PointDefinition) -> AccountRef:
        account = self._accounts.get((customer_id, code))
        if account is None:
            account = AccountRef(program=self.program, definition=kind, customer_id=customer_id)
            self._accounts[customer_id, code] = account
        return account


def _read_cards(
    program: Program, named: set[uuid.UUID | str | None]
) -> dict[uuid.UUID | str | None, tuple[uuid.UUID, uuid.UUID]]:
    """This will answer (card id, customer id) by the card's id and by its number, of those that there are."""
    card_ids = [name for name in named if isinstance(name, uuid.UUID)]
    numbers = [name for name in named if isinstance(name, str)]
    known: dict[uuid.UUID | str | None, tuple[uuid.UUID, uuid.UUID]] = {}
    for condition in ({"pk__in": card_ids}, {"number__in": numbers}):
        for card_id, number, customer_id in program.cards.filter(**condition).values_list(
            "pk", "number", "customer_id"
        ):
            known[card_id] = known[number] = (card_id, customer_id)
    return known


def _read_customers(program: Program, named: set[uuid.UUID | None]) -> set[uuid.UUID]:
    """This will answer those of the customers that there are: the ledger finds who they are by now."""
    known = [name for name in named if name is not None]
    return set(program.customers.filter(pk__in=known, erased_at=None).values_list("pk", flat=True))


def _named(program: Program, row: tuple) -> Named:
    card_id, customer_id, *columns = row
    kind = PointDefinition.from_db(connection.alias, _columns(), columns)
    return Named(account=AccountRef(program=program, definition=kind, customer_id=customer_id), card_id=card_id)


def _read(program: Program, card: uuid.UUID | str | int, definition: str | None) -> tuple | None:
    # By hand: it is on the path of every posting, and building two queries with the ORM costs more than running this.
    with connection.cursor() as cursor:
        prepared.execute(
            cursor,
            "find_account",
            _query(column=_NAMED_BY[type(card)], is_default=definition is None),
            {"program": program.pk, "card": card, "definition": definition},
        )
        return cursor.fetchone()


@functools.cache
def _query(*, column: str, is_default: bool) -> str:
    return (
        f"SELECT c.id, c.customer_id, {', '.join(f'd.{column}' for column in _columns())}"
        f" FROM cards_card c JOIN points_pointdefinition d ON d.program_id = c.program_id"
        f" AND {'d.is_default' if is_default else 'd.code = %(definition)s'}"
        f" WHERE c.program_id = %(program)s AND c.{column} = %(card)s"
    )


@functools.cache
def _columns() -> list[str]:
    return [field.attname for field in PointDefinition._meta.concrete_fields]
