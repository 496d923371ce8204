"""Writing the e-mail: what a notice tells, in the customer's language, in the programme's words."""

import datetime
import email.utils
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils import formats, translation
from django.utils.html import escape, format_html
from django.utils.translation import gettext as _

from cards.models import Customer
from loyalty import wording
from loyalty.models import Program
from notices import facts, placeholders, texts, unsubscribing
from notices.kinds import GROUPS, PLACEHOLDERS, Kind
from notices.models import Notice, NoticeSettings
from notices.texts import Text

_LONGEST_SUBJECT = 250
_INSTANT = datetime.timedelta(microseconds=1)

# No programme's own look, but one that mail readers of every kind show.
_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body style="margin:0;padding:24px;background:#f4f4f5;color:#18181b;font:16px/1.6 Helvetica,Arial,sans-serif">
<div style="max-width:560px;margin:0 auto;padding:32px;background:#ffffff;border-radius:8px">
{body}
</div>
</body>
</html>
"""


def message(
    notice: Notice, *, customer: Customer, sender: NoticeSettings, connection: Any = None
) -> EmailMultiAlternatives:
    """This will write the e-mail of a notice to the customer, who has an address."""
    kind, program = Kind(notice.kind), sender.program
    text = texts.of(program, kind, texts.language_of(customer.locale, program))
    notice.language = text.language
    link = unsubscribing.address(customer=customer, group=GROUPS[kind])
    with translation.override(text.language):
        told = values(kind, notice.facts, name=customer.name, program=program)
        written = compose(text, told, program=program, link=link, sender=sender, to=str(customer.email))
    written.extra_headers |= {
        # The same however often it is sent, so that a mail server may know it again.
        "Message-ID": f"<{notice.pk.hex}@{unsubscribing.host()}>",
        "List-Unsubscribe": f"<{link}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    written.connection = connection
    return written


def compose(
    text: Text, told: Mapping[str, str], *, program: Program, link: str, sender: NoticeSettings, to: str
) -> EmailMultiAlternatives:
    """This will write an e-mail that says a text and how to unsubscribe, in the language that is spoken now."""
    subject = placeholders.on_one_line(placeholders.fill(text.subject, told))[:_LONGEST_SUBJECT]
    footer = _("You get this e-mail as a customer of %(programme)s.") % {"programme": told["programme"]}
    _name, address = email.utils.parseaddr(settings.DEFAULT_FROM_EMAIL)
    name = placeholders.on_one_line(sender.sender_name or program.name)
    written = EmailMultiAlternatives(
        subject=subject,
        body=f"{placeholders.fill(text.text, told).rstrip()}\n\n\n{footer}\n{_('Unsubscribe')}: {link}\n",
        from_email=email.utils.formataddr((name, address)),
        to=[to],
        reply_to=[sender.reply_to] if sender.reply_to else [],
        # Whoever is on holiday need not tell a machine.
        headers={"Auto-Submitted": "auto-generated"},
    )
    written.attach_alternative(html(text, told, footer=footer, link=link), "text/html")
    return written


def html(text: Text, told: Mapping[str, str], *, footer: str, link: str) -> str:
    """This will write the HTML of an e-mail: the programme's own, or else the text's paragraphs one by one."""
    below = format_html(
        '<p style="margin:32px 0 0;color:#71717a;font-size:13px">{} <a href="{}" style="color:#71717a">{}</a></p>',
        footer,
        link,
        _("Unsubscribe"),
    )
    if not text.html:
        body = placeholders.fill_html(_paragraphs(text.text), told)
        return _PAGE.format(language=text.language, body=f"{body}\n{below}")
    body = placeholders.fill_html(text.html, told)
    # Behind the end of the page some readers show nothing.
    before, end, after = body.rpartition("</body>")
    return f"{before}{below}{end}{after}" if end else f"{body}\n{below}"


def values(kind: Kind, told: Mapping[str, Any], *, name: str, program: Program) -> dict[str, str]:
    """This will answer what stands in the place of the names that a notice of a kind knows, in the language that is
    spoken now."""
    zone = ZoneInfo(program.timezone)
    known: dict[str, str] = {
        "customer_name": placeholders.on_one_line(name) or _("dear customer"),
        "programme": placeholders.on_one_line(program.name),
    }
    for fact in ("points", "balance", "points_needed"):
        if fact in told:
            known[fact] = wording.points(Decimal(told[fact]))
    for fact in ("tier", "falls_to", "from_tier", "to_tier"):
        if fact in told:
            known[fact] = placeholders.on_one_line(told[fact] or "") or _("no tier")
    if "reason" in told:
        known["reason"] = placeholders.on_one_line(told["reason"])
    for fact in ("date", "available_on"):
        if fact in told:
            known[fact] = _day(facts.moment(told[fact]), zone)
    for fact in ("expires_at", "until"):
        if fact in told:
            end = facts.moment(told[fact])
            # What ends as a day begins can be used until the day before is over.
            known["last_day"] = _day(end - _INSTANT, zone)
            known["expires_on"] = f"{_day(end, zone)}, {formats.time_format(end.astimezone(zone).time())}"
    return {placeholder: known[placeholder] for placeholder in PLACEHOLDERS[kind]}


def _day(moment: datetime.datetime, zone: ZoneInfo) -> str:
    return formats.date_format(moment.astimezone(zone).date())


def _paragraphs(text: str) -> str:
    paragraphs = [part.strip() for part in text.replace("\r\n", "\n").split("\n\n")]
    return "\n".join(
        f'<p style="margin:0 0 16px">{"<br>".join(str(escape(line)) for line in part.splitlines())}</p>'
        for part in paragraphs
        if part
    )
