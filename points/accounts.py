"""Which account a caller means: by a card or a customer, and a kind of points."""

import dataclasses
import functools
import uuid
from collections.abc import Iterable

from django.db import connection

from cards import membership
from cards.models import Card
from loyalty.models import Program
from points import definitions
from points.ledger import AccountRef
from points.models import PointDefinition


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
    card_id, customer_id, *columns = row
    kind = PointDefinition.from_db(connection.alias, _columns(), columns)
    return Named(account=AccountRef(program=program, definition=kind, customer_id=customer_id), card_id=card_id)


def default(*, program: Program, cards: Iterable[Card]) -> dict[uuid.UUID, AccountRef]:
    """This will answer the accounts of the programme's default definition that cards mean, by card."""
    kind = definitions.find(program, None)
    return {card.pk: AccountRef(program=program, definition=kind, customer_id=card.customer_id) for card in cards}


def _read(program: Program, card: uuid.UUID | str, definition: str | None) -> tuple | None:
    # By hand: it is on the path of every posting, and building two queries with the ORM costs more than running this.
    with connection.cursor() as cursor:
        cursor.execute(
            _query(is_number=isinstance(card, str), is_default=definition is None),
            {"program": program.pk, "card": card, "definition": definition},
        )
        return cursor.fetchone()


@functools.cache
def _query(*, is_number: bool, is_default: bool) -> str:
    return (
        f"SELECT c.id, c.customer_id, {', '.join(f'd.{column}' for column in _columns())}"
        f" FROM cards_card c JOIN points_pointdefinition d ON d.program_id = c.program_id"
        f" AND {'d.is_default' if is_default else 'd.code = %(definition)s'}"
        f" WHERE c.program_id = %(program)s AND c.{'number' if is_number else 'id'} = %(card)s"
    )


@functools.cache
def _columns() -> list[str]:
    return [field.attname for field in PointDefinition._meta.concrete_fields]
