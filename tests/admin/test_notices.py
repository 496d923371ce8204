"""Writing to customers, as staff set it up: the switch, the texts and their preview, what became of each e-mail."""

import html as entities
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings
from django.urls import reverse

from cards.models import Customer
from loyalty.models import Program
from notices import following, sending
from notices.kinds import Kind
from notices.models import Notice, NoticeSettings, NoticeTemplate
from tests.admin import pages
from tests.admin.conftest import VIEWER, Browser, staff
from tests.points.till import NOON, Till

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def on(program: Program) -> Iterator[Program]:
    """The programme, which writes about everything."""
    NoticeSettings.objects.create(program=program, kinds=Kind.values)
    following.switch(program=program, is_on=True)
    yield program
    following.switch(program=program, is_on=False)


def form(program: Program, **said: Any) -> dict[str, Any]:
    text = {"subject": "{{ points }} for you", "text": "Dear {{ customer_name }}", "html": ""}
    return {"program": program.pk, "kind": "earned", "language": "en"} | text | said


def settings_form(program: Program, **said: Any) -> dict[str, Any]:
    return {"program": program.pk, "kinds": ["earned"], "sender_name": "", "reply_to": ""} | said


def preview(program: Program, kind: str = "earned", language: str = "en") -> str:
    return reverse("admin:notices_noticetemplate_preview", args=[program.pk, kind, language])


def letter(page: Any) -> str:
    """The HTML in the frame, which may do nothing."""
    frame = re.search(r'<iframe[^>]* sandbox=""[^>]* srcdoc="([^"]*)"', page.content.decode())
    assert frame is not None
    return entities.unescape(frame[1])


# The switch


def test_are_switched_on_and_off(manager: Browser, program: Program) -> None:
    page = manager.get(f"{pages.adding(NoticeSettings)}?program={program.pk}").content.decode()
    chosen = re.findall(r'name="kinds"[^>]*value="(\w+)"[^>]* checked(?=[\s>])', page)
    assert set(chosen) == {"expiring_soon", "tier_at_risk", "tier_up", "tier_down"}

    assert manager.post(pages.adding(NoticeSettings), settings_form(program)).status_code == 302
    row = NoticeSettings.objects.get(program=program)
    program.refresh_from_db()
    assert (row.kinds, program.sends_notices) == (["earned"], False)

    manager.post(pages.of(row), settings_form(program, is_on="on", kinds=["earned", "tier_up"]))
    program.refresh_from_db()
    row.refresh_from_db()
    assert (row.kinds, program.sends_notices) == (["earned", "tier_up"], True)
    assert "Corner Shop On" in pages.text(manager.get(pages.listing(NoticeSettings)))

    manager.post(pages.of(row), settings_form(program))
    program.refresh_from_db()
    assert not program.sends_notices


def test_are_refused_a_sender_that_is_none(manager: Browser, program: Program) -> None:
    for wrong in ({"sender_name": "Shop\r\nBcc: mallory@example.com"}, {"reply_to": "nobody"}, {"kinds": ["spam"]}):
        assert manager.post(pages.adding(NoticeSettings), settings_form(program, **wrong)).status_code == 200
    assert not NoticeSettings.objects.filter(program=program).exists()


def test_say_why_nothing_can_be_sent(manager: Browser, on: Program) -> None:
    row = NoticeSettings.objects.get(program=on)
    assert "from loyalty@localhost" in pages.text(manager.get(pages.of(row)))
    with override_settings(PUBLIC_URL=""):
        assert "PUBLIC_URL is not set" in pages.text(manager.get(pages.of(row)))
        assert "PUBLIC_URL is not set" in pages.text(manager.get(pages.listing(NoticeTemplate)))
        assert "Cannot send" in pages.text(manager.get(pages.listing(NoticeSettings)))
        saved = manager.post(pages.of(row), settings_form(on, is_on="on"), follow=True)
        assert "PUBLIC_URL is not set" in pages.text(saved)


# The texts


