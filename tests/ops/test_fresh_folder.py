"""Commands on a data folder that nothing has used yet, whose path has a space in it."""

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from loyalty import embedded


@pytest.fixture
def folder() -> Iterator[Path]:
    # Directly below /tmp: as root the server's user must be able to walk there.
    parent = Path(tempfile.mkdtemp(prefix="loyalty-test-"))
    yield parent / "the shop"
    shutil.rmtree(parent)


def manage(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABASE_")}
    command = [sys.executable, settings.BASE_DIR / "manage.py", *arguments]
    variables = environment | {"DATA_DIR": str(data_dir)}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_makes_the_tables_that_a_command_looks_for(folder):
    made = manage(folder, "create_programme", "shop")
    assert made.returncode == 0, made.stderr
    assert "Made the programme" in made.stdout
    checked = manage(folder, "verify_ledger")
    assert checked.returncode == 0, checked.stderr
    assert not embedded.Server(folder).is_up()


def test_leaves_it_to_migrate_what_is_applied(folder):
    assert manage(folder, "migrate", "loyalty").returncode == 0
    # Had everything been applied before the command, the tables of the ledger would be there now.
    assert manage(folder, "migrate", "--check").returncode == 1


def test_several_first_commands_at_once_all_work(folder):
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        made = list(threads.map(lambda n: manage(folder, "create_programme", f"shop-{n}"), range(3)))
    assert [result.returncode for result in made] == [0, 0, 0], [result.stderr[-500:] for result in made]
