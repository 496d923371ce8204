"""Finding customers and cards by what a member of staff has: a card, an e-mail address, part of a name."""

import re
import uuid

from django.db.models import CharField, F, Func, Q, QuerySet, Value
from django.db.models.functions import Lower

from cards.models import Card, Customer
from loyalty import ids
from loyalty.models import Program

LONGEST_TERM = 200
_MOST_WORDS = 5
# So many digits at least: fewer are in too many numbers.
_PHONE = re.compile(r"[^0-9A-Za-z]*(?:[0-9][ ()+./-]*){5,}")
_NUMBER = re.compile(r"LC[0-9]{12}")
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def customers(term: str) -> QuerySet[Customer]:
    """This will answer the customers that a term may mean.

    A whole card number, e-mail address or id means one person of a programme and is found by an index. Anything else
    is looked for, word by word, within names, addresses, phone numbers and external ids.
    """
    term = _cleaned(term)
    if _is_card_number(term):
        return Customer.objects.filter(pk__in=_by_number(term).values("customer"))
    if key := _key(term, "card"):
        return Customer.objects.filter(cards__pk=key)
    if key := _key(term, "cus"):
        return Customer.objects.filter(pk=key)
    by_email = Customer.objects.alias(lowered=Lower("email")).filter(
        program__in=Program.objects.values("pk"), lowered=Lower(Value(term))
    )
    if "@" in term and by_email.exists():
        return by_email
    found = _within(term, "name", "email", "phone", "external_id")
    if not _PHONE.fullmatch(term):
        return Customer.objects.filter(found)
    # Whatever stands between the digits, here or there.
    digits = Func(F("phone"), Value(r"\D"), Value(""), Value("g"), function="regexp_replace", output_field=CharField())
    return Customer.objects.alias(digits=digits).filter(found | Q(digits__contains=re.sub(r"\D", "", term)))


def one(program: Program, term: str) -> Customer | None:
    """This will answer the programme's customer whom a whole card number, e-mail address or id names, ours or the
    shop's own, whatever has become of the customer, or None."""
    term = _cleaned(term)
    if _is_card_number(term):
        return program.customers.filter(cards__number=_number(term)).first()
    named = Q(external_id=term)
    if key := _key(term, "cus"):
        named |= Q(pk=key)
    by_email = program.customers.alias(lowered=Lower("email")).filter(lowered=Lower(Value(term)))
    return program.customers.filter(named).first() or by_email.first()


def cards(term: str) -> QuerySet[Card]:
    """This will answer the cards that a term may mean: by number, also a part of it, by id, or by their customer."""
    term = _cleaned(term)
    if _is_card_number(term):
        return _by_number(term)
    if key := ids.parse("card", term):
        return Card.objects.filter(pk=key)
    return Card.objects.filter(Q(number__icontains=term) | Q(customer__in=customers(term)))


def _cleaned(term: str) -> str:
    return term.strip()[:LONGEST_TERM]


def _is_card_number(term: str) -> bool:
    return _NUMBER.fullmatch(_number(term)) is not None


def _number(term: str) -> str:
    return term.replace(" ", "").upper()


def _by_number(term: str) -> QuerySet[Card]:
    # The index on numbers begins with the programme: naming all of them, who are few, lets it be used.
    return Card.objects.filter(program__in=Program.objects.values("pk"), number=_number(term))


def _key(term: str, prefix: str) -> uuid.UUID | None:
    if prefix == "cus" and _UUID.fullmatch(term):
        return uuid.UUID(term)
    return ids.parse(prefix, term)


def _within(term: str, *fields: str) -> Q:
    found = Q()
    for word in term.split()[:_MOST_WORDS]:
        in_any = Q()
        for field in fields:
            in_any |= Q(**{f"{field}__icontains": word})
        found &= in_any
    return found
