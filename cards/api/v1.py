"""The customers face's operations on customers."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from cards import customers, membership
from cards.api import v1_shapes as shapes
from cards.models import Card, Customer
from loyalty import errors, idempotency, retry
from loyalty.api import renderers, v1
from loyalty.models import Program, Scope
from loyalty.permissions import caller
from points import profiles
from rewards import lapses, persons

_EXAMPLE = {"email": "jane@example.com", "name": "Jane Doe", "external_id": "customer-77", "locale": "en"}
# What clears a field.
_NOTHING: dict[str, Any] = {"name": "", "phone": "", "locale": "", "metadata": {}}


class CustomersViewSet(v1.V1ViewSet):
    """Makes, finds, changes and lists customers."""

    scopes = {
        "create": Scope.LOYALTY_WRITE,
        "list": Scope.LOYALTY_READ,
        "retrieve": Scope.LOYALTY_READ,
        "update": Scope.LOYALTY_WRITE,
        "merge": Scope.LOYALTY_WRITE,
        "erase": Scope.LOYALTY_WRITE,
    }
    refusals = {
        "create": (errors.InvalidEmail, membership.DuplicateCustomer, errors.IdempotencyKeyReused),
        "list": (errors.InvalidParameters,),
        "retrieve": (membership.CustomerNotFound,),
        "update": (errors.InvalidEmail, membership.CustomerNotFound, membership.DuplicateCustomer),
        "merge": (
            membership.CustomerNotFound,
            errors.InvalidParameters,
            errors.InvalidPoints,
            errors.IdempotencyKeyReused,
        ),
        "erase": (membership.CustomerNotFound,),
    }

    @extend_schema(
        summary="Make a customer",
        tags=v1.CUSTOMERS,
        request=shapes.CustomerInput,
        responses={201: shapes.Customer},
        examples=[OpenApiExample("A customer", value=_EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Makes a customer, who needs neither an e-mail address nor a card to have points."""
        body = _told(shapes.CustomerInput.read(request.data))
        program = caller(request).program

        def work() -> idempotency.Answer:
            customer = customers.create(program=program, **body)
            return v1.answer(_written(customer, program=program), 201)

        return v1.once(request, work)

    @extend_schema(
        summary="Customers",
        tags=v1.CUSTOMERS,
        parameters=[shapes.CustomersQuery],
        responses={200: v1.list_of(shapes.Customer)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's customers, the newest first. A customer who is made meanwhile comes before all that the
        list has told, so going on by `starting_after` neither skips nor repeats one. While a request is at work that
        makes customers, those made after it wait to be listed, a moment usually; asked for by `email` or
        `external_id`, they are told at once."""
        query = shapes.CustomersQuery.read(request.query_params.dict())
        program = caller(request).program
        page = v1.read_page(
            customers.listed(program=program, selected=query),
            query,
            find=lambda reference: customers.look_up(program=program, reference=reference),
            after=customers.after,
            before=customers.before,
        )
        lapses.of_customers([customer.pk for customer in page.rows], at=timezone.now())
        return v1.respond_with_list(_all_written(page.rows, program=program), has_more=page.has_more)

    @extend_schema(summary="Customer", tags=v1.CUSTOMERS, responses={200: shapes.Customer})
    def retrieve(self, request: Request, customer_id: str) -> HttpResponse:
        """Tells a customer, by the id or by the shop's own, and what the customer has right at the moment of asking."""
        program = caller(request).program
        customer = customers.find(program=program, reference=customer_id)
        lapses.of_customers([customer.pk], at=timezone.now())
        return v1.respond(_written(customer, program=program))

    @extend_schema(
        summary="Change a customer",
        tags=v1.CUSTOMERS,
        request=shapes.CustomerChange,
        responses={200: shapes.Customer},
        examples=[OpenApiExample("Another address", value={"email": "doe@example.com"}, request_only=True)],
    )
    def update(self, request: Request, customer_id: str) -> HttpResponse:
        """Changes what is sent of a customer; null clears."""
        changes = _told(shapes.CustomerChange.read(request.data))
        program = caller(request).program
        customer = customers.find(program=program, reference=customer_id)
        return v1.respond(_written(customers.change(customer=customer, changes=changes), program=program))

    @extend_schema(
        summary="Merge customers",
        tags=v1.CUSTOMERS,
        request=shapes.MergeInput,
        responses={200: shapes.Customer},
        examples=[OpenApiExample("Into another", value={"into": "customer-77"}, request_only=True)],
    )
    def merge(self, request: Request, customer_id: str) -> HttpResponse:
        """Makes two customers who are one person one: cards, points, holds and codes of this one go to the other, who
        is answered. Points keep their expiry, and the ledger of both tells it. Ids of this one mean the other from then
        on. What the other does not say is taken over: e-mail address, name, phone, locale."""
        body = shapes.MergeInput.read(request.data)
        program = caller(request).program

        def work() -> idempotency.Answer:
            customer = customers.look_up(program=program, reference=customer_id)
            if customer is None:
                raise membership.CustomerNotFound
            survivor = persons.merge(
                customer=customer,
                into=customers.find(program=program, reference=body["into"]),
                actor=caller(request).key_id,
                at=timezone.now(),
            )
            return v1.answer(_written(survivor, program=program))

        return v1.once(request, work)

    @extend_schema(summary="Erase a customer", tags=v1.CUSTOMERS, responses={204: None})
    def erase(self, request: Request, customer_id: str) -> HttpResponse:
        """Erases the person: e-mail address, name, phone, the shop's own id, metadata, and what was written into
        transactions. The ledger stays, with the points forfeited by an entry; cards are stopped. It cannot be undone,
        and the customer is not found any more."""
        program = caller(request).program
        customer = customers.find(program=program, reference=customer_id)
        retry.run(
            lambda: persons.erase(customer=customer, actor=caller(request).key_id, at=timezone.now()), repeatable=False
        )
        return HttpResponse(status=204)


def told(rows: Sequence[Customer], program: Program) -> list[dict[str, Any]]:
    """This will answer what events tell of the programme's customers: what they are and have now."""
    return renderers.plain(_all_written(rows, program=program))


def cards_told(rows: Sequence[Card], _: Program) -> list[dict[str, Any]]:
    """This will answer what events tell of the programme's cards."""
    now = timezone.now()
    return renderers.plain([shapes.EventCard.write(card, status=membership.state(card, at=now)) for card in rows])


def _told(body: dict[str, Any]) -> dict[str, Any]:
    return {name: _NOTHING.get(name) if value is None else value for name, value in body.items()}


def _written(customer: Customer, *, program: Program) -> dict[str, Any]:
    [written] = _all_written([customer], program=program)
    return written


def _all_written(rows: Iterable[Customer], *, program: Program) -> list[dict[str, Any]]:
    now = timezone.now()
    return [
        shapes.Customer.write(
            profile.customer,
            name=profile.customer.name or None,
            phone=profile.customer.phone or None,
            locale=profile.customer.locale or None,
            points_balance=profile.balance,
            pending_points=profile.pending,
            held_points=profile.held,
            lifetime_points=profile.lifetime_earned,
            tier=profile.tier,
            cards=[shapes.CustomerCard.write(card, status=membership.state(card, at=now)) for card in profile.cards],
        )
        for profile in profiles.of(rows, program=program, at=now)
    ]
