"""The JavaScript client's own tests, against the running service."""

import os
import subprocess

import pytest
from django.conf import settings

from tests.clients.node import NODE, needs_node

PATIENCE = 180
FOLDER = settings.BASE_DIR / "clients" / "javascript"


@needs_node
@pytest.mark.parametrize("name", sorted(path.name for path in (FOLDER / "test").glob("*.test.js")))
def test_passes(name: str, service: str, secret: str) -> None:
    done = subprocess.run(
        [NODE, "--test", f"test/{name}"],
        cwd=FOLDER,
        env=os.environ | {"LOYALTY_URL": service, "LOYALTY_API_SECRET": secret},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # Nothing passes where nothing was run.
    assert "\n# pass 0\n" not in done.stdout
