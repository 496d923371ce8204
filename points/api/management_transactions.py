"""The programme's transactions, for reconciliation."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from loyalty import errors, ids
from loyalty.api import management, paging
from loyalty.api.serializers import success
from loyalty.models import Scope
from loyalty.permissions import caller
from points import histories, ledger
from points.api import management_shapes as shapes
from points.api.management import TAG, selected
from points.models import PointTransaction


class TransactionsViewSet(management.ManagementViewSet):
    """Lists and finds the transactions of a programme."""

    scopes = {"list": Scope.POINTS_READ, "retrieve": Scope.POINTS_READ}
    refusals = {
        "list": (errors.InvalidParameters, ledger.TransactionNotFound),
        "retrieve": (ledger.TransactionNotFound,),
    }

    @extend_schema(
        summary="Transactions of the programme",
        tags=TAG,
        parameters=[shapes.TransactionsQuery, paging.LIMIT],
        responses={200: success(shapes.Transactions)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's transactions in the order in which they were written, `limit` at a time: a cursor that
        neither skips nor repeats one while others are added. `ending_before` goes back; each page is in that order."""
        program = caller(request).program
        query = shapes.TransactionsQuery.read(request.query_params.dict())
        limit = paging.limit_of(request)
        entries = histories.of_program(program=program, selected=selected(query, ZoneInfo(program.timezone)))
        if query["starting_after"] is not None:
            last = histories.find(program=program, reference=query["starting_after"])
            entries = histories.after(entries, last)
        elif query["ending_before"] is not None:
            first = histories.find(program=program, reference=query["ending_before"])
            entries = histories.before(entries, first)
        found = list(entries[: limit + 1])
        page = found[:limit] if query["ending_before"] is None else found[:limit][::-1]
        return management.respond({"transactions": _written(page), "has_more": len(found) > limit})

    @extend_schema(summary="Transaction", tags=TAG, responses={200: success(shapes.ProgramTransaction)})
    def retrieve(self, request: Request, transaction_id: str) -> HttpResponse:
        """Tells a transaction, and what was reversed of it."""
        entry = histories.find(program=caller(request).program, reference=transaction_id)
        [written] = _written([entry])
        return management.respond(written)


def _written(entries: Iterable[PointTransaction]) -> list[dict[str, Any]]:
    entries = list(entries)
    undone = histories.reversals(entries)
    return [
        shapes.ProgramTransaction.write(
            entry,
            reversed_points=undone[entry.pk].points,
            reversed_by=[ids.public("txn", reversal) for reversal in undone[entry.pk].by],
        )
        for entry in entries
    ]
