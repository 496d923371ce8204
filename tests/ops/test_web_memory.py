"""What a web server leaves out of its memory."""

import subprocess
import sys

from django.conf import settings

from tests.clients.service import environment

LOAD = """
import sys
from config.wsgi import application
from django.urls import get_resolver
assert get_resolver().url_patterns
print("openpyxl" in sys.modules)
"""


def test_has_no_library_for_workbooks_until_there_is_one() -> None:
    command = [sys.executable, "-c", LOAD]
    result = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment(8000), capture_output=True, text=True, check=False
    )
    assert result.stdout == "False\n", result.stderr
