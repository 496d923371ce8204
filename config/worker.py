"""One process of `manage.py worker`: the scheduler, or the worker of a queue.

Run as `python -m config.worker scheduler` or as `python -m config.worker QUEUE ID`.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any

from apscheduler.schedulers import SchedulerNotRunningError

from loyalty import children

SCHEDULER = "scheduler"
# How long the task under way may go on after it was time to stop; and how long what is asked to stop may take.
PATIENCE_SECONDS = 10
STOP_SECONDS = 15


def main(name: str, worker_id: str = "") -> None:
    # Who stops it is the process that started it: a Ctrl-C is for that one.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    children.when_orphaned(_stop)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    if name == SCHEDULER:
        _schedule()
    else:
        from jobs import working

        working.work(name, worker_id=worker_id)


def _schedule() -> None:
    from django.db import OperationalError

    from config import schedule
    from jobs import scheduling

    scheduler = scheduling.Scheduler(schedule.JOBS)

    def shut_down(*_: Any) -> None:
        with contextlib.suppress(SchedulerNotRunningError):
            scheduler.shutdown()

    signal.signal(signal.SIGTERM, shut_down)
    try:
        scheduler.start()
    except OperationalError as failure:
        sys.exit(f"The scheduler waits for the database: {failure}")


def _stop() -> None:
    # To the main thread: a signal that another one gets does not wake it.
    for seconds in (PATIENCE_SECONDS, STOP_SECONDS):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(seconds)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
