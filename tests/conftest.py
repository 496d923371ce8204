"""One Postgres for the whole run: migrated by the owner, used by the tests as the runtime role, as in production.

Nothing is rolled back and nothing is flushed: the ledger refuses both DELETE and TRUNCATE. Each test works in a
programme of its own, so that what others left behind is invisible to it.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient
from schemathesis.pytest.plugin import SchemathesisFunction
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from loyalty import api_keys, embedded
from loyalty.models import ApiKey, Program

# How long an example takes is the machine's affair: timed assertions belong to the benchmarks.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")

# Twenty may wait for one row on a busy machine: longer than a caller of the service should have to. And what a test
# commits need not survive a crash, so nobody waits for the disk.
SESSIONS = {"connect_timeout": "30", "options": "-c lock_timeout=20s -c synchronous_commit=off"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Calls every test by a name of its own: of several with one name, `make test` would run one."""
    for item in items:
        # What schemathesis makes of one function, pytest knows by the function's name alone.
        if isinstance(item, SchemathesisFunction) and item.id.params is None:
            item._id = item.id.with_params(item.name.removeprefix(f"{item.originalname}[").removesuffix("]"))
    twice = [name for name, count in Counter(item.nodeid for item in items).items() if count > 1]
    if twice:
        raise pytest.UsageError(f"several tests have one name: {twice}")


@pytest.fixture(scope="session", autouse=True)
def static_files() -> Iterator[None]:
    """Every test client starts as the service does, with a look at all static files: here one look serves them all."""
    found: dict[str, StaticFile] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def add_files(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add_files)
        yield


@pytest.fixture(scope="session", autouse=True)
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Replaces pytest-django's own, which would hand the tests a database that they own."""
    runtime = connections["default"].settings_dict
    runtime["OPTIONS"] = runtime["OPTIONS"] | SESSIONS
    with django_db_blocker.unblock():
        yield from _embedded_database() if settings.EMBEDDED else _test_database()


def _embedded_database() -> Iterator[None]:
    # Directly below /tmp: a socket's path is short, and as root the server's user must be able to walk there.
    data_dir = Path(tempfile.mkdtemp(prefix="loyalty-test-"))
    server = embedded.Server(data_dir)
    # Also for the commands that tests run in processes of their own.
    os.environ["DATA_DIR"] = str(data_dir)
    settings.DATA_DIR = data_dir
    for alias in ("default", "owner"):
        connections[alias].settings_dict["HOST"] = str(server.socket_dir)
    try:
        with server.running():
            _keep_to_itself(server)
            call_command("migrate", verbosity=0)
            yield
            connections.close_all()
    finally:
        shutil.rmtree(data_dir)


def _keep_to_itself(server: embedded.Server) -> None:
    # Lists leave out what is newer than a transaction that still runs. The server's own, which analyse a table whenever
    # it has grown, would hide for a moment what a test has just written.
    with contextlib.closing(server.connect_as_superuser()) as superuser, superuser.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET autovacuum = off")
        cursor.execute("SELECT pg_reload_conf()")


def _test_database() -> Iterator[None]:
    name = f"test_loyalty_{os.getpid()}"
    owner = connections["owner"]
    quoted = owner.ops.quote_name(name)
    with owner._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {quoted}")
    for alias in ("default", "owner"):
        connections[alias].settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        connections.close_all()
        with owner._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quoted} WITH (FORCE)")


@pytest.fixture
def as_served() -> Iterator[None]:
    """This thread's connection is as in production, without what SESSIONS says."""
    settings = connection.settings_dict
    connection.close()
    connection.settings_dict = settings | {"OPTIONS": {}}
    yield
    connection.close()
    connection.settings_dict = settings


@pytest.fixture
def program() -> Program:
    return Program.objects.create(slug=f"shop-{secrets.token_hex(6)}", name="Corner Shop")


class Credentials(NamedTuple):
    key: ApiKey
    secret: str


@pytest.fixture
def api_key(program: Program) -> Credentials:
    """A key of the programme with all scopes."""
    return Credentials(*api_keys.generate(program=program, name="till"))


@pytest.fixture
def client(api_key: Credentials) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_X_API_KEY=api_key.key.key_id, HTTP_X_API_SECRET=api_key.secret)
    return client
