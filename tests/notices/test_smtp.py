"""A real mail server on loopback: what arrives there, and what is done when it does not take it."""

import datetime
import email
import email.policy
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
import time_machine
from aiosmtpd.controller import Controller
from django.conf import settings
from django.test import override_settings

from cards.models import Customer
from loyalty.models import Program
from notices import following, sending
from notices.kinds import Kind
from notices.models import Notice, NoticeSettings, NoticeTemplate
from tests.api.management.conftest import make_program
from tests.api.v1.client import Client
from tests.factories import CustomerFactory
from tests.notices.conftest import DAY, NOON
from tests.notices.post import award, run
from tests.points.threads import at_once, times

OK = "250 OK"


class Mailbox:
    """Keeps what it takes, and answers what it is told to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.answers: dict[str, str] = {}
        self.attempts = 0

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802 - the library's
        answer = self.answers.get(address, OK)
        self.attempts += 1
        if answer == OK:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's
        answer = self.answers.get("DATA", OK)
        if answer == OK:
            self.taken.append(envelope.original_content)
        return answer

    def messages(self) -> list[EmailMessage]:
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.taken]  # type: ignore[misc]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> Iterator[int]:
    port = free_port()
    backend = "django.core.mail.backends.smtp.EmailBackend"
    with override_settings(EMAIL_BACKEND=backend, EMAIL_HOST="127.0.0.1", EMAIL_PORT=port, EMAIL_TIMEOUT=2):
        yield port


@pytest.fixture
def mailbox(port: int) -> Iterator[Mailbox]:
    box = Mailbox()
    # Its clock is asyncio's, which does not stand still.
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    yield box
    server.stop()


def only(program: Program) -> Notice:
    [notice] = Notice.objects.filter(program=program)
    return notice


def test_arrives_whole(mailbox: Mailbox, shop: Client, program: Program, alice: Customer) -> None:
    Customer.objects.filter(pk=alice.pk).update(name="Älice Ąžuolė", locale="lt")
    NoticeSettings.objects.filter(program=program).update(sender_name="Kampo „Krautuvė“", reply_to="help@example.com")
    award(shop, 120)
    run()
    [message] = mailbox.messages()
    assert message["Subject"] == "Jums įskaityta: 120 taškų"
    assert message["From"] == "Kampo „Krautuvė“ <loyalty@localhost>"
    assert message["To"] == "alice@example.com"
    assert message["Reply-To"] == "help@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    [text, html] = message.iter_parts()
    assert text.get_content().startswith("Sveiki, Älice Ąžuolė!")
    address = message["List-Unsubscribe"].strip(" <>")
    assert address in text.get_content()
    assert address in html.get_content()
    # Not encoded: mail readers look for it as it is.
    assert f"<{address}>\r\n".encode() in mailbox.taken[0]


def test_uses_one_connection_for_many(mailbox: Mailbox, shop: Client, program: Program, alice: Customer) -> None:
    for points in range(1, 11):
        award(shop, points)
    run()
    assert len({message["Message-ID"] for message in mailbox.messages()}) == 10


def test_is_sent_once_though_many_workers_send(
    mailbox: Mailbox, shop: Client, program: Program, alice: Customer
) -> None:
    for points in range(1, 31):
        award(shop, points)
    at_once(*times(4, run))
    assert sorted(str(message["Subject"]) for message in mailbox.messages()) == sorted(
        f"You have earned {points} point{'s' if points > 1 else ''}" for points in range(1, 31)
    )


def test_is_tried_again_when_the_mail_server_is_away(
    port: int, shop: Client, program: Program, alice: Customer, clock: time_machine.Traveller
) -> None:
    award(shop, 1)
    award(shop, 2)
    run()
    first, second = Notice.objects.filter(program=program).order_by("pk")
    assert (first.state, first.fault, first.next_attempt_at) == (
        "waiting",
        "away",
        NOON + datetime.timedelta(minutes=1),
    )
    # The others need not be tried: it is away for all of them.
    assert (second.state, second.fault, second.attempts) == ("waiting", "", 0)
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        run()
        assert [message["Subject"] for message in box.messages()] == ["You have earned 2 points"]
        clock.shift(datetime.timedelta(minutes=1))
        run()
    finally:
        server.stop()
    assert [message["Subject"] for message in box.messages()] == ["You have earned 2 points", "You have earned 1 point"]
    first.refresh_from_db()
    assert (first.state, first.fault, first.attempts) == ("sent", "", 2)


def test_is_given_up_after_a_day_and_sent_when_staff_say_so(
    mailbox: Mailbox, shop: Client, program: Program, alice: Customer, clock: time_machine.Traveller
) -> None:
    mailbox.answers["alice@example.com"] = "451 Greylisted"
    award(shop, 1)
    pauses = []
    for _ in range(100):
        run()
        notice = only(program)
        if notice.state != Notice.State.WAITING:
            break
        assert notice.next_attempt_at is not None
        pauses.append((notice.next_attempt_at - datetime.datetime.now(datetime.UTC)) / datetime.timedelta(minutes=1))
        clock.move_to(notice.next_attempt_at)
    assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert datetime.timedelta(hours=22) < datetime.datetime.now(datetime.UTC) - NOON <= DAY
    assert (notice.state, notice.fault, notice.reply_code) == ("failed", "refused", 451)
    assert mailbox.attempts == notice.attempts == len(pauses) + 1
    mailbox.answers.clear()
    assert sending.retry(notice=notice, at=datetime.datetime.now(datetime.UTC))
    assert not sending.retry(notice=notice, at=datetime.datetime.now(datetime.UTC))
    run()
    assert only(program).state == "sent"
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize("refusal", [("alice@example.com", "550 No such user"), ("DATA", "554 Not this one")])
def test_is_not_tried_again_when_it_is_refused_for_good(
    mailbox: Mailbox, shop: Client, program: Program, alice: Customer, refusal: tuple[str, str]
) -> None:
    bob = CustomerFactory(program=program, email="bob@example.com", external_id="customer-78")
    assert bob
    who, answer = refusal
    mailbox.answers[who] = answer
    award(shop, 1)
    run()
    mailbox.answers.clear()
    award(shop, 2, customer_id="customer-78")
    run()
    notice = Notice.objects.filter(program=program).earliest("pk")
    assert (notice.state, notice.fault, notice.reply_code) == ("failed", "refused", int(answer[:3]))
    assert [message["To"] for message in mailbox.messages()] == ["bob@example.com"]


def test_goes_on_with_the_others_when_one_is_refused(
    mailbox: Mailbox, shop: Client, program: Program, alice: Customer
) -> None:
    CustomerFactory(program=program, email="bob@example.com", external_id="customer-78")
    mailbox.answers["alice@example.com"] = "550 No such user"
    award(shop, 1)
    award(shop, 2, customer_id="customer-78")
    run()
    assert [message["To"] for message in mailbox.messages()] == ["bob@example.com"]


def test_logs_nothing_of_a_person(
    mailbox: Mailbox, shop: Client, program: Program, alice: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.answers["alice@example.com"] = "550 alice@example.com is unknown here"
    award(shop, 1)
    with caplog.at_level(logging.DEBUG):
        run()
    ours = [record for record in caplog.records if not record.name.startswith("mail")]
    assert not [record for record in ours if "alice" in record.getMessage().lower()]
    assert "alice" not in str(list(Notice.objects.filter(program=program).values())).lower()


def test_cannot_put_a_header_in_by_a_name_or_a_subject(
    mailbox: Mailbox, shop: Client, program: Program, alice: Customer
) -> None:
    NoticeTemplate.objects.create(
        program=program, kind="earned", language="en", subject="Hello {{ customer_name }}", text="{{ customer_name }}"
    )
    evil = "Alice\r\nBcc: mallory@example.com\r\n\r\n<script>alert(1)</script>"
    Customer.objects.filter(pk=alice.pk).update(name=evil)
    Program.objects.filter(pk=program.pk).update(name="Shop\nBcc: mallory@example.com")
    award(shop, 1)
    run()
    [message] = mailbox.messages()
    assert message["Subject"] == "Hello Alice Bcc: mallory@example.com <script>alert(1)</script>"
    assert message["Bcc"] is None
    assert message["From"].addresses[0].addr_spec == "loyalty@localhost"
    [_, html] = message.iter_parts()
    assert "<script" not in html.get_content()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html.get_content()


KILLED = """
import os, sys
import django
django.setup()
from django.conf import settings
from django.core.mail.backends import smtp
settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", int(sys.argv[1])
real = smtp.EmailBackend.send_messages
def send(self, messages):
    if sys.argv[2] == "after":
        real(self, messages)
    os.kill(os.getpid(), 9)
