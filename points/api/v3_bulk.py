"""Many transactions of many contacts in one call."""

import datetime
import functools
import uuid
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from loyalty import errors, idempotency
from loyalty.api import parsers, refusals, v3, values
from loyalty.models import ApiKey, Program, Scope
from loyalty.permissions import caller
from points import contacts, external, ledger
from points.api import v3_rows
from points.api import v3_shapes as shapes
from points.api.v3 import PointTransactionsViewSet
from points.contacts import PointSystemNotActive
from points.external import Kind
from points.models import AccountRef

MOST_ROWS = 1000

_ROW = {"definitionId": 1, "source": "Purchase", "description": "@@(Bonus.Points)"}
_EXAMPLE = [
    _ROW | {"contactId": "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0", "amount": 719.7, "timeStamp": "2026-01-02T15:45:00Z"},
    _ROW | {"contactId": "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c1", "amount": -100, "source": "Return"},
]


class TooManyItems(errors.Refusal):
    """There are more rows than one call takes."""

    code = "TOO_MANY_ITEMS"
    status = 400
    message = f"At most {MOST_ROWS} rows."


class PointRowsViewSet(PointTransactionsViewSet):
    """Lists transactions at the address that an account links to, and posts many in one call."""

    refusals = {
        **PointTransactionsViewSet.refusals,
        "create": (errors.InvalidParameters, errors.IdempotencyKeyReused, TooManyItems, PointSystemNotActive),
    }
    keyed = frozenset({"create"})
    max_body = parsers.MAX_BULK_BODY

    @extend_schema(
        summary="Many transactions",
        tags=v3.TAG,
        request=shapes.PointRowInput(many=True),
        responses={202: shapes.PointRowsDone},
        examples=[OpenApiExample("Two contacts", value=_EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Posts rows one after another in the order given, in one transaction; accounts that do not exist yet are made.
        A row that is refused or malformed fails by itself and comes back. Rows with the source `UpdateBalance` need the
        scope `points:adjust`."""
        rows = _rows(request.data)
        key = v3.key_of(request)
        api_key = caller(request)
        postings = _postings(rows, api_key, at=timezone.now())
        work = functools.partial(_post, api_key.program, rows, postings)
        if key is None:
            # The ledger tries again by itself, safely, where no transaction of ours is around it.
            return v3.send(work())
        answer = idempotency.answer_once(owner_id=api_key.program.pk, key=key, work=work)
        assert isinstance(answer, idempotency.Answer)
        return v3.send(answer)


class _Missing(errors.NotFound):
    """A row names a contact or a definition that the programme does not have."""

    def __init__(self, *, contact: uuid.UUID | None, definition: int | None) -> None:
        names = [name for name, one in (("contact", contact), ("definition", definition)) if one is not None]
        super().__init__(f"There is no such {' and no such '.join(names)}.")
        self.contact = contact
        self.definition = definition


def _rows(body: Any) -> list[Any]:
    try:
        rows = values.items(body)
    except values.Fault as fault:
        raise errors.InvalidParameters({"body": [fault.text]}, rule=fault.rule) from fault
    if len(rows) > MOST_ROWS:
        raise TooManyItems
    return rows


def _postings(rows: Sequence[Any], api_key: ApiKey, *, at: datetime.datetime) -> list[ledger.Posting | errors.Refusal]:
    program = api_key.program
    read = [v3_rows.read(row, program) for row in rows]
    known = [row for row in read if isinstance(row, v3_rows.Row)]
    people = contacts.find_contacts(program=program, contact_ids=[row.contact_id for row in known])
    kinds = contacts.find_definitions(program=program, numbers=[row.definition_id for row in known])
    accounts: dict[tuple[Any, int], AccountRef] = {}

    def posting(row: v3_rows.Row) -> ledger.Posting | errors.Refusal:
        stranger = None if row.contact_id in people else row.contact_id
        unknown = None if row.definition_id in kinds else row.definition_id
        if stranger is not None or unknown is not None:
            return _Missing(contact=stranger, definition=unknown)
        if row.told.kind == Kind.ADJUSTMENT and Scope.POINTS_ADJUST not in api_key.scopes:
            return errors.Forbidden([Scope.POINTS_ADJUST])
        named = (row.contact_id, row.definition_id)
        if named not in accounts:
            accounts[named] = AccountRef(
                program=program, definition=kinds[row.definition_id], customer_id=row.contact_id
            )
        try:
            return external.posting(account=accounts[named], told=row.told, actor=api_key.key_id, at=at)
        except errors.Refusal as refusal:
            return refusal

    return [row if isinstance(row, errors.Refusal) else posting(row) for row in read]


def _post(
    program: Program, rows: Sequence[Any], postings: Sequence[ledger.Posting | errors.Refusal]
) -> idempotency.Answer:
    contacts.require_accounts(program)
    outcomes = iter(ledger.post_many([posting for posting in postings if isinstance(posting, ledger.Posting)]))
    refused = [posting if isinstance(posting, errors.Refusal) else next(outcomes).refusal for posting in postings]
    bad = [(row, refusal) for row, refusal in zip(rows, refused, strict=True) if refusal is not None]
    missing = [refusal for _, refusal in bad if isinstance(refusal, _Missing)]
    done = {
        "accepted": len(rows) - len(bad),
        "not_accepted": [v3_rows.echo(row) for row, _ in bad],
        "error_messages": [refusals.v3_message(shapes.renamed(refusal)) for _, refusal in bad],
        "missing_definition_ids": list(dict.fromkeys(one.definition for one in missing if one.definition is not None)),
        "missing_contact_ids": list(dict.fromkeys(str(one.contact) for one in missing if one.contact is not None)),
    }
    return v3.answer(done, 202)
