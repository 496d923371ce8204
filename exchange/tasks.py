"""Jobs of imports."""

import threading

from django_tasks import task

from jobs import stopping


@task(queue_name="imports")
def work_on_imports() -> dict[str, int]:
    """This will check and bring in the files that wait for it; told to end, it ends between two batches."""
    # What reads workbooks takes some megabytes, which a web server, that only enqueues this, need not have.
    from exchange import running

    stop = threading.Event()
    with stopping.at_signal(stop.set):
        return {"imports_worked_on": running.work(stop=stop)}
