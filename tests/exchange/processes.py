"""Imports and exports in processes of their own."""

import subprocess
import sys

from django.conf import settings

from tests import workers
from tests.clients.service import environment

PATIENCE = 300
LEASE_SECONDS = 1
# As the job does it; only that one that was killed is given up sooner, and batches are small.
_WORK = f"""
import django
django.setup()
from exchange import running, tasks
from loyalty import pace
running.LEASE_SECONDS, running.FEW, pace.MOST = {LEASE_SECONDS}, 10, 1
print("ready", flush=True)
tasks.work_on_imports.call()
"""
_CALL = """
import sys
import django
django.setup()
from django.core.management import call_command
call_command(*sys.argv[1:])
[peak] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak.split()[1], file=sys.stderr)
"""


class Worker(workers.Worker):
    """A process that works on imports until none is left."""

    script, patience = _WORK, PATIENCE


def peak_of(*command: str) -> int:
    """This will run a command and answer how many bytes of memory it had at most."""
    done = subprocess.run(
        [sys.executable, "-c", _CALL, *command],
        cwd=settings.BASE_DIR,
        env=environment(8000) | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1]) << 10