def test_read_as_the_service_has_them_until_the_programme_writes_its_own(
    manager: Browser, program: Program, on: Program, till: Till
) -> None:
    page = manager.get(f"{pages.listing(NoticeTemplate)}?program={program.pk}")
    assert "Receipt: points earned The service's text The service's text" in pages.text(page)
    assert "You have earned 120 points" in pages.text(manager.get(preview(program)))

    prefilled = manager.get(f"{pages.adding(NoticeTemplate)}?program={program.pk}&kind=earned&language=lt")
    assert "Jums įskaityta: {{ points }}" in prefilled.content.decode()
    assert "{{ balance }} What the customer had after it" in pages.text(prefilled)

    shown = manager.post(pages.adding(NoticeTemplate), form(program), follow=True)
    assert shown.redirect_chain[-1][0] == preview(program)
    assert "120 points for you" in pages.text(shown)
    page = manager.get(f"{pages.listing(NoticeTemplate)}?program={program.pk}")
    assert "Receipt: points earned Own text The service's text" in pages.text(page)

    till.award(7)
    following.follow(at=NOON)
    sending.send(seconds=5)
    assert mail.outbox[-1].subject == "7 points for you"
    assert mail.outbox[-1].body.startswith("Dear Alice Adams\n")

    own = NoticeTemplate.objects.get(program=program)
    assert manager.post(pages.of(own, "delete"), {"post": "yes"}).status_code == 302
    assert "You have earned 120 points" in pages.text(manager.get(preview(program)))


@pytest.mark.parametrize("field", ["subject", "text", "html"])
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Dear {{ customer_email }}", "There is no “customer_email” here."),
        ("{{ points }} {{ tier }} {{ secret.key }}", "There is no “tier”, “secret.key” here."),
        ("{{ points|safe }}", "There is no “points|safe” here."),
        ("{{ }}", "There is no “” here."),
        ("{% debug %}", "“{%” does not belong here"),
        ("{% include '/etc/passwd' %}", "“{%” does not belong here"),
        ("Half of {{ points", "“{{” does not belong here"),
        ("{# no #}", "“{#” does not belong here"),
    ],
)
def test_are_refused_names_that_they_do_not_know(
    manager: Browser, program: Program, field: str, text: str, fault: str
) -> None:
    answer = manager.post(pages.adding(NoticeTemplate), form(program, **{field: text}))
    assert fault in pages.text(answer)
    assert not NoticeTemplate.objects.filter(program=program).exists()


def test_are_refused_a_subject_on_two_lines(manager: Browser, program: Program) -> None:
    subject = "Hello\r\nBcc: mallory@example.com"
    assert manager.post(pages.adding(NoticeTemplate), form(program, subject=subject)).status_code == 200
    assert not NoticeTemplate.objects.filter(program=program).exists()


def test_can_reach_nothing_by_what_a_value_says(
    manager: Browser, program: Program, on: Program, customer: Customer, till: Till
) -> None:
    own = form(
        program, text="{{ customer_name }}", html="<h1 title='{{ customer_name }}'>{{ customer_name }}</h1></body>"
    )
    manager.post(pages.adding(NoticeTemplate), own)
    Customer.objects.filter(pk=customer.pk).update(name=f"{EVIL} ' {{{{ programme }}}}")
    till.award(7)
    following.follow(at=NOON)
    sending.send(seconds=5)
    written: Any = mail.outbox[-1]
    body = written.alternatives[0].content
    assert EVIL not in body
    assert body.count("&lt;script&gt;alert(1)&lt;/script&gt; &#x27; {{ programme }}") == 2
    # How to unsubscribe stands within the page.
    assert body.endswith("</p></body>")
    assert "Unsubscribe" in body


def test_are_shown_in_a_frame_that_may_do_nothing(manager: Browser, program: Program) -> None:
    NoticeTemplate.objects.create(
        program=program, kind="earned", language="en", subject="x", text="x", html=f"<p>{EVIL}"
    )
    page = manager.get(preview(program))
    assert EVIL in letter(page)
    assert f"<p>{EVIL}" not in page.content.decode()
    assert "A customer &lt;&amp;&gt;" in letter(manager.get(preview(program, language="lt")))


def test_are_looked_at_before_they_are_saved(manager: Browser, program: Program) -> None:
    draft = reverse("admin:notices_noticetemplate_draft")
    page = manager.post(draft, form(program, subject="A draft of {{ points }}"))
    assert "A draft of 120 points" in pages.text(page)
    assert not NoticeTemplate.objects.filter(program=program).exists()
    manager.post(pages.adding(NoticeTemplate), form(program))
    own = NoticeTemplate.objects.get(program=program)
    page = manager.post(f"{draft}?row={own.pk}", {"subject": "Another draft", "text": "x", "html": ""})
    assert "Another draft" in pages.text(page)
    own.refresh_from_db()
    assert own.subject == "{{ points }} for you"
    page = manager.post(f"{draft}?row={own.pk}", {"subject": "{{ nothing }}", "text": "x", "html": ""})
    assert "There is no “nothing” here." in pages.text(page)
    for wrong in ("x", str(program.pk)):
        assert manager.post(f"{draft}?row={wrong}", form(program, kind="spam")).status_code == 200
    assert manager.get(draft).status_code == 403


