"""Finding customers and cards by what a member of staff has: a card, an e-mail address, part of a name."""

import re
import uuid
from typing import Any

from django.db.models import Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Lower

from cards.models import CARD_NUMBER, Card, Customer
from loyalty import ids
from loyalty.models import Program

# As long as the reference of an order may be.
LONGEST_TERM = 255
# One more than a list is paged through, which then says that there are others. Of a word that more have, any of them:
# who looks for somebody says more.
MOST = 501
# Of more words the longest are looked for: they say the most.
_MOST_WORDS = 4
_INDEXED = 3
_LETTER = re.compile(r"[^\W_]")
# So many digits at least: fewer are in too many numbers.
_PHONE = re.compile(r"[^\w]*(?:[0-9][^\w]*){5,}")
_PART_OF_A_NUMBER = re.compile(r"L?C?[0-9]{3,}")
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def customers(term: str) -> QuerySet[Customer]:
    """This will answer the customers that a term may mean.

    A whole card number, e-mail address or id means one person of a programme. Anything else is looked for, word by
    word, within names, addresses, phone numbers and external ids: one or two letters where a word begins with them. Of
    more than four words the longest four are. All of it is found by indexes.
    """
    term = cleaned(term)
    if _is_card_number(term):
        return Customer.objects.filter(pk__in=_by_number(term).values("customer"))
    if key := _key(term, "card"):
        return Customer.objects.filter(cards__pk=key)
    if key := _key(term, "cus"):
        return Customer.objects.filter(pk=key)
    if not term:
        return Customer.objects.none()
    by_email = Customer.objects.alias(lowered=Lower("email")).filter(
        program__in=Program.objects.values("pk"), lowered=Lower(Value(term))
    )
    if "@" in term and by_email.exists():
        return by_email
    within = Customer.objects.alias(
        words=Func("name", "email", "phone", "external_id", function="cards_words", output_field=TextField())
    )
    if _PHONE.fullmatch(term):
        # Whatever stands between the digits, here or there.
        digits = re.sub(r"\D", "", term)
        by_digits = Q(words__contains=digits)
        # Where they stand together in the term, whoever has the term has them.
        return within.filter(by_digits if digits in term else by_digits | Q(words__contains=term))
    # Signs alone are in no index.
    words = {word: None for word in term.split() if _LETTER.search(word)}
    if not words:
        return Customer.objects.none()
    for word in sorted(words, key=len, reverse=True)[:_MOST_WORDS]:
        # The index knows three letters in a row: of fewer, those with which a word begins. The database makes them
        # small, as it does with what it has: Python does it otherwise for some letters.
        within = within.filter(words__contains=Lower(Value(word if len(word) >= _INDEXED else f" {word}")))
    return within


def of_program(rows: QuerySet[Any], key: str) -> QuerySet[Any]:
    """This will answer those of a programme whose id an address has; none where that is no id."""
    return rows.filter(program__pk=key) if _UUID.fullmatch(key) else rows.none()


def one(program: Program, term: str) -> Customer | None:
    """This will answer the programme's customer whom a whole card number, e-mail address or id names, ours or the
    shop's own, whatever has become of the customer, or None."""
    term = cleaned(term)
    if _is_card_number(term):
        return program.customers.filter(cards__number=_number(term)).first()
    named = Q(external_id=term)
    if key := _key(term, "cus"):
        named |= Q(pk=key)
    by_email = program.customers.alias(lowered=Lower("email")).filter(lowered=Lower(Value(term)))
    return program.customers.filter(named).first() or by_email.first()


def cards(term: str, *, program: str | None = None) -> QuerySet[Card]:
    """This will answer the cards that a term may mean, in all programmes or in the one of that id: by number, also a
    part of it, by id, or by their customer."""
    term = cleaned(term)
    cards, found = Card.objects.all(), customers(term)
    if program is not None:
        cards, found = of_program(cards, program), of_program(found, program)
    if _is_card_number(term):
        return cards.filter(pk__in=_by_number(term).values("pk"))
    if key := ids.parse("card", term):
        return cards.filter(pk=key)
    by_customer = cards.filter(customer__in=found.values("pk")[:MOST])
    if not _PART_OF_A_NUMBER.fullmatch(_number(term)):
        return by_customer
    by_number = cards.filter(number__contains=_number(term))
    # Not as one condition with two sides, for which no index can be used.
    return cards.filter(pk__in=by_number.values("pk")[:MOST].union(by_customer.values("pk")))


def cleaned(term: str) -> str:
    """This will answer a term as it is looked for: no longer than one may be, without NULs, which no column holds."""
    return term.replace("\0", "").strip()[:LONGEST_TERM]


def _is_card_number(term: str) -> bool:
    return CARD_NUMBER.fullmatch(_number(term)) is not None


def _number(term: str) -> str:
    return term.replace(" ", "").upper()


def _by_number(term: str) -> QuerySet[Card]:
    # The index on numbers begins with the programme: naming all of them, who are few, lets it be used.
    return Card.objects.filter(program__in=Program.objects.values("pk"), number=_number(term))


def _key(term: str, prefix: str) -> uuid.UUID | None:
    if prefix == "cus" and _UUID.fullmatch(term):
        return uuid.UUID(term)
    return ids.parse(prefix, term)
