"""Jobs of imports."""

import threading

from django_tasks import task

from exchange import running
from jobs import stopping


@task(queue_name="imports")
def work_on_imports() -> dict[str, int]:
    """This will check and bring in the files that wait for it; told to end, it ends between two batches."""
    stop = threading.Event()
    with stopping.at_signal(stop.set):
        return {"imports_worked_on": running.work(stop=stop)}
