"""What notices say: a programme's own texts, or else the service's; and in which language."""

import dataclasses
from collections.abc import Mapping

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from loyalty import languages
from loyalty.models import Program
from notices.kinds import Group, Kind
from notices.models import NoticeTemplate

# What each says where the programme does not say it otherwise: subject and text.
_TEXTS: Mapping[Kind, tuple[str, str]] = {
    Kind.EXPIRING_SOON: (
        gettext_noop("{{ points }} will expire soon"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "{{ points }} will expire soon. The last day on which you can use them: {{ last_day }}.\n\n"
            "Your balance: {{ balance }}.\n\n"
            "{{ programme }}"
        ),
    ),
    Kind.TIER_AT_RISK: (
        gettext_noop("Keep your tier: {{ tier }}"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "your tier is {{ tier }}. It lasts until {{ last_day }}; after that it will be: {{ falls_to }}.\n\n"
            "To keep it, earn before then: {{ points_needed }}.\n\n"
            "{{ programme }}"
        ),
    ),
    Kind.TIER_UP: (
        gettext_noop("You have reached {{ to_tier }}"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "congratulations: you have reached a higher tier. It is {{ to_tier }} now; before, it was: "
            "{{ from_tier }}.\n\n"
            "{{ programme }}"
        ),
    ),
    Kind.TIER_DOWN: (
        gettext_noop("Your tier has changed"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "your tier has changed on {{ date }}. It was {{ from_tier }}; now it is: {{ to_tier }}.\n\n"
            "{{ programme }}"
        ),
    ),
    Kind.EARNED: (
        gettext_noop("You have earned {{ points }}"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "on {{ date }} you have earned: {{ points }}.\n\n"
            "Your balance: {{ balance }}.\n\n"
            "{{ programme }}"
        ),
    ),
    Kind.EARNED_LATER: (
        gettext_noop("You have earned {{ points }}"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "on {{ date }} you have earned: {{ points }}. You can use them from {{ available_on }} on.\n\n"
            "Your balance until then: {{ balance }}.\n\n"
            "{{ programme }}"
        ),
    ),
    Kind.REDEEMED: (
        gettext_noop("You have used {{ points }}"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "on {{ date }} you have used: {{ points }}.\n\n"
            "Your balance: {{ balance }}.\n\n"
            "{{ programme }}"
        ),
    ),
    Kind.GIVEN: (
        gettext_noop("You have been given {{ points }}"),
        gettext_noop(
            "Hello {{ customer_name }},\n\n"
            "on {{ date }} you have been given {{ points }}: {{ reason }}.\n\n"
            "Your balance: {{ balance }}.\n\n"
            "{{ programme }}"
        ),
    ),
}

_GROUPS: Mapping[str, str] = {
    Group.REMINDERS: gettext_noop("reminders of points and tiers that end"),
    Group.TIERS: gettext_noop("news of your tier"),
    Group.RECEIPTS: gettext_noop("receipts of points earned and used"),
    Group.CAMPAIGNS: gettext_noop("news of points that you are given"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """What a notice says. `html`: empty where it is made from the text."""

    language: str
    subject: str
    text: str
    html: str
    is_own: bool = False


def language_of(locale: str, program: Program) -> str:
    """This will answer the language in which a customer of that locale is written to: the customer's own if it is
    spoken here, or else the programme's, or else English."""
    for wanted in (locale, program.locale):
        spoken = wanted.replace("_", "-").partition("-")[0].lower()
        if spoken in languages.CODES:
            return spoken
    return settings.LANGUAGE_CODE


def default(kind: Kind, language: str) -> Text:
    """This will answer what the service says."""
    subject, text = _TEXTS[kind]
    with translation.override(language):
        return Text(language=language, subject=_(subject), text=_(text), html="")


def of(program: Program, kind: Kind, language: str) -> Text:
    """This will answer what the programme says in a language: its own text, or else the service's."""
    own = NoticeTemplate.objects.filter(program=program, kind=kind, language=language).first()
    if own is None:
        return default(kind, language)
    return Text(language=language, subject=own.subject, text=own.text, html=own.html, is_own=True)


def group(name: str) -> str:
    """This will answer how people read what a group is, in the language that is spoken now."""
    return _(_GROUPS[name])
