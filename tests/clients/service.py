"""The real service, in a process of its own, on the database of the tests."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from tests import ports

PATIENCE = 60


@contextlib.contextmanager
def serving(output: Path) -> Iterator[str]:
    """This will run the service and answer its address."""
    port = ports.free()
    its_end, our_end = os.pipe()
    with open(output, "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.server"],
            cwd=settings.BASE_DIR,
            env=environment(port) | {"PARENT_PIPE": str(its_end)},
            pass_fds=[its_end],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    os.close(its_end)
    try:
        _wait_until_it_answers(process, port, output)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.close(our_end)
        process.terminate()
        process.wait(PATIENCE)


def environment(port: int) -> dict[str, str]:
    """This will answer the variables of a process of the service on the database of the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    return kept | {
        "DATABASE_URL": address(connections["default"].settings_dict),
        "SECRET_KEY": settings.SECRET_KEY,
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "false",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WEB_WORKERS": "1",
    }


def address(database: dict[str, Any]) -> str:
    """This will answer the address by which Django knows a database, as DATABASE_URL has it."""
    who = ":".join(urllib.parse.quote(database[name], safe="") for name in ("USER", "PASSWORD"))
    where = {"host": database["HOST"], "port": database["PORT"]} | database["OPTIONS"]
    # To libpq a plus sign is no space.
    kept = {name: value for name, value in where.items() if value}
    query = urllib.parse.urlencode(kept, quote_via=urllib.parse.quote)
    return f"postgresql://{who}@/{urllib.parse.quote(database['NAME'], safe='')}?{query}"


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    give_up_at = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < give_up_at, "it does not answer"
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
