"""Making API keys and finding the one that a secret belongs to."""

import datetime
import functools
import re
from collections.abc import Sequence

from django.db import connection
from django.utils.crypto import constant_time_compare, get_random_string
from rest_framework_api_key.crypto import KeyGenerator

from loyalty.models import ApiKey, Program, Scope
from loyalty.postgres import prepared

# What comes before the dot finds the row; all of it is hashed.
_SECRET = re.compile(r"(sk_(?:live|test)_[A-Za-z0-9]{12})\.[A-Za-z0-9]{40}")


class SecretGenerator(KeyGenerator):
    """Secrets that begin with `sk_live_`, or with `sk_test_` for a sandbox, and have 238 random bits."""

    def __init__(self, *, is_sandbox: bool = False) -> None:
        super().__init__(prefix_length=12, secret_key_length=40)
        self.kind = "sk_test_" if is_sandbox else "sk_live_"

    def get_prefix(self) -> str:
        return self.kind + super().get_prefix()


def generate(
    *,
    program: Program,
    name: str = "",
    scopes: Sequence[str] = tuple(Scope.values),
    expires_at: datetime.datetime | None = None,
    allowed_ips: Sequence[str] = (),
) -> tuple[ApiKey, str]:
    """This will make a key of the programme and answer it with its secret, which cannot be read again.

    Raises:
        django.core.exceptions.ValidationError: a value is not valid.
    """
    secret, prefix, hashed = SecretGenerator(is_sandbox=program.is_sandbox).generate()
    key = ApiKey(
        program=program,
        name=name,
        key_id="key_" + get_random_string(16),
        secret_prefix=prefix,
        secret_hash=hashed,
        scopes=list(scopes),
        expires_at=expires_at,
        allowed_ips=list(allowed_ips),
    )
    key.full_clean()
    key.save(force_insert=True)
    return key, secret


def find(*, secret: str, key_id: str | None = None) -> ApiKey | None:
    """This will answer the key of a secret, its programme read with it, or None. It reads one row and writes none.

    With a `key_id` the secret must be that key's. Whether the key may still be used is for the caller to ask.
    """
    shape = _SECRET.fullmatch(secret)
    if shape is None:
        return None
    key = _read("secret_prefix", shape.group(1))
    if key is None or not SecretGenerator().verify(secret, key.secret_hash):
        return None
    if key_id is not None and not constant_time_compare(key_id, key.key_id):
        return None
    return key


def find_by_key_id(key_id: str) -> ApiKey | None:
    """This will answer the key of that id, its programme read with it, or None. It reads one row and writes none.

    For who has shown by other means than a secret to speak for the key. Whether it may still be used is for the
    caller to ask.
    """
    return _read("key_id", key_id)


def _read(column: str, value: str) -> ApiKey | None:
    # By hand: it is on every request's path, and building the same query with the ORM costs more than running it.
    with connection.cursor() as cursor:
        prepared.execute(cursor, "find_key", _query(column), [value])
        row = cursor.fetchone()
    if row is None:
        return None
    alias, columns = connection.alias, _columns(ApiKey)
    key = ApiKey.from_db(alias, columns, row[: len(columns)])
    key.program = Program.from_db(alias, _columns(Program), row[len(columns) :])
    return key


@functools.cache
def _query(column: str) -> str:
    keys, programs = ApiKey._meta.db_table, Program._meta.db_table
    names = [f"{keys}.{name}" for name in _columns(ApiKey)] + [f"{programs}.{name}" for name in _columns(Program)]
    return (
        f"SELECT {', '.join(names)} FROM {keys} JOIN {programs} ON {programs}.id = {keys}.program_id"
        f" WHERE {keys}.{column} = %s"
    )


@functools.cache
def _columns(model: type[ApiKey | Program]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)
