"""Many transactions in one call."""

import dataclasses
import datetime
import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from loyalty import errors, idempotency, ids
from loyalty.api import management, parsers, renderers
from loyalty.api.serializers import success
from loyalty.models import ApiKey, Scope
from loyalty.permissions import caller
from points import accounts, ledger
from points.api import bulk_items
from points.api import management_shapes as shapes
from points.api.management import TAG

MOST_ITEMS = 1000

# What is answered to an item without a key is written with all the others, and not kept by itself.
_UNKEPT = idempotency.Answer(status=200, body=b"")

_ITEM = {"card_id": "card_0192f3a1c7e87d3ab0c4d5e6f7a8b9c0", "reason": "Order reward"}
_EXAMPLE = {
    "mode": "partial",
    "transactions": [
        _ITEM | {"type": "award", "points": 25, "reference": "order_78", "idempotency_key": "order_78"},
        _ITEM | {"type": "redeem", "points": 1000},
    ],
}


class BulkOperationTooLarge(errors.Refusal):
    """There are too many items."""

    code = "BULK_OPERATION_TOO_LARGE"
    status = 422

    def __init__(self, provided_size: int) -> None:
        super().__init__(f"At most {MOST_ITEMS} items.", provided_size=provided_size, maximum_size=MOST_ITEMS)


class BulkRolledBack(errors.Refusal):
    """An item of an atomic call is refused, so none of them is posted."""

    code = "BULK_ROLLED_BACK"
    status = 422
    message = "An item is refused, so nothing is posted."


class BulkViewSet(management.ManagementViewSet):
    """Posts many transactions in one call."""

    scopes = {"create": Scope.POINTS_MANAGE}
    refusals = {
        "create": (errors.InvalidParameters, errors.IdempotencyKeyReused, BulkOperationTooLarge, BulkRolledBack)
    }
    max_body = parsers.MAX_BULK_BODY

    @extend_schema(
        summary="Many transactions",
        tags=TAG,
        request=shapes.BulkInput,
        responses={200: success(shapes.Bulk)},
        examples=[OpenApiExample("Two orders", value=_EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Posts awards, redemptions and adjustments one after another in the order given, in one transaction. An item
        that is refused or malformed fails by itself; with `atomic`, all of them do."""
        started_at = time.monotonic()
        body = shapes.BulkInput.read(request.data)
        if len(body["transactions"]) > MOST_ITEMS:
            raise BulkOperationTooLarge(len(body["transactions"]))
        key = management.key_of(request)
        if body["validate_only"]:
            key = None
        # Read before the transaction, which has no statements to spare, and once for all its tries.
        postings = _postings(caller(request), body["transactions"], at=timezone.now())
        work = functools.partial(_post, body, postings, started_at=started_at)
        if key is None:
            # The ledger tries again by itself, safely, where no transaction of ours is around it.
            answer = work()
        else:
            answer = idempotency.answer_once(owner_id=caller(request).program.pk, key=key, work=work)
        if isinstance(answer, errors.Refusal):
            raise answer
        return management.send(answer)


def _post(
    body: Mapping[str, Any], postings: Sequence[ledger.Posting | errors.Refusal], *, started_at: float
) -> idempotency.Answer | errors.Refusal:
    items = body["transactions"]
    good = [posting for posting in postings if isinstance(posting, ledger.Posting)]
    is_atomic, is_complete = body["mode"] == "atomic", len(good) == len(items)
    outcomes = iter(
        ledger.post_many(
            good,
            render=functools.partial(_render, is_trial=body["validate_only"]),
            is_atomic=is_atomic and is_complete,
            # Nothing will be posted, yet each item is told whether it could have been.
            is_trial=body["validate_only"] or (is_atomic and not is_complete),
        )
    )
    answers = [posting if isinstance(posting, errors.Refusal) else next(outcomes) for posting in postings]
    refusals = [answer if isinstance(answer, errors.Refusal) else answer.refusal for answer in answers]
    failed = sum(refusal is not None for refusal in refusals)
    is_rolled_back = is_atomic and failed > 0
    facts: dict[str, Any] = {
        "processed": len(items),
        "successful": 0 if is_rolled_back else len(items) - failed,
        "failed": failed,
        "results": [
            _names(item) | _result(answer, is_rolled_back=is_rolled_back, is_trial=body["validate_only"])
            for item, answer in zip(items, answers, strict=True)
        ],
        "processing_time": f"{time.monotonic() - started_at:.3f}s",
    }
    if is_rolled_back:
        return BulkRolledBack(**facts)
    return idempotency.Answer(status=200, body=management.body(facts))


def _postings(api_key: ApiKey, items: Sequence[Any], *, at: datetime.datetime) -> list[ledger.Posting | errors.Refusal]:
    read = [bulk_items.read(item, api_key) for item in items]
    well_formed = [item for item in read if isinstance(item, bulk_items.Item)]
    directory = accounts.Directory(
        program=api_key.program,
        cards=[item.card for item in well_formed if item.card is not None],
        customers=[item.customer for item in well_formed if item.customer is not None],
        codes=[item.definition for item in well_formed],
    )
    return [item if isinstance(item, errors.Refusal) else _posting(item, directory, at=at) for item in read]


def _posting(
    item: bulk_items.Item, directory: accounts.Directory, *, at: datetime.datetime
) -> ledger.Posting | errors.Refusal:
    try:
        named = directory.find(card=item.card, customer=item.customer, definition=item.definition)
    except errors.Refusal as refusal:
        return refusal
    note = dataclasses.replace(item.note, card_id=named.card_id)
    return ledger.Posting(type=item.type, account=named.account, at=at, note=note, key=item.key, **item.facts)


def _render(outcome: ledger.Outcome, *, is_trial: bool) -> idempotency.Answer:
    if outcome.posting.key is None:
        return _UNKEPT
    return idempotency.Answer(status=200, body=renderers.dumps(_posted(outcome, is_trial=is_trial)))


def _posted(outcome: ledger.Outcome, *, is_trial: bool) -> dict[str, Any]:
    assert outcome.entry is not None
    transaction_id = None if is_trial else ids.public("txn", outcome.entry.pk)
    return {"transaction_id": transaction_id, "new_balance": outcome.entry.balance_after}


def _names(item: Any) -> dict[str, Any]:
    """This will answer how an item names its account, as far as that can be repeated."""
    if not isinstance(item, dict):
        return {"card_id": None}
    names = ("card_id", "customer_id") if "customer_id" in item else ("card_id",)
    return {name: item[name][:100] if isinstance(item.get(name), str) else None for name in names}


def _result(answer: ledger.Outcome | errors.Refusal, *, is_rolled_back: bool, is_trial: bool) -> dict[str, Any]:
    refusal = answer if isinstance(answer, errors.Refusal) else answer.refusal
    if refusal is not None:
        return {"status": "failed", "error": {"code": refusal.code, "message": refusal.message, **refusal.facts}}
    assert isinstance(answer, ledger.Outcome)
    if is_rolled_back:
        return {"status": "rolled_back"}
    if answer.answer is not None and answer.answer.replayed:
        return {"status": "success", **orjson.loads(answer.answer.body), "replayed": True}
    return {"status": "success", **_posted(answer, is_trial=is_trial)}
