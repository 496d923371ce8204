"""Wanting no more e-mails, or wanting them again, by a link that names the customer and nobody can make up."""

import dataclasses
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse

from cards.models import Customer
from loyalty import errors
from notices.kinds import ALL, Group

_LONGEST = 200
# How a merge can move the customer on while this waits for the row.
_MOST_STEPS = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """What a link says: whose e-mails, and of which group the one was that it stood in."""

    customer_id: uuid.UUID
    group: Group


def address(*, customer: Customer, group: Group) -> str:
    """This will answer the address of the page on which a customer unsubscribes. It holds as long as SECRET_KEY."""
    token = _signer().sign(f"{customer.pk.hex}-{group.value}")
    return public(reverse("unsubscribe", args=[token]))


def public(path: str) -> str:
    """This will answer the address under which others see a path of the service."""
    return f"{settings.PUBLIC_URL}{path}"


def host() -> str:
    """This will answer the name under which others see the service."""
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def read(token: str) -> Link | None:
    """This will answer what a link says that was made here, or None for anything else."""
    if len(token) > _LONGEST:
        return None
    try:
        said = _signer().unsign(token)
    except signing.BadSignature:
        return None
    customer, _, group = said.partition("-")
    return Link(uuid.UUID(customer), Group(group))


def find(link: Link) -> Customer | None:
    """This will answer the customer of a link, or whom that one was merged into; None where that one was erased."""
    customer = Customer.objects.select_related("program", "merged_into__program").get(pk=link.customer_id)
    customer = customer.merged_into or customer
    return None if customer.erased_at is not None else customer


def unsubscribe(*, link: Link, everything: bool = False) -> None:
    """This will keep that the customer of a link wants no more of its group, or no e-mails at all.

    Raises:
        errors.Unavailable: the customer is merged into others all the time.
    """
    _change(link, lambda before: before | {ALL if everything else link.group.value})


def resubscribe(*, link: Link) -> None:
    """This will keep that the customer of a link wants all e-mails again.

    Raises:
        errors.Unavailable: the customer is merged into others all the time.
    """
    _change(link, lambda _: set())


def _change(link: Link, how: Callable[[set[str]], set[str]]) -> None:
    for _ in range(_MOST_STEPS):
        customer = find(link)
        if customer is None:
            return
        with transaction.atomic():
            rows = Customer.objects.select_for_update(no_key=True)
            locked = rows.filter(pk=customer.pk, merged_into=None, erased_at=None).first()
            if locked is not None:
                locked.unsubscribed_from = sorted(how(set(locked.unsubscribed_from)))
                locked.save(update_fields=["unsubscribed_from"])
                return
    raise errors.Unavailable


def _signer() -> signing.Signer:
    # Nothing else that is signed with SECRET_KEY can pass for such a link. A dot stays as it is in an address.
    return signing.Signer(salt="notices.unsubscribing", sep=".")
