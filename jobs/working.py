"""The worker of one queue: takes its tasks one after another, until it is told to stop."""

import logging
import signal
import threading
import time

from django.db import InterfaceError, OperationalError, connection
from django_tasks_db.management.commands import db_worker

from jobs import runs

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RETRY_SECONDS = 1


def work(queue: str, *, worker_id: str) -> None:
    """This will run the tasks of a queue until SIGTERM: the first one lets the task under way end, the second does
    not. What a worker of that id was at and did not finish has failed: no two of an id may run at once."""
    worker = db_worker.Worker(
        queue_names=[queue],
        interval=POLL_SECONDS,
        batch=False,
        backend_name="default",
        startup_delay=False,
        max_tasks=None,
        worker_id=worker_id,
        excluded_queue_names=[],
    )
    signal.signal(signal.SIGTERM, worker.shutdown)
    threading.Thread(target=_beat, args=[worker.worker_id], daemon=True).start()
    while worker.running:
        try:
            # What its predecessor was at when it was killed, or itself when the database went away.
            runs.leave(worker.worker_id)
            runs.beat(worker.worker_id)
            worker.run()
        except (OperationalError, InterfaceError) as failure:
            logger.warning("The worker of %s waits for the database: %s", queue, failure)
            connection.close()
            time.sleep(RETRY_SECONDS)
        finally:
            if not worker.running:
                runs.leave(worker.worker_id)


def _beat(worker_id: str) -> None:
    while True:
        time.sleep(runs.BEAT_SECONDS)
        try:
            runs.beat(worker_id)
        except (OperationalError, InterfaceError):
            # The next one may arrive.
            connection.close()
