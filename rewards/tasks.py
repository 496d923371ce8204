"""Jobs of rewards."""

from django.utils import timezone
from django_tasks import task

from rewards import lapses


@task()
def lapse_codes() -> dict[str, int]:
    """This will write down which codes nobody used in time, and give back what they gave."""
    codes = lapses.settle(at=timezone.now())
    return {"codes_lapsed": codes.lapsed, "codes_given_back": codes.returned}
