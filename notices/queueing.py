"""Writing notices of what no event of the log tells, in the transaction that did it."""

import dataclasses
import datetime
import uuid
from collections.abc import Sequence
from typing import Any

import orjson
from django.db import connection

from loyalty import ids
from loyalty.models import Program
from notices import kinds
from notices.kinds import GROUPS, Kind


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What a customer is to be told, and of what: once of each subject."""

    customer_id: uuid.UUID
    subject_id: uuid.UUID
    facts: dict[str, Any]


# What `following.refusal` says of one customer.
_QUEUE = """
INSERT INTO notices_notice (id, program_id, customer_id, event_id, kind, facts, state, fault, language, attempts,
    created_at, next_attempt_at)
SELECT n.id, c.program_id, c.id, n.subject_id, %(kind)s, n.facts, 'waiting', '', '', 0, %(at)s, %(at)s
FROM json_to_recordset(%(news)s) AS n (id uuid, customer_id uuid, subject_id uuid, facts jsonb)
JOIN cards_customer c ON c.id = n.customer_id JOIN loyalty_program p ON p.id = c.program_id
WHERE c.program_id = %(program)s AND p.sends_notices AND c.erased_at IS NULL AND c.email <> ''
AND NOT c.unsubscribed_from && %(unwanted)s::varchar[]
ON CONFLICT (event_id, kind) DO NOTHING
"""


def queue(*, program: Program, kind: Kind, news: Sequence[News], at: datetime.datetime) -> int:
    """This will have customers written to, those who have an address and want it, where the programme sends notices,
    and answer how many."""
    rows = [{"id": ids.new_id()} | dataclasses.asdict(one) for one in news]
    known: dict[str, Any] = {
        "kind": kind.value,
        "at": at,
        "news": orjson.dumps(rows).decode(),
        "program": program.pk,
        "unwanted": [kinds.ALL, GROUPS[kind].value],
    }
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, known)
        return cursor.rowcount
