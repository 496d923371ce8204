"""When a delivery that failed is tried again."""

import datetime
import random

FIRST_STEPS = (5, 30, 120, 600, 1800, 3600)
STEP = 6 * 3600
# A tenth sooner or later, so that what failed together does not come together.
JITTER = 0.1
GIVES_UP_AFTER = datetime.timedelta(days=3)


def next_attempt_at(*, retries: int, failing_since: datetime.datetime, now: datetime.datetime) -> datetime.datetime:
    """This will answer when to try again what has failed so many times since then; the last time is the end of the
    three days."""
    step = FIRST_STEPS[retries - 1] if retries <= len(FIRST_STEPS) else STEP
    delay = datetime.timedelta(seconds=step * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - no secret
    last = failing_since + GIVES_UP_AFTER
    return min(now + delay, last) if now < last else now + delay