def test_are_sent_to_whoever_wants_to_try_them(program: Program) -> None:
    permissions = [*VIEWER, "change_noticetemplate"]
    nobody = staff("Norbert", permissions)
    assert "no e-mail address in your account" in pages.text(nobody.post(preview(program), follow=True))
    somebody = staff("Sam", permissions, email="sam@example.com")
    before = len(mail.outbox)
    assert "on its way to sam@example.com" in pages.text(somebody.post(preview(program, "expiring_soon"), follow=True))
    [message] = mail.outbox[before:]
    assert (message.to, message.subject) == (["sam@example.com"], "120 points will expire soon")
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=1):
        assert "could not be used" in pages.text(somebody.post(preview(program), follow=True))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("language", ["en", "lt"])
def test_name_nothing_that_is_unknown_and_leave_nothing_open(
    manager: Browser, program: Program, kind: Kind, language: str
) -> None:
    page = manager.get(preview(program, kind.value, language))
    body = letter(page)
    assert "{{" not in body
    assert "None" not in body
    assert ".." not in body


def test_have_pages_for_nothing_else(manager: Browser, program: Program) -> None:
    for address in (preview(program, "spam"), preview(program, language="pl")):
        assert manager.get(address).status_code == 404


def test_are_written_only_by_those_who_may(viewer: Browser, cashier: Browser, program: Program) -> None:
    assert viewer.get(preview(program)).status_code == 200
    assert "Send me a test" not in pages.text(viewer.get(preview(program)))
    assert viewer.post(preview(program)).status_code == 403
    assert viewer.post(pages.adding(NoticeTemplate), form(program)).status_code == 403
    assert viewer.post(pages.adding(NoticeSettings), settings_form(program)).status_code == 403
    for address in (preview(program), pages.listing(NoticeTemplate), pages.listing(Notice)):
        assert cashier.get(address).status_code == 403
    assert cashier.post(reverse("admin:notices_noticetemplate_draft"), form(program)).status_code == 403


# What became of them


def test_are_listed_and_sent_again(on: Program, customer: Customer, till: Till) -> None:
    looker = staff("Vera", [*VIEWER, "view_notice"])
    sender = staff("Rita", [*VIEWER, "view_notice", "retry_notice"])
    till.award(7)
    following.follow(at=NOON)
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=1):
        sending.send(seconds=5)
    notice = Notice.objects.get(program=on)
    listing = {"program__id__exact": str(on.pk)}
    page = pages.text(looker.get(pages.listing(Notice), listing))
    assert "Receipt: points earned Waiting Alice Adams The mail server could not be used 1" in page
    assert looker.get(pages.of(notice)).status_code == 200

    Notice.objects.filter(pk=notice.pk).update(state="failed", next_attempt_at=None)
    assert looker.post(pages.of(notice, "send-again")).status_code == 403
    assert Notice.objects.get(pk=notice.pk).state == "failed"
    assert "Send it again?" in pages.text(sender.get(pages.of(notice, "send-again")))
    assert Notice.objects.get(pk=notice.pk).state == "failed"
    assert "It is sent again" in pages.text(sender.post(pages.of(notice, "send-again"), follow=True))
    sending.send(seconds=5)
    assert Notice.objects.get(pk=notice.pk).state == "sent"
    assert "It cannot be sent again" in pages.text(sender.post(pages.of(notice, "send-again"), follow=True))

    Notice.objects.filter(pk=notice.pk).update(state="failed", next_attempt_at=None, sent_at=None)
    chosen = {"action": "send_selected", "_selected_action": [str(notice.pk)]}
    assert "1 of 1 are sent again" in pages.text(sender.post(pages.listing(Notice), chosen, follow=True))
    found = pages.text(sender.get(pages.listing(Notice), {"q": customer.email}))
    assert "Receipt: points earned Waiting Alice Adams" in found
