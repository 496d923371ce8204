import ipaddress
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest
from django.utils import timezone

from cards.models import Customer
from events.models import WebhookEndpoint
from loyalty.models import Program
from tests.api.management.conftest import make_program
from tests.api.v1.client import Client
from tests.clients.node import NPM
from tests.factories import CustomerFactory

NODE_FOLDER = Path(__file__).parent / "node"
PATIENCE = 120


@pytest.fixture
def program() -> Program:
    """A programme as the command makes it, without a limit of postings."""
    program = make_program()
    program.transaction_limit = None
    program.save(update_fields=["transaction_limit"])
    return program


@pytest.fixture
def shop(program: Program) -> Client:
    """A system of the programme."""
    return Client(program)


@pytest.fixture
def stranger() -> Client:
    """A system of another programme."""
    return Client(make_program())


@pytest.fixture
def alice(program: Program) -> Customer:
    return CustomerFactory(program=program)


@pytest.fixture
def bob(program: Program) -> Customer:
    return CustomerFactory(program=program)


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sees to it that no test calls another machine, whatever is broken."""
    elsewhere: list[str] = []
    connect = httpcore.AnyIOBackend.connect_tcp

    async def connect_here(backend: httpcore.AnyIOBackend, host: str, *args: Any, **options: Any) -> Any:
        if not ipaddress.ip_address(host).is_loopback:
            elsewhere.append(host)
            raise httpcore.ConnectError
        return await connect(backend, host, *args, **options)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_here)
    yield
    assert elsewhere == []


@pytest.fixture(autouse=True)
def _quiet(program: Program) -> Iterator[None]:
    """Leaves nothing behind that other tests would send."""
    yield
    WebhookEndpoint.objects.filter(deleted_at=None).update(deleted_at=timezone.now())


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the npm registry, as its lock file names it."""
    folder = tmp_path_factory.mktemp("node") / "node"
    shutil.copytree(NODE_FOLDER, folder)
    command = [NPM, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if installed.returncode:
        ping = subprocess.run([NPM, "ping"], cwd=folder, capture_output=True, check=False, timeout=PATIENCE)
        assert ping.returncode, installed.stderr
        pytest.skip("the package index does not answer")
    return folder
