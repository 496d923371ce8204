"""The customers face's operations on events."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from cards import customers, membership
from events import log
from events.api import v1_shapes as shapes
from events.models import Event, EventType
from loyalty import errors, ids
from loyalty.api import renderers, v1
from loyalty.models import Program, Scope
from loyalty.permissions import caller, require
from points import accounts, definitions, histories
from points.models import EntryType, PointAccount, TierChange
from points.reminders import AtRisk, ExpiringSoon


class EventsViewSet(v1.V1ViewSet):
    """Tells what happened."""

    scopes = {"list": Scope.LOYALTY_READ, "retrieve": Scope.LOYALTY_READ}
    refusals = {
        "list": (errors.InvalidParameters, membership.CustomerNotFound),
        "retrieve": (log.EventNotFound,),
    }

    @extend_schema(
        summary="Events", tags=v1.EVENTS, parameters=[shapes.EventsQuery], responses={200: v1.list_of(shapes.Event)}
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists what happened in the programme, the oldest first: go on with the last id as `starting_after`, and none
        is skipped or told twice. While a request is at work, events written after it began wait to be listed, a moment
        usually. With `since_sequence` it lists the transactions of one account by their numbers, from which its balance
        can be rebuilt. Needs `points:read`, too. A programme without an event log keeps events only while it has a
        webhook endpoint."""
        require(request, Scope.POINTS_READ)
        query = shapes.EventsQuery.read(request.query_params.dict())
        program = caller(request).program
        kind = None if query["type"] is None else EventType(query["type"])
        if query["since_sequence"] is None:
            rows = log.of_program(program=program, kind=kind, account_ids=_accounts(program, query))
            known, after, before = program.events.all(), log.after, log.before
        else:
            account = accounts.of_customer(
                program=program, reference=query["customer_id"], definition=query["definition"]
            )
            histories.settle(account=account, at=timezone.now())
            rows = log.of_account(program=program, account_id=account.id, kind=kind, above=query["since_sequence"])
            known, after, before = rows, log.above, log.below
        page = v1.read_page(rows, query, find=lambda named: _find(known, named), after=after, before=before)
        return v1.respond_with_list(written(page.rows, program), has_more=page.has_more)

    @extend_schema(summary="Event", tags=v1.EVENTS, responses={200: shapes.Event})
    def retrieve(self, request: Request, event_id: str) -> HttpResponse:
        """Tells an event. Needs `points:read`, too."""
        require(request, Scope.POINTS_READ)
        program = caller(request).program
        event = log.find(program=program, event_id=ids.parse("evt", event_id))
        return v1.respond(written([event], program)[0])


def written(events: Sequence[Event], program: Program) -> list[dict[str, Any]]:
    """This will answer how events of the programme are told, to lists and to webhooks."""
    told = _transactions(events) | _tier_changes(events)
    owners = PointAccount.objects.filter(pk__in={event.account_id for event in events}, program=program)
    codes = dict(owners.values_list("pk", "definition__code"))
    return [
        shapes.Event.write(
            event,
            definition=codes.get(event.account_id),
            data=event.data if event.subject_id is None else told[event.subject_id],
        )
        for event in events
    ]


def expiring_told(rows: Sequence[ExpiringSoon], _: Program) -> list[dict[str, Any]]:
    """This will answer what events tell of points that expire soon."""
    return renderers.plain([shapes.ExpiringPoints.write(row, object="expiring_points") for row in rows])


def tiers_at_risk_told(rows: Sequence[AtRisk], _: Program) -> list[dict[str, Any]]:
    """This will answer what events tell of tiers that fall soon."""
    return renderers.plain([shapes.TierRisk.write(row, object="tier_risk") for row in rows])


def _transactions(events: Sequence[Event]) -> dict[uuid.UUID, dict[str, Any]]:
    named = {
        (event.account_id, event.subject_id): event
        for event in events
        if event.subject_id is not None and event.sequence is not None
    }
    return {
        entry.id: shapes.PointsEventTransaction.write(
            entry,
            customer_id=ids.public("cus", named[entry.account_id, entry.id].customer_id),
            type=shapes.WORDS[EntryType(entry.type)],
        )
        for entry in histories.named(named)
    }


def _tier_changes(events: Sequence[Event]) -> dict[uuid.UUID, dict[str, Any]]:
    named = {
        event.subject_id: event
        for event in events
        if event.subject_id is not None and event.type == EventType.CUSTOMER_TIER_CHANGED
    }
    account_ids = {event.account_id for event in named.values()}
    changes = TierChange.objects.filter(account_id__in=account_ids, id__in=named).select_related("from_tier", "to_tier")
    return {
        change.id: shapes.TierChange.write(
            change,
            customer_id=ids.public("cus", named[change.id].customer_id),
            from_tier=change.from_tier and change.from_tier.name,
            to_tier=change.to_tier and change.to_tier.name,
        )
        for change in (changes if named else ())
    }


def _accounts(program: Program, query: dict[str, Any]) -> set[uuid.UUID] | None:
    """This will answer the accounts whose events are wanted: a customer's, also from before merges, and the customer's
    own, which are those of the cards; None: all of the programme."""
    if query["customer_id"] is None:
        return None
    customer = customers.find(program=program, reference=query["customer_id"])
    people = membership.ids_of(customer.pk)
    if query["definition"] is not None:
        kind = definitions.find(program, query["definition"])
        return {PointAccount.id_for(person, kind.pk) for person in people}
    return {*people, *(account.id for person in people for account in accounts.all_of(program, person))}


def _find(events: QuerySet[Event], reference: str) -> Event | None:
    key = ids.parse("evt", reference)
    return events.filter(pk=key).first() if key else None
