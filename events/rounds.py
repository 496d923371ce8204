"""One round of an endpoint's deliveries, in one transaction: what came of the last attempts is written down, new events
become deliveries, and what is to be attempted next is read."""

import dataclasses
import datetime
import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.db import connection, models, transaction

from events import backoff, endpoints, fan_out
from events.models import TEST, Delivery, Event, WebhookEndpoint
from events.sending import Outcome, Parcel, Target
from loyalty import ids
from loyalty.models import Program

logger = logging.getLogger(__name__)

# How events of a programme go out, each as JSON.
Writer = Callable[[Sequence[Event], Program], list[bytes]]
TestWriter = Callable[[WebhookEndpoint, Delivery], bytes]

# So many deliveries have failed, each for the first time, since one arrived: the endpoint is tried with one at a time.
DOWN_AFTER = 5
# So many pages of events that an endpoint does not want are passed over in one round.
MOST_PAGES = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Writers:
    """Who writes what goes out: of events, and of a test of an endpoint."""

    events: Writer
    test: TestWriter


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """What is to be attempted next, and where. `failures`: how many have failed since the last one that did not."""

    target: Target
    failures: int
    parcels: list[Parcel]


_RECORD = """
UPDATE events_delivery d SET attempts = d.attempts + 1, attempted_at = o.at, milliseconds = o.milliseconds,
    status_code = o.status_code, answer = CASE WHEN d.is_erased THEN '' ELSE o.answer END, fault = o.fault,
    delivered_at = o.delivered_at,
    retries = o.retries, failing_since = o.failing_since, next_attempt_at = o.next_attempt_at
FROM unnest(%(ids)s::uuid[], %(at)s::timestamptz[], %(milliseconds)s::int[], %(statuses)s::int[], %(answers)s::text[],
    %(faults)s::text[], %(delivered)s::timestamptz[], %(retries)s::int[], %(failing)s::timestamptz[],
    %(next)s::timestamptz[])
    AS o (id, at, milliseconds, status_code, answer, fault, delivered_at, retries, failing_since, next_attempt_at)
WHERE d.id = o.id AND d.endpoint_id = %(endpoint)s
"""

_POSTPONE = """
UPDATE events_delivery d SET next_attempt_at = o.next_attempt_at
FROM unnest(%(lanes)s::uuid[], %(next)s::timestamptz[]) AS o (lane, next_attempt_at)
WHERE d.endpoint_id = %(endpoint)s AND d.lane = o.lane AND d.delivered_at IS NULL
    AND d.next_attempt_at < o.next_attempt_at
"""


def next_round(
    *,
    endpoint_id: uuid.UUID,
    worker: uuid.UUID,
    attempted: Mapping[Parcel, Outcome],
    busy: Collection[uuid.UUID],
    room: int,
    writers: Writers,
    at: datetime.datetime,
) -> Round | None:
    """This will write down what came of attempts, and answer as many deliveries as there is room for, in the order in
    which they are to be attempted: none of a lane that is busy. None: the endpoint is the worker's no more, or it was
    paused or deleted."""
    with transaction.atomic():
        endpoint = (
            WebhookEndpoint.objects.select_related("program")
            .select_for_update(no_key=True, of=["self"])
            .filter(pk=endpoint_id)
            .first()
        )
        if endpoint is None:
            return None
        _record(endpoint, attempted)
        if endpoint.claimed_by != worker:
            return None
        _judge(endpoint, attempted, at)
        if endpoint.paused_at is not None or endpoint.deleted_at is not None:
            return None
        if endpoint.failures >= DOWN_AFTER:
            # One at a time, and only when it is time.
            room = 0 if busy or (endpoint.probe_at and endpoint.probe_at > at) else min(room, 1)
        parcels = _load(endpoint, busy, room, writers, at)
        if len(parcels) < room and _fan_out(endpoint, at):
            endpoint.save(update_fields=["cursor_xid", "cursor_id", "last_position"])
            taken = {*busy, *(parcel.lane for parcel in parcels)}
            parcels += _load(endpoint, taken, room - len(parcels), writers, at)
        secrets = endpoints.secrets_of(endpoint, at=at)
        target = Target(url=endpoint.url, secrets=secrets, signs_body=endpoint.signs_body)
        return Round(target=target, failures=endpoint.failures, parcels=parcels)


def _fan_out(endpoint: WebhookEndpoint, at: datetime.datetime) -> bool:
    """This will make deliveries of new events, and go on to the next ones where the endpoint wants none of them; it
    answers whether it got any further."""
    before = endpoint.last_position
    seen = 0
    for _ in range(MOST_PAGES):
        found = fan_out.fan_out(endpoint, at=at)
        seen += found
        if not found or endpoint.last_position > before:
            break
    return seen > 0


def _record(endpoint: WebhookEndpoint, attempted: Mapping[Parcel, Outcome]) -> None:
    if not attempted:
        return
    failed = [parcel for parcel, outcome in attempted.items() if outcome.fault]
    again_at = {parcel: _again_at(parcel, attempted[parcel]) for parcel in failed}
    told: dict[str, Any] = {
        "endpoint": endpoint.pk,
        "ids": [parcel.id for parcel in attempted],
        "at": [outcome.at for outcome in attempted.values()],
        "milliseconds": [outcome.milliseconds for outcome in attempted.values()],
        "statuses": [outcome.status_code for outcome in attempted.values()],
        "answers": [outcome.answer for outcome in attempted.values()],
        "faults": [outcome.fault.value if outcome.fault else "" for outcome in attempted.values()],
        "delivered": [None if outcome.fault else outcome.at for outcome in attempted.values()],
        "retries": [parcel.retries + 1 if parcel in again_at else 0 for parcel in attempted],
        "failing": [_failing_since(parcel, outcome) for parcel, outcome in attempted.items()],
        "next": [again_at.get(parcel) for parcel in attempted],
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, told)
        if failed:
            lanes = [parcel.lane for parcel in failed]
            cursor.execute(_POSTPONE, {"endpoint": endpoint.pk, "lanes": lanes, "next": [*again_at.values()]})


