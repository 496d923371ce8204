"""The accounts face's operations on definitions, accounts and their transactions."""

import datetime
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from loyalty import errors, idempotency
from loyalty.api import v3, values
from loyalty.models import Program, Scope
from loyalty.permissions import caller, require
from points import contact_lists, contacts, descriptions, external, ledger, statements
from points.api import v3_shapes as shapes
from points.contact_lists import Filter, Page, Sort, Wanted
from points.contacts import ContactNotFound, PointAccountNotFound, PointDefinitionNotFound, PointSystemNotActive
from points.external import Kind
from points.models import EntryType, PointDefinition, PointTransaction

ROOT = "/api/v3"

_KEY = "0192f3a1-c7e8-7d3a-b0c4-d5e6f7a8b9c0"
_EXAMPLE = {
    "accountId": _KEY,
    "transactionId": "5f0c9b6e-3a52-4e0f-9a5d-0c6f2d1f7b11",
    "transactionType": "Addition",
    "amount": 719.7,
    "description": "@@(Bonus.Points)",
    "source": "Purchase",
    "transactionDate": "2026-01-02T15:45:00Z",
    "retailTransactionLineItemId": "receipt-77-1",
}
_CANCELLATION = _EXAMPLE | {
    "transactionId": "c1f6a3b8-5e0d-4b1c-8f57-2d9a7b3e4c22",
    "transactionType": "Cancellation",
    "amount": 100,
    "description": "@@(Bonus.DeductionForReturn)",
    "source": "Return",
    "cancels": _EXAMPLE["transactionId"],
}


