"""Numbers in sentences, in the language of the request."""

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import ngettext, pgettext


def points(amount: Decimal) -> str:
    """This will write a number of points with the word: 1 point, 1.5 points."""
    if amount % 1:
        # No integer leads a language to the form that its fractions take.
        return pgettext("a fraction", "%(points)s points") % {"points": number(amount.normalize())}
    return ngettext("%(points)s point", "%(points)s points", int(abs(amount))) % {"points": number(int(amount))}


def number(amount: Decimal | int) -> str:
    """This will write a number with the decimal sign of the language."""
    return number_format(amount, use_l10n=True)