smtp.EmailBackend.send_messages = send
from notices import sending
sending.send(seconds=5)
"""


@pytest.mark.parametrize(("moment", "arrived"), [("before", 1), ("after", 2)])
def test_arrives_though_its_worker_is_killed(moment: str, arrived: int, request: pytest.FixtureRequest) -> None:
    # By the machine's clock: the worker is a process of its own.
    port = request.getfixturevalue("port")
    mailbox = request.getfixturevalue("mailbox")
    program = make_program()
    CustomerFactory(program=program, email="alice@example.com", external_id="customer-77")
    NoticeSettings.objects.create(program=program, kinds=Kind.values)
    following.switch(program=program, is_on=True)
    try:
        award(Client(program), 1)
        following.follow(at=datetime.datetime.now(datetime.UTC))
        command = [sys.executable, "-c", KILLED, str(port), moment]
        killed = subprocess.run(command, cwd=settings.BASE_DIR, env=_environment(), check=False, timeout=120)
        assert killed.returncode == -9
        run()
        assert len(mailbox.taken) == arrived - 1
        assert only(program).state == "waiting"
        with time_machine.travel(datetime.datetime.now(datetime.UTC) + sending.CLAIM, tick=True):
            run()
            run()
        assert only(program).state == "sent"
        # The same to a mail server that looks: one message, sent twice.
        assert len(mailbox.taken) == arrived
        assert len({message["Message-ID"] for message in mailbox.messages()}) == 1
    finally:
        following.switch(program=program, is_on=False)


def _environment() -> dict[str, str]:
    return os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": str(settings.DATA_DIR)}


def test_ends_between_two_when_it_is_told_to(
    mailbox: Mailbox, shop: Client, program: Program, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Mailbox.handle_DATA

    async def told_to_stop(self: Mailbox, server: Any, session: Any, envelope: Any) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return await real(self, server, session, envelope)

    monkeypatch.setattr(Mailbox, "handle_DATA", told_to_stop)
    heard: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        award(shop, 1)
        award(shop, 2)
        run()
        # Whoever runs the job hears it, too; what is on its way arrives, and is marked.
        assert heard == [signal.SIGTERM]
        assert len(mailbox.taken) == 1
        states = Notice.objects.filter(program=program).order_by("pk").values_list("state", "attempts")
        assert list(states) == [("sent", 1), ("waiting", 0)]
    finally:
        signal.signal(signal.SIGTERM, former)
