"""Customers as the shop's own systems keep them: found by our id or by one of theirs, made, changed and listed."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower
from django_filters import Filter, FilterSet

from cards.membership import DuplicateCustomer, of_today
from cards.models import Customer, looks_like_ours
from events import outbox
from events.models import EventType
from loyalty import errors, ids, xids
from loyalty.models import Program

LONGEST_EXTERNAL_ID = 100


class CustomerFilters(FilterSet):
    """Which customers of a list are wanted, by values that have been read."""

    email = Filter(method="of_address")
    external_id = Filter(method="of_external_id")

    def of_address(self, customers: QuerySet[Customer], _: str, email: str) -> QuerySet[Customer]:
        """This will answer the customer who has that e-mail address, in whatever case."""
        return _who_are_today(customers, _with_address(self.queryset, email))

    def of_external_id(self, customers: QuerySet[Customer], _: str, external_id: str) -> QuerySet[Customer]:
        """This will answer the customer whom the shop knows by that id."""
        return _who_are_today(customers, self.queryset.filter(external_id=external_id))


def find(*, program: Program, reference: str) -> Customer:
    """This will answer the programme's customer of that id, or else of that id of the shop's own; or whom that one was
    merged into.

    Raises:
        cards.membership.CustomerNotFound: there is none, or the customer was erased.
    """
    return of_today(look_up(program=program, reference=reference))


def look_up(*, program: Program, reference: str) -> Customer | None:
    """This will answer the customer's row that is named like that, whatever has become of the customer, or None."""
    known = program.customers.select_related("merged_into")
    key = ids.parse("cus", reference)
    customer = known.filter(pk=key).first() if key else None
    # What comes from a path may be anything; the database compares no text with a NUL.
    if customer is None and 0 < len(reference) <= LONGEST_EXTERNAL_ID and "\0" not in reference:
        customer = known.filter(external_id=reference).first()
    return customer


def listed(*, program: Program, selected: Mapping[str, Any] | None = None) -> QuerySet[Customer]:
    """This will answer the programme's customers, the newest first, in an order that a cursor can rely on: none is
    skipped or told twice while others are made. `selected` as the filters name it.

    Left out are those who were merged into others or erased; and the newest, as long as a transaction runs whose
    customers could still come before them; but whoever is asked for by address or by the shop's own id is told at once,
    being the only one.
    """
    customers = program.customers.order_by("-xid", "-id")
    if selected and any(selected.get(name) for name in CustomerFilters.base_filters):
        return CustomerFilters(selected, queryset=customers).qs.filter(merged_into=None, erased_at=None)
    return xids.settled(customers.filter(merged_into=None, erased_at=None))


def after(customers: QuerySet[Customer], customer: Customer) -> QuerySet[Customer]:
    """This will answer those of a list that come after one of them: the older ones."""
    return xids.earlier(customers, customer)


def before(customers: QuerySet[Customer], customer: Customer) -> QuerySet[Customer]:
    """This will answer those of a list that come before one of them, the nearest first."""
    return xids.later(customers, customer).reverse()


def create(
    *,
    program: Program,
    email: str | None = None,
    name: str = "",
    phone: str = "",
    external_id: str | None = None,
    locale: str = "",
    metadata: dict[str, Any] | None = None,
) -> Customer:
    """This will make a customer, who needs neither an address nor a card.

    Raises:
        DuplicateCustomer: the programme has one of that e-mail address, in whatever case, or of that external id.
        errors.InvalidParameters: the external id looks like one of ours.
        errors.Unavailable: whoever had the address or the id has just given it up.
    """
    _refuse_ours(external_id)
    customer = Customer(
        program=program,
        email=email,
        name=name,
        phone=phone,
        external_id=external_id,
        locale=locale,
        metadata=metadata or {},
    )
    with transaction.atomic():
        Customer.objects.bulk_create([customer], ignore_conflicts=True)
        # Skipped where another has the address or the id, or is being made with it: the INSERT has waited for that one.
        made = program.customers.filter(pk=customer.pk).first()
        if made is not None:
            outbox.record(EventType.CUSTOMER_CREATED, [made], program=program)
    if made is None:
        _refuse_taken(customer, email=email, external_id=external_id)
        raise errors.Unavailable
    return made


def change(*, customer: Customer, changes: Mapping[str, Any]) -> Customer:
    """This will change those fields of a customer that are named, and answer the customer as it is then.

    Raises:
        DuplicateCustomer: another customer has the e-mail address or the external id.
        errors.InvalidParameters: the external id looks like one of ours.
        errors.Unavailable: whoever had the address or the id has just given it up, or the customer has just been merged
            into another or erased.
    """
    email, external_id = changes.get("email"), changes.get("external_id")
    _refuse_ours(external_id)
    _refuse_taken(customer, email=email, external_id=external_id)
    # A merge that the UPDATE has waited for would keep what is changed from the one who stays.
    rows = Customer.objects.filter(program_id=customer.program_id, pk=customer.pk, merged_into=None, erased_at=None)
    if changes:
        try:
            with transaction.atomic():
                if rows.update(**changes):
                    outbox.record(EventType.CUSTOMER_UPDATED, rows, program=customer.program)
        except IntegrityError as failure:
            # Another has taken the address or the id since: the UPDATE has waited for that one.
            _refuse_taken(customer, email=email, external_id=external_id)
            raise errors.Unavailable from failure
    changed = rows.first()
    if changed is None:
        raise errors.Unavailable
    return changed


def _refuse_ours(external_id: str | None) -> None:
    if external_id is not None and looks_like_ours(external_id):
        raise errors.InvalidParameters({"external_id": ["Must not look like an id of this service."]}, rule="reserved")


def _refuse_taken(customer: Customer, *, email: str | None, external_id: str | None) -> None:
    others = Customer.objects.filter(program_id=customer.program_id).exclude(pk=customer.pk)
    if email is not None and _with_address(others, email).exists():
        raise DuplicateCustomer(field="email")
    if external_id is not None and others.filter(external_id=external_id).exists():
        raise DuplicateCustomer(field="external_id")


def _who_are_today(customers: QuerySet[Customer], found: QuerySet[Customer]) -> QuerySet[Customer]:
    """This will answer those of the customers who were found, or whom those were merged into."""
    rows = found.order_by().values_list("pk", "merged_into")
    return customers.filter(pk__in=[merged_into or pk for pk, merged_into in rows])


def _with_address(customers: QuerySet[Customer], email: str) -> QuerySet[Customer]:
    return customers.alias(lowered=Lower("email")).filter(lowered=Lower(Value(email)))
