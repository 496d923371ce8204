"""Node, where there is one."""

import shutil
import subprocess

import pytest

OLDEST = 20

NODE = shutil.which("node") or "node"
NPM = shutil.which("npm") or "npm"


def _missing() -> str | None:
    if not (shutil.which("node") and shutil.which("npm")):
        return "there is no node and npm here"
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major = int(version.lstrip("v").split(".")[0])
    return None if major >= OLDEST else f"node is {version}: the client is for {OLDEST} and later"


_reason = _missing()
needs_node = pytest.mark.skipif(_reason is not None, reason=_reason or "")
