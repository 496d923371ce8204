"""What is handed out: a package for npm, a wheel for pip."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.conf import settings

from tests.clients.node import NPM, needs_node

CLIENTS = settings.BASE_DIR / "clients"


@needs_node
def test_npm_packs_the_modules_and_their_types_alone() -> None:
    packed = subprocess.run(
        [NPM, "pack", "--dry-run", "--json", "--offline"],
        cwd=CLIENTS / "javascript",
        env=os.environ | {"NPM_CONFIG_UPDATE_NOTIFIER": "false"},
        capture_output=True,
        text=True,
        check=True,
    )
    (package,) = json.loads(packed.stdout)
    assert package["name"] == "loyalty-client"
    modules = {"index.js", "index.d.ts", "connection.js", "errors.js", "errors.d.ts", "records.d.ts"}
    assert {file["path"] for file in package["files"]} == {"README.md", "package.json", *modules}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, CLIENTS / "python")
    (built,) = folder.glob("*.whl")
    return built


def pip(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", *arguments],
        env=os.environ | {"PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_has_the_package_and_its_types_alone(wheel: Path) -> None:
    assert wheel.name == "loyalty_client-0.1.0-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    modules = {path.name for path in (CLIENTS / "python" / "loyalty_client").glob("*.py")} | {"py.typed"}
    assert {name for name in names if ".dist-info/" not in name} == {f"loyalty_client/{name}" for name in modules}


def test_the_wheel_is_installed_and_imported(wheel: Path, tmp_path: Path) -> None:
    pip("install", "--no-deps", "--target", tmp_path, wheel)
    code = "import loyalty_client; print(loyalty_client.__file__, loyalty_client.Loyalty.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path / "loyalty_client" / "__init__.py"), "Loyalty"]
