"""Descriptions of transactions may hold codes, written `@@(code)`; people read a text in their place."""

import re
from collections.abc import Mapping

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from loyalty.models import Program
from points import reasons
from points.description_models import DescriptionCode, DescriptionText
from points.models import PointTransaction
from points.page import THE_CLOCK

_CODE = re.compile(r"@@\(([A-Za-z.]{1,50})\)")

# What each says where the programme does not say it otherwise.
_TEXTS = {
    DescriptionCode.POINTS: gettext_noop("Points"),
    DescriptionCode.EXPIRED: gettext_noop("Points expired"),
    DescriptionCode.DISCOUNT: gettext_noop("Points used for a discount"),
    DescriptionCode.RETURN: gettext_noop("Points taken back for a return"),
    DescriptionCode.VOUCHER: gettext_noop("Points turned into a voucher"),
}
_BY_THE_CLOCK = {reasons.EXPIRED, reasons.EXPIRED_GIVEN_BACK}


def written(code: DescriptionCode) -> str:
    """This will write a code as descriptions hold it."""
    return f"@@({code.value})"


def of(entry: PointTransaction) -> str:
    """This will answer an entry's description: what its poster said, or the code of what the clock did."""
    if entry.actor == THE_CLOCK and entry.reason in _BY_THE_CLOCK:
        return written(DescriptionCode.EXPIRED)
    return entry.told_reason


def default(code: str, language: str) -> str:
    """This will answer what a code says where a programme does not say it otherwise."""
    with translation.override(language):
        return _(_TEXTS[DescriptionCode(code)])


def texts(program: Program, language: str) -> dict[str, str]:
    """This will answer, by code, what the programme says for it in a language."""
    told = {code.value: default(code, language) for code in _TEXTS}
    own = DescriptionText.objects.filter(program=program, language=language)
    return told | dict(own.values_list("code", "text"))


def told(description: str, known: Mapping[str, str]) -> str:
    """This will put the texts of codes in their place; one that is not known stays as it is."""
    return _CODE.sub(lambda found: known.get(found[1], found[0]), description)


def has_code(description: str) -> bool:
    """This will say whether there is a code in it."""
    return _CODE.search(description) is not None
