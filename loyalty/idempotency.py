"""Answering once: the same key with the same request gets the answer that the first one got."""

import dataclasses
import datetime
import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils.translation import gettext as _

from loyalty import errors, retry

KEPT_DAYS = 30  # At least: whoever retries within that gets the first answer.
PURGE_BATCH = 5_000

_MOST_DIGITS = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """The caller's key, and what the caller asked for with it."""

    key: str
    fingerprint: str


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What goes out to the caller; `replayed` when it went out before."""

    status: int
    body: bytes
    replayed: bool = False


def fingerprint(*, method: str, path: str, body: Any) -> str:
    """This will answer the SHA-256 of a request, whatever the order of its keys, its white space or `1.0` for `1`.

    Raises:
        errors.Malformed: the body is nested too deeply.
    """
    try:
        canonical = orjson.dumps(body, default=_canonical, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as failure:
        raise errors.Malformed({"body": [_("Nested too deeply.")]}, rule="max_depth") from failure
    return hashlib.sha256(b"%b %b\n%b" % (method.encode(), path.encode(), canonical)).hexdigest()


def of_form(key: object, *, path: str, body: Any) -> Key:
    """This will answer the key of a form that staff send: made with its page, so that what is sent again counts once.
    `path` tells the forms apart, `body` is what was typed."""
    return Key(key=f"staff-{key}", fingerprint=fingerprint(method="POST", path=path, body=body))


def answer_once(*, owner_id: uuid.UUID, key: Key | None, work: Callable[[], Answer | errors.Refusal]) -> Answer:
    """This will do the work and remember its answer under the programme's key, or answer what is remembered.

    The record is the first thing that the transaction writes and the answer the last, so two requests with one key
    wait for each other. A refusal leaves no record: one that the work raises undoes all that it wrote, one that it
    returns is raised after that is committed. Without a key the work is just done.

    Raises:
        errors.IdempotencyKeyReused: the key was used for another request.
        errors.Erased: the answer was erased with a customer.
        errors.Unavailable: the database did not answer in time, or the record was purged meanwhile.
    """

    tried: Answer | errors.Refusal | None = None

    def once() -> Answer | errors.Refusal:
        nonlocal tried
        with transaction.atomic():
            if key is None:
                return work()
            answer = _answer_under(owner_id, key, work)
            if isinstance(tried, Answer) and answer == dataclasses.replace(tried, replayed=True):
                # The COMMIT of an earlier try arrived, and word of it did not: nobody has seen its answer yet.
                return tried
            tried = answer
            return answer

    # Without a record nothing tells whether a COMMIT arrived before the connection was lost.
    answer = retry.run(once, repeatable=key is not None)
    if isinstance(answer, errors.Refusal):
        raise answer
    return answer


def erase(*, owner_ids: Iterable[uuid.UUID], mentioning: Sequence[str] = ()) -> None:
    """This will erase what was answered under keys of these owners, or where there are words that an answer mentions,
    in whatever case, those answers alone. The keys stay used."""
    with connection.cursor() as cursor:
        # Words are looked for in every answer of the owner: a month of a large programme takes more than a request may.
        cursor.execute("SET LOCAL statement_timeout = '10min'")
        cursor.execute(
            "UPDATE loyalty_idempotencyrecord SET body = NULL WHERE owner_id = ANY(%s::uuid[])"
            " AND (%s = 0 OR body ILIKE ANY(%s))",
            [list(owner_ids), len(mentioning), [f"%{word}%" for word in mentioning]],
        )


def purge(*, before: datetime.datetime) -> int:
    """This will delete what was remembered before a moment, a batch in each transaction, and answer how many it was.

    Two may run at once: each passes by what the other is deleting.
    """
    purged = 0
    # Each batch begins where the last one ended: the index still has the deleted ones, and they would be read again.
    since = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PURGE, [since, before, PURGE_BATCH])
            count, newest_at = cursor.fetchone()
        purged += count
        if count < PURGE_BATCH:
            return purged
        since = newest_at


_PURGE = """
WITH purged AS (
    DELETE FROM loyalty_idempotencyrecord WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM loyalty_idempotencyrecord WHERE created_at >= %s AND created_at < %s
        ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED
    )) RETURNING created_at
)
SELECT count(*), max(created_at) FROM purged
"""


def _answer_under(
    owner_id: uuid.UUID, key: Key, work: Callable[[], Answer | errors.Refusal]
) -> Answer | errors.Refusal:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO loyalty_idempotencyrecord (owner_id, key, fingerprint) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [owner_id, key.key, key.fingerprint],
        )
        is_first = cursor.rowcount == 1
    if not is_first:
        return _remembered(owner_id, key)
    answer = work()
    with connection.cursor() as cursor:
        if isinstance(answer, errors.Refusal):
            cursor.execute(
                "DELETE FROM loyalty_idempotencyrecord WHERE owner_id = %s AND key = %s", [owner_id, key.key]
            )
        else:
            cursor.execute(
                "UPDATE loyalty_idempotencyrecord SET status = %s, body = %s WHERE owner_id = %s AND key = %s",
                [answer.status, answer.body.decode(), owner_id, key.key],
            )
    return answer


def _remembered(owner_id: uuid.UUID, key: Key) -> Answer:
    # A statement of its own: the INSERT may have waited for the other request, and saw the table as it was before.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT fingerprint, status, body FROM loyalty_idempotencyrecord WHERE owner_id = %s AND key = %s",
            [owner_id, key.key],
        )
        record = cursor.fetchone()
    if record is None:
        # Purged this very moment, as old as it was: the next try finds it gone from the start.
        raise errors.Unavailable
    fingerprint, status, body = record
    if fingerprint != key.fingerprint:
        raise errors.IdempotencyKeyReused
    if body is None:
        raise errors.Erased
    return Answer(status=status, body=body.encode(), replayed=True)


def _canonical(value: Any) -> Any:
    """This will word numbers that JSON readers hold to be equal in one way: 1.0, 1.00 and 1e0 are 1."""
    if not isinstance(value, Decimal):
        raise TypeError
    if not value.is_finite():
        return str(value)
    # Written out only where that is short: 1e999999999 has a billion digits.
    if abs(value.adjusted()) > _MOST_DIGITS:
        return orjson.Fragment(str(value))
    digits = f"{value or Decimal(0):f}"  # -0.0 is 0, too.
    return orjson.Fragment(digits.rstrip("0").rstrip(".") if "." in digits else digits)
