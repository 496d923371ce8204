"""Jobs of award campaigns."""

import dataclasses
import threading

from django_tasks import task

from campaigns import awarding
from jobs import stopping

# As long as there is something to do; a new run begins every minute.
SECONDS = 600


@task(queue_name="campaigns")
def award_campaigns() -> dict[str, int]:
    """This will send the points of award campaigns, or take them back, beside a second process; told to end, it ends
    between two batches."""
    if not awarding.is_there_work():
        return dataclasses.asdict(awarding.Tally())
    award_campaigns_beside.enqueue()
    return _work()


@task(queue_name="campaigns-beside")
def award_campaigns_beside() -> dict[str, int]:
    """This will do the same, so that two processors are busy."""
    return _work()


def _work() -> dict[str, int]:
    stop = threading.Event()
    with stopping.at_signal(stop.set):
        return dataclasses.asdict(awarding.work(seconds=SECONDS, stop=stop))
