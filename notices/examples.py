"""What a notice looks like, with values that nobody has."""

import datetime
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.utils import timezone, translation

from loyalty.models import Program
from notices import unsubscribing, writing
from notices.kinds import Kind
from notices.models import NoticeSettings
from notices.texts import Text

# A name that shows whether it is written as it should be.
_NAME = "A customer <&>"


def write(*, program: Program, kind: Kind, text: Text, to: str = "customer@example.com") -> EmailMultiAlternatives:
    """This will write an example of a notice that says a text. Its link to unsubscribe leads nowhere."""
    sender = NoticeSettings.objects.filter(program=program).first() or NoticeSettings(program=program)
    link = unsubscribing.public("/notices/example")
    with translation.override(text.language):
        told = writing.values(kind, _facts(timezone.now()), name=_NAME, program=program)
        return writing.compose(text, told, program=program, link=link, sender=sender, to=to)


def html_of(written: EmailMultiAlternatives) -> str:
    """This will answer the HTML of an e-mail."""
    return next(str(content) for content, kind in written.alternatives if kind == "text/html")


def _facts(at: datetime.datetime) -> dict[str, Any]:
    soon = (at + datetime.timedelta(days=7)).isoformat()
    return {
        "points": "120",
        "balance": "240",
        "points_needed": "150",
        "reason": "A gift for spring",
        "tier": "Gold",
        "falls_to": "Silver",
        "from_tier": "Silver",
        "to_tier": "Gold",
        "date": at.isoformat(),
        "available_on": soon,
        "expires_at": soon,
    }