class PointDefinitionsViewSet(v3.V3ViewSet):
    """Tells which kinds of points a programme has."""

    scopes = {"list": Scope.POINTS_READ, "retrieve": Scope.POINTS_READ}
    refusals = {"list": (errors.InvalidParameters,), "retrieve": (PointDefinitionNotFound,)}

    @extend_schema(
        summary="Definitions",
        tags=v3.TAG,
        parameters=[v3.PageQuery],
        responses={200: shapes.PointDefinition(many=True)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists the programme's definitions of points by their numbers, without an envelope."""
        query = v3.read_query(v3.PageQuery, request)
        kinds = caller(request).program.definitions.order_by("number")
        return v3.respond([_definition(kind) for kind in kinds[query["offset"] : query["offset"] + query["count"]]])

    @extend_schema(summary="Definition", tags=v3.TAG, responses={200: shapes.PointDefinition})
    def retrieve(self, request: Request, definition_id: str) -> HttpResponse:
        """Tells a definition of points."""
        try:
            number = values.serial(definition_id)
        except values.Fault as fault:
            raise PointDefinitionNotFound from fault
        return v3.respond(_definition(contacts.find_definition(program=caller(request).program, number=number)))


class PointAccountsViewSet(v3.V3ViewSet):
    """Tells what the accounts of a contact have, and makes them."""

    scopes = {"list": Scope.POINTS_READ, "retrieve": Scope.POINTS_READ, "create": Scope.POINTS_MANAGE}
    refusals = {
        "list": (errors.InvalidParameters, ContactNotFound),
        "retrieve": (errors.InvalidParameters, PointAccountNotFound),
        "create": (ContactNotFound, PointDefinitionNotFound, PointSystemNotActive, errors.IdempotencyKeyReused),
    }
    keyed = frozenset({"create"})

    @extend_schema(
        summary="Accounts of a contact",
        tags=v3.TAG,
        parameters=[shapes.AccountsQuery],
        responses={200: v3.page_of(shapes.PointAccount)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists the accounts that a contact has, by the numbers of their definitions, right at the moment of asking."""
        query = v3.read_query(shapes.AccountsQuery, request)
        found = contacts.of_contact(program=caller(request).program, contact_id=query["contact_id"])
        page = found[query["offset"] : query["offset"] + query["count"]]
        rows = [_account(told) for told in contacts.tell(page, at=timezone.now())]
        return v3.respond_with_page(rows, offset=query["offset"], total=len(found))

    @extend_schema(
        summary="Account", tags=v3.TAG, parameters=[shapes.AccountQuery], responses={200: shapes.PointAccount}
    )
    def retrieve(self, request: Request, account_id: str) -> HttpResponse:
        """Tells what an account has, right at the moment of asking, or as it stood at a moment of the past. Then
        `balanceExpires` is as it was by then, as far as within ten years."""
        query = v3.read_query(shapes.AccountQuery, request)
        account = contacts.of_today(_find(request, v3.path_id(account_id)))
        now = timezone.now()
        moment = values.optional_start(query["as_of"], ZoneInfo(account.program.timezone))
        if moment is None:
            [told] = contacts.tell([account], at=now)
            return v3.respond(_account(told))
        if moment > now:
            raise errors.InvalidParameters({"as_of": ["Must not be in the future."]}, rule="past")
        return v3.respond(_account(_as_of(account, moment, basis=query["basis"])))

    @extend_schema(
        summary="Make an account",
        tags=v3.TAG,
        request=shapes.PointAccountInput,
        responses={200: shapes.PointAccount, 201: shapes.PointAccount},
        examples=[OpenApiExample("An account", value={"contactId": _KEY, "definitionId": 1}, request_only=True)],
    )
    def create(self, request: Request) -> HttpResponse:
        """Makes a contact's account of a definition, 201, or answers the one that there is, 200. No posting needs it:
        the first one makes its account."""
        body = shapes.PointAccountInput.read(request.data)
        key = v3.key_of(request)
        program = caller(request).program

        def work() -> idempotency.Answer:
            contacts.require_accounts(program)
            account = contacts.name(program=program, **body)
            is_new = ledger.open_account(account)
            [told] = contacts.tell([account], at=timezone.now())
            return v3.answer(_account(told), 201 if is_new else 200)

        answer = idempotency.answer_once(owner_id=program.pk, key=key, work=work)
        assert isinstance(answer, idempotency.Answer)
        return v3.send(answer)


class PointTransactionsViewSet(v3.V3ViewSet):
    """Lists, tells and posts transactions."""

    scopes = {"list": Scope.POINTS_READ, "retrieve": Scope.POINTS_READ, "create": Scope.POINTS_MANAGE}
    refusals = {
        "list": (errors.InvalidParameters, PointAccountNotFound, ContactNotFound, PointDefinitionNotFound),
        "retrieve": (errors.InvalidParameters, ledger.TransactionNotFound),
        "create": (
            errors.InvalidParameters,
            errors.InvalidPoints,
            errors.InvalidSource,
            PointSystemNotActive,
            PointAccountNotFound,
            ledger.TransactionNotFound,
            ledger.TransactionIdConflict,
            ledger.InsufficientPoints,
            ledger.AlreadyReversed,
            ledger.NotReversible,
            ledger.TransactionLimitExceeded,
        ),
    }

    @extend_schema(
        summary="Transactions",
        tags=v3.TAG,
        parameters=[shapes.TransactionsQuery],
        responses={200: v3.page_of(shapes.PointTransaction)},
    )
    def list(self, request: Request) -> HttpResponse:
        """Lists transactions of an account, or of one line of a receipt. Of equal dates, the one that was written later
        counts as later. An account that nothing was posted to yet has none."""
        query = v3.read_query(shapes.TransactionsQuery, request)
        page = _page(request, query)
        rows = _written(page.entries, program=caller(request).program, language=query["lang"])
        return v3.respond_with_page(rows, offset=query["offset"], total=page.total)

    @extend_schema(
        summary="Transaction",
        tags=v3.TAG,
        parameters=[shapes.TransactionQuery],
        responses={200: shapes.PointTransaction},
    )
    def retrieve(self, request: Request, transaction_id: str) -> HttpResponse:
        """Tells a transaction by its caller's id, or by ours. Where several accounts have one of that id, it is the
        first that was written, unless `accountId` names another."""
        query = v3.read_query(shapes.TransactionQuery, request)
        known = v3.path_id(transaction_id)
        if known is None:
            raise ledger.TransactionNotFound
        program = caller(request).program
        entry = external.find(program=program, transaction_id=known, account_id=query["account_id"])
        # What expired of it by now touched it.
        contacts.settle([entry.account_id], at=timezone.now())
        [row] = _written([entry], program=program, language=query["lang"])
        return v3.respond(row)

    @extend_schema(
        summary="Post a transaction",
        tags=v3.TAG,
        request=shapes.PointTransactionInput,
        responses={202: shapes.PointTransaction},
        examples=[
            OpenApiExample("A purchase", value=_EXAMPLE, request_only=True),
            OpenApiExample("A return of a part of it", value=_CANCELLATION, request_only=True),
        ],
    )
    def create(self, request: Request) -> HttpResponse:
        """Adds, deducts, cancels or adjusts points of an account. `transactionId` is the key: the same transaction
        again answers the one that was posted, as it is by now, however long ago, with `Idempotent-Replayed: true`;
        another one under the same id is refused. `Idempotency-Key` is ignored here. An `Adjustment` needs the scope
        `points:adjust`, too."""
        body = shapes.PointTransactionInput.read(request.data)
        if body["transaction_type"] == Kind.ADJUSTMENT:
            require(request, Scope.POINTS_ADJUST)
        account = _find(request, body["account_id"])
        if not account.program.has_point_accounts:
            # What was posted before is answered all the same.
            external.require_posted(account=account, transaction_id=body["transaction_id"])
        told = _told(body, account.program)
        try:
            posting = external.posting(account=account, told=told, actor=caller(request).key_id, at=timezone.now())
            outcome = ledger.post(posting)
        except errors.Refusal as refusal:
            raise shapes.renamed(refusal) from None
        entry = outcome.earlier or outcome.entry
        assert entry is not None
        [row] = _written([entry], program=account.program, language=None)
        answer = v3.answer(row, 202)
        return v3.send(idempotency.Answer(answer.status, answer.body, replayed=outcome.earlier is not None))


def _find(request: Request, account_id: uuid.UUID | None) -> ledger.AccountRef:
    if account_id is None:
        raise PointAccountNotFound
    return contacts.find(program=caller(request).program, account_id=account_id)


def _page(request: Request, query: dict[str, Any]) -> Page:
    program = caller(request).program
    wanted = Wanted(
        filter=Filter(query["filter"]),
        sort=Sort(query["sort_by"]),
        is_descending=query["sort_order"] == "Desc",
        line_item_id=query["retail_transaction_line_item_id"],
    )
    slice_of = {"offset": query["offset"], "count": query["count"], "wanted": wanted, "at": timezone.now()}
    account_id = query["id"] or query["account_id"]
    if account_id is not None:
        return contact_lists.read(account=contacts.of_today(_find(request, account_id)), **slice_of)
    if query["contact_id"] is not None:
        account = contacts.name(program=program, contact_id=query["contact_id"], definition_id=query["definition_id"])
        return contact_lists.read(account=account, **slice_of)
    return contact_lists.of_line(program=program, **slice_of)


def _told(body: dict[str, Any], program: Program) -> external.Transaction:
    zone = ZoneInfo(program.timezone)
    return external.Transaction(
        kind=Kind(body["transaction_type"]),
        amount=body["amount"],
        source=body["source"],
        description=body["description"],
        id=body["transaction_id"],
        dated_at=values.optional_start(body["transaction_date"], zone),
        valid_from=values.optional_start(body["valid_from"], zone),
        valid_to=values.optional_start(body["valid_to"], zone),
        line_item_id=body["retail_transaction_line_item_id"] or None,
        cancels=body["cancels"] if body["transaction_type"] == Kind.CANCELLATION else None,
    )


def _as_of(account: ledger.AccountRef, moment: datetime.datetime, *, basis: str) -> contacts.Told:
    statement = statements.as_of(account=account, moment=moment, days=shapes.LONGEST_LOOK_AHEAD)
    balance = statement.balance
    if basis == "transaction":
        balance = statements.balance_by_transaction_date(account=account, moment=moment)
    ends_at = statement.expiring[0].expires_at if statement.expiring else None
    return contacts.Told(
        ref=account, balance=balance, pending=statement.pending, held=statement.held, expires_at=ends_at
    )


def _definition(kind: PointDefinition) -> dict[str, Any]:
    return shapes.PointDefinition.write(kind, links=[])


def _account(told: contacts.Told) -> dict[str, Any]:
    number = told.ref.definition.number
    links: list[dict[str, Any]] = [
        {
            "id": number,
            "href": f"{ROOT}/point-accounts/definitions/{number}",
            "method": "GET",
            "rel": "definition",
        },
        {
            "href": f"{ROOT}/point-accounts/transactions?accountId={told.ref.id}",
            "method": "GET",
            "rel": "transactions",
        },
    ]
    return shapes.PointAccount.write(told, links=links)


def _written(entries: list[PointTransaction], *, program: Program, language: str | None) -> list[dict[str, Any]]:
    """This will write transactions, each with what became of it; and what their descriptions say in a language."""
    modified = contact_lists.modified(entries)
    cancelled = external.told_ids(
        PointTransaction.objects.filter(
            account_id__in={entry.account_id for entry in entries},
            pk__in={entry.reverses_id for entry in entries if entry.reverses_id},
        )
    )
    texts = descriptions.texts(program, language) if language else {}
    rows = []
    for entry in entries:
        brings = entry.type == EntryType.AWARD or (entry.type == EntryType.ADJUST and entry.points > 0)
        description = descriptions.of(entry)
        row = shapes.PointTransaction.write(
            entry,
            id=entry.external_id or entry.pk,
            type=external.kind(entry).value,
            source=external.source(entry),
            description=description,
            description_text=descriptions.told(description, texts) if language else None,
            transaction_date=entry.transaction_date or entry.effective_at,
            modified_on=modified.get(entry.pk),
            valid_from=(entry.valid_from or entry.effective_at) if brings else None,
            cancels=cancelled[entry.reverses_id] if entry.reverses_id else None,
            links=[],
        )
        if language is None:
            del row["description_text"]
        rows.append(row)
    return rows
