"""Sending the notices that wait. Each is claimed before it is sent and marked after: when a worker dies in between,
nobody can know whether the mail server took it, and it is sent again once its claim has run out."""

import contextlib
import datetime
import smtplib
import threading
import time
from typing import Any

from django.core import mail
from django.db import transaction
from django.utils import timezone

from notices import facts, following, writing
from notices.kinds import Kind
from notices.models import Notice, NoticeSettings

# How long a worker may take to send one: many times longer than a mail server may keep silent.
CLAIM = datetime.timedelta(minutes=5)
# So long it is tried, at first after a minute, then after twice as long each time, up to an hour.
TRIED = datetime.timedelta(days=1)
_LONGEST_PAUSE = datetime.timedelta(hours=1)
_MOST_DOUBLINGS = 6
# Twice as many as there are in that time, unless workers die of it.
_MOST_ATTEMPTS = 60
# What a mail server answers when it closes.
_CLOSING = 421
# As many are deleted by one statement.
_BATCH = 1_000


class Away(Exception):
    """The mail server cannot be used now: the others need not be tried."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__()
        self.code = code


def send(*, seconds: float, stop: threading.Event | None = None) -> int:
    """This will send what waits, one by one, until there is nothing more to send, the time is over, it is told to stop
    or the mail server cannot be used; and answer how many were sent. Several may do it at once."""
    sent, end = 0, time.monotonic() + seconds
    stop = stop or threading.Event()
    senders: dict[Any, NoticeSettings] = {}
    # One connection for all of them, opened by the first.
    with contextlib.closing(mail.get_connection()) as server:
        while time.monotonic() < end and not stop.is_set() and (notice := _claim(timezone.now())) is not None:
            try:
                sent += _send(notice, _sender(notice, senders), server)
            except Away as away:
                _fail(notice, Notice.Fault.AWAY, away.code)
                break
    return sent


def retry(*, notice: Notice, at: datetime.datetime) -> bool:
    """This will have a notice that failed sent again, for as long as one that is new, and answer whether it had."""
    failed = Notice.objects.filter(pk=notice.pk, state=Notice.State.FAILED, program__sends_notices=True)
    again = {"state": Notice.State.WAITING, "fault": "", "attempts": 0, "first_attempt_at": None, "next_attempt_at": at}
    return bool(failed.update(**again))


def purge(*, before: datetime.datetime) -> int:
    """This will delete the notices that were written before a moment and wait no more, and answer how many."""
    purged = 0
    over = Notice.objects.filter(created_at__lt=before).exclude(state=Notice.State.WAITING)
    while names := list(over.values_list("pk", flat=True)[:_BATCH]):
        purged += Notice.objects.filter(pk__in=names).delete()[0]
    return purged


def _claim(at: datetime.datetime) -> Notice | None:
    """This will take the next notice that is due: nobody else will, as long as its claim lasts."""
    with transaction.atomic():
        due = Notice.objects.filter(state=Notice.State.WAITING, next_attempt_at__lte=at, program__sends_notices=True)
        free = due.select_for_update(no_key=True, skip_locked=True, of=("self",))
        notice = free.order_by("next_attempt_at", "id").first()
        if notice is None:
            return None
        notice.attempts += 1
        notice.first_attempt_at = notice.first_attempt_at or at
        notice.next_attempt_at = at + CLAIM
        # What is found there by the next one who claims it.
        notice.fault = Notice.Fault.INTERRUPTED
        notice.save(update_fields=["attempts", "first_attempt_at", "next_attempt_at", "fault"])
    return notice


def _sender(notice: Notice, senders: dict[Any, NoticeSettings]) -> NoticeSettings:
    if notice.program_id not in senders:
        senders[notice.program_id] = NoticeSettings.objects.select_related("program").get(pk=notice.program_id)
    return senders[notice.program_id]


def _send(notice: Notice, sender: NoticeSettings, server: Any) -> bool:
    """This will send one, and answer whether the mail server took it.

    Raises:
        Away: the mail server cannot be used.
    """
    if notice.attempts > _MOST_ATTEMPTS:
        return _end(notice, Notice.State.FAILED, Notice.Fault.INTERRUPTED)
    customer = notice.customer.merged_into or notice.customer
    fault = following.refusal(customer, Kind(notice.kind))
    if fault is None and facts.is_over(Kind(notice.kind), notice.facts, at=timezone.now()):
        fault = Notice.Fault.TOO_LATE
    if fault is not None:
        return _end(notice, Notice.State.DROPPED, fault)
    try:
        written = writing.message(notice, customer=customer, sender=sender, connection=server)
        server.open()
        written.send()
    except ValueError:
        # Before anything is sent: an address that no header can hold.
        return _end(notice, Notice.State.FAILED, Notice.Fault.UNSENDABLE)
    except OSError as failure:
        # Whatever state the connection is in: the next one opens another.
        server.close()
        return _refused(notice, failure)
    # Whatever others think of it meanwhile, because it took long: it is sent.
    Notice.objects.filter(pk=notice.pk).update(
        state=Notice.State.SENT,
        sent_at=timezone.now(),
        next_attempt_at=None,
        fault="",
        language=notice.language,
    )
    return True


def _refused(notice: Notice, failure: OSError) -> bool:
    code = _code(failure)
    match failure:
        case smtplib.SMTPRecipientsRefused() | smtplib.SMTPDataError() if code != _CLOSING:
            if code is not None and code >= 500:
                return _end(notice, Notice.State.FAILED, Notice.Fault.REFUSED, code)
            _fail(notice, Notice.Fault.REFUSED, code)
            return False
        case _:
            raise Away(code) from failure


def _code(failure: OSError) -> int | None:
    if isinstance(failure, smtplib.SMTPRecipientsRefused):
        return next(iter(failure.recipients.values()))[0]
    return failure.smtp_code if isinstance(failure, smtplib.SMTPResponseException) else None


def _fail(notice: Notice, fault: Notice.Fault, code: int | None) -> None:
    """This will leave a notice to be tried later, or give it up."""
    now = timezone.now()
    assert notice.first_attempt_at is not None
    pause = min(datetime.timedelta(minutes=2 ** min(notice.attempts - 1, _MOST_DOUBLINGS)), _LONGEST_PAUSE)
    if now + pause > notice.first_attempt_at + TRIED:
        _end(notice, Notice.State.FAILED, fault, code)
    else:
        _update(notice, next_attempt_at=now + pause, fault=fault, reply_code=code)


def _end(notice: Notice, state: Notice.State, fault: Notice.Fault, code: int | None = None) -> bool:
    _update(notice, state=state, next_attempt_at=None, fault=fault, reply_code=code)
    return False


def _update(notice: Notice, **values: Any) -> None:
    # Whoever has claimed it since, because this took long, decides.
    Notice.objects.filter(pk=notice.pk, attempts=notice.attempts, state=Notice.State.WAITING).update(**values)
