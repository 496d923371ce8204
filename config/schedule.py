"""All jobs that run by themselves, and when: times are UTC. `manage.py worker` runs them."""

from campaigns import tasks as campaigns
from events import tasks as events
from exchange import tasks as exchange
from jobs.scheduling import Job, at
from loyalty import tasks as service
from notices import tasks as notices
from points import tasks as points
from reports import tasks as reports
from rewards import tasks as rewards

JOBS = [
    # Codes that nobody used in time, before the points: those that a code gives back may have ended since.
    Job(rewards.lapse_codes, at(minute="4-59/5")),
    # Points that start or end and holds that lapse, in accounts that nobody touches.
    Job(points.settle, at(minute="*/5")),
    # Tiers that fall, or that other thresholds moved, in such accounts.
    Job(points.review_tiers, at(minute=10)),
    # Points that expire and tiers that fall soon, each told once; the days of programmes begin at different hours.
    Job(points.remind, at(hour="*/6", minute=20)),
    # Events on their way to webhooks: one run after another.
    Job(events.deliver_events, at(second="*/5")),
    # What reports read.
    Job(reports.count_figures, at(minute="*")),
    # How many hold which tier, after those that fell.
    Job(reports.count_tiers, at(minute=20)),
    # E-mails to customers, in the programmes that send any.
    Job(notices.send_notices, at(minute="*")),
    # Points of award campaigns that run, where a worker was killed; starting one does not wait for this.
    Job(campaigns.award_campaigns, at(minute="*")),
    # Files that staff brought, where nobody works on them: whoever uploads or confirms one has it begun at once.
    Job(exchange.work_on_imports, at(minute="*")),
    # Answers, events and runs that were kept long enough.
    Job(service.purge, at(hour=3, minute=30)),
]