def _again_at(parcel: Parcel, outcome: Outcome) -> datetime.datetime | None:
    if parcel.is_test:
        # Whoever wants to know whether it works again asks for another one.
        return None
    return backoff.next_attempt_at(
        retries=parcel.retries + 1, failing_since=parcel.failing_since or outcome.at, now=outcome.at
    )


def _failing_since(parcel: Parcel, outcome: Outcome) -> datetime.datetime | None:
    return (parcel.failing_since or outcome.at) if outcome.fault else None


def _judge(endpoint: WebhookEndpoint, attempted: Mapping[Parcel, Outcome], at: datetime.datetime) -> None:
    """This will see whether the endpoint answers at all, and whether to give it up."""
    if not attempted:
        return
    before = (endpoint.failures, endpoint.probe_at, endpoint.paused_at)
    # A test that fails says no more than it was asked for.
    failed = {parcel: outcome for parcel, outcome in attempted.items() if outcome.fault and not parcel.is_test}
    if any(outcome.fault is None for outcome in attempted.values()):
        if endpoint.failures >= DOWN_AFTER:
            # It is back: what waits for its turn need not wait for hours.
            endpoint.deliveries.filter(delivered_at=None, next_attempt_at__gt=at).update(next_attempt_at=at)
        endpoint.failures, endpoint.probe_at = 0, None
    elif failed:
        _count_failures(endpoint, failed, at)
    if any(_is_given_up(parcel, outcome) for parcel, outcome in failed.items()) and endpoint.paused_at is None:
        endpoint.paused_at, endpoint.gave_up = at, True
        logger.error("The webhook endpoint %s of %s is paused: it failed for days", endpoint.pk, endpoint.program.slug)
    if before != (endpoint.failures, endpoint.probe_at, endpoint.paused_at):
        endpoint.save(update_fields=["failures", "probe_at", "paused_at", "gave_up"])


def _count_failures(endpoint: WebhookEndpoint, failed: Mapping[Parcel, Outcome], at: datetime.datetime) -> None:
    if endpoint.failures < DOWN_AFTER:
        # One customer's events that fail again and again say nothing about the others'.
        first_ones = sum(parcel.retries == 0 for parcel in failed)
        endpoint.failures = min(endpoint.failures + first_ones, DOWN_AFTER)
        if endpoint.failures < DOWN_AFTER:
            return
    elif endpoint.probe_at is not None and any(outcome.at < endpoint.probe_at for outcome in failed.values()):
        # It was under way already when the endpoint was found to be down.
        return
    else:
        endpoint.failures += 1
    tries = endpoint.failures - DOWN_AFTER + 1
    endpoint.probe_at = backoff.next_attempt_at(retries=tries, failing_since=at, now=at)


def _is_given_up(parcel: Parcel, outcome: Outcome) -> bool:
    if outcome.fault is None or parcel.failing_since is None:
        return False
    return outcome.at >= parcel.failing_since + backoff.GIVES_UP_AFTER


def _load(
    endpoint: WebhookEndpoint, busy: Collection[uuid.UUID], room: int, writers: Writers, at: datetime.datetime
) -> list[Parcel]:
    if room <= 0:
        return []
    waiting = endpoint.deliveries.filter(delivered_at=None).exclude(lane__in=busy)
    if endpoint.failures >= DOWN_AFTER:
        # What somebody has sent to see whether it works; else always the same one, so that its attempts tell how long
        # nothing has worked.
        asked_for = models.Case(models.When(lane=models.F("pk"), next_attempt_at__lte=at, then=0), default=1)
        waiting = waiting.filter(next_attempt_at__isnull=False).order_by(asked_for, "position")
    else:
        waiting = waiting.filter(next_attempt_at__lte=at).order_by("position")
    deliveries = list(waiting[:room])
    bodies = _bodies(endpoint, deliveries, writers)
    # An event that is kept no more can be told to nobody.
    endpoint.deliveries.filter(pk__in=[one.pk for one in deliveries if one.pk not in bodies]).delete()
    return [
        Parcel(
            id=delivery.pk,
            lane=delivery.lane,
            event_id=ids.public("evt", delivery.event_id),
            body=bodies[delivery.pk],
            retries=delivery.retries,
            failing_since=delivery.failing_since,
            is_test=delivery.event_type == TEST,
        )
        for delivery in deliveries
        if delivery.pk in bodies
    ]


def _bodies(endpoint: WebhookEndpoint, deliveries: list[Delivery], writers: Writers) -> dict[uuid.UUID, bytes]:
    tests = {one.pk: writers.test(endpoint, one) for one in deliveries if one.event_type == TEST}
    told = [one for one in deliveries if one.event_type != TEST]
    events = list(
        Event.objects.filter(account_id__in={one.account_id for one in told}, pk__in=[one.event_id for one in told])
    )
    bodies = dict(zip((event.pk for event in events), writers.events(events, endpoint.program), strict=True))
    return tests | {one.pk: bodies[one.event_id] for one in told if one.event_id in bodies}
