"""Jobs of events and webhooks."""

from django_tasks import task

from events import courier, rounds
from events.api import v1_webhooks
from jobs import stopping

# Long, since between two runs nothing is sent for a few seconds.
SECONDS = 600
WRITERS = rounds.Writers(events=v1_webhooks.bodies, test=v1_webhooks.test_body)


@task(queue_name="deliveries")
def deliver_events() -> dict[str, int]:
    """This will send events to webhook endpoints for ten minutes, or until shortly after SIGTERM."""
    stop = courier.Stop()
    with stopping.at_signal(stop.set):
        tally = courier.deliver(writers=WRITERS, seconds=SECONDS, stop=stop)
    return {"attempts": tally.attempts, "attempts_failed": tally.failed}
