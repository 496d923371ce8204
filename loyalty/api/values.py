"""Reading single values that callers send. A field of a serializer and an item of a bulk read them alike."""

import datetime
import re
import uuid
from collections.abc import Container, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from points import expiry

MAX_DIGITS = 15
MAX_METADATA = 1024
# What is stored is answered within other objects, and a writer of JSON goes only so deep.
MAX_DEPTH = 20
MAX_EMAIL = 254
CODE_PATTERN = "^[a-z0-9][a-z0-9_-]{0,49}$"
UNIQUE_ID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
LOCALE_PATTERN = "^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$"
MAX_LOCALE = 10
SERIAL_PATTERN = "^[1-9][0-9]{0,14}$"

_TOO_LARGE = 10**MAX_DIGITS
_TOO_LARGE_DOUBLE = 2.0**63
# An offset's plus sign in a query string that was not escaped arrives as a space.
_UNESCAPED_OFFSET = re.compile(r"(.*T.*) (\d\d:?\d\d)")
# Also without hyphens, or by the week.
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}|[0-9]{4}-?W[0-9]{2}-?[0-9]")
_KEY = re.compile(r"[ -~]{1,255}")
_SERIAL = re.compile(SERIAL_PATTERN)
_WHOLE = re.compile(r"-?[0-9]{1,100}")
_CODE = re.compile(CODE_PATTERN)
_MONEY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_UNIQUE_ID = re.compile(UNIQUE_ID_PATTERN)
_LOCALE = re.compile(LOCALE_PATTERN)
_CURRENCY = re.compile(r"[A-Z]{3}")


class Fault(ValueError):
    """A value that is refused: a text for people, the name of the rule for programs."""

    def __init__(self, text: str, *, rule: str = "invalid") -> None:
        super().__init__(text)
        self.text = text
        self.rule = rule


class AmountFault(Fault):
    """A value that is no amount of points, with what was sent."""

    def __init__(self, text: str, value: Any) -> None:
        super().__init__(text, rule="points")
        self.value = value


def amount(value: Any) -> Decimal:
    """This will read a number of points, of either sign.

    Raises:
        AmountFault: it is not a number, not finite, or longer than fifteen digits in all.
    """
    if type(value) is int:
        if -_TOO_LARGE < value < _TOO_LARGE:
            return Decimal(value)
    elif not isinstance(value, Decimal):
        raise AmountFault(_("Points must be a number."), value)
    elif not value.is_finite():
        raise AmountFault(_("Points must be finite."), value)
    elif _digits(value) <= MAX_DIGITS:
        return value
    told = ngettext(
        "Points may have at most %(count)s digit in all.",
        "Points may have at most %(count)s digits in all.",
        MAX_DIGITS,
    )
    raise AmountFault(told % {"count": MAX_DIGITS}, value)


def positive(value: Any) -> Decimal:
    """This will read a number of points above zero.

    Raises:
        AmountFault: it is not one.
    """
    points = amount(value)
    if points <= 0:
        raise AmountFault(_("Points must be above zero."), value)
    return points


def not_negative(value: Any) -> Decimal:
    """This will read a number of points that may be zero.

    Raises:
        AmountFault: it is not one.
    """
    points = amount(value)
    if points < 0:
        raise AmountFault(_("Points must not be negative."), value)
    return points


def not_zero(value: Any) -> Decimal:
    """This will read a number of points of either sign.

    Raises:
        AmountFault: it is not one, or zero.
    """
    points = amount(value)
    if not points:
        raise AmountFault(_("Points must not be zero."), value)
    return points


def text(value: Any, *, max_length: int) -> str:
    """This will read a text, without the white space around it. It may be empty.

    Raises:
        Fault: it is not a text, or too long.
    """
    if not isinstance(value, str):
        raise Fault(_("Must be a text."), rule="type")
    content = value.strip()
    if len(content) > max_length:
        told = ngettext("At most %(count)s character.", "At most %(count)s characters.", max_length)
        raise Fault(told % {"count": max_length}, rule="max_length")
    # From a query string; in a body they are refused while it is parsed.
    if "\0" in content:
        raise Fault(_("Must not hold a NUL character."), rule="nul")
    return content


def filled_text(value: Any, *, max_length: int) -> str:
    """This will read a text that says something.

    Raises:
        Fault: it is not a text, blank, or too long.
    """
    content = text(value, max_length=max_length)
    if not content:
        raise Fault(_("Must not be blank."), rule="blank")
    return content


def code(value: Any) -> str:
    """This will read a word that rows are named by.

    Raises:
        Fault: it is not one.
    """
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise Fault(_("Small letters, digits, - and _, at most 50."), rule="code")
    return value


def email(value: Any) -> str:
    """This will read an e-mail address.

    Raises:
        Fault: it is not one.
    """
    try:
        address = text(value, max_length=MAX_EMAIL)
        validate_email(address)
    except (Fault, ValidationError) as failure:
        raise Fault(_("Not an e-mail address."), rule="email") from failure
    return address


def metadata(value: Any) -> dict[str, Any]:
    """This will read a JSON object of at most 1,024 bytes, with its numbers as the database keeps them.

    Raises:
        Fault: it is not an object, too long, nested too deeply, or holds a number that is none.
    """
    if not isinstance(value, dict):
        raise Fault(_("Must be a JSON object."), rule="type")
    if _is_deeper(value, MAX_DEPTH):
        raise Fault(_("Nested too deeply."), rule="max_depth")
    try:
        compact = orjson.dumps(value, default=_double)
    except orjson.JSONEncodeError as failure:
        raise Fault(_("Holds a number out of range, or is nested too deeply."), rule="range") from failure
    if len(compact) > MAX_METADATA:
        told = ngettext(
            "At most %(count)s byte when written compactly.",
            "At most %(count)s bytes when written compactly.",
            MAX_METADATA,
        )
        raise Fault(told % {"count": MAX_METADATA}, rule="max_length")
    return orjson.loads(compact)


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in inner)


def moment(value: Any) -> datetime.datetime | datetime.date:
    """This will read an ISO 8601 time in UTC (one without an offset is UTC), or a bare date as the day it names.

    Raises:
        Fault: it is not a time, or outside the years that can be worked with.
    """
    if not isinstance(value, str):
        raise Fault(_("Must be a time in ISO 8601."), rule="type")
    try:
        named: datetime.datetime | datetime.date
        if _DATE.fullmatch(value):
            named = datetime.date.fromisoformat(value)
        else:
            named = datetime.datetime.fromisoformat(_UNESCAPED_OFFSET.sub(r"\1+\2", value))
    except ValueError as failure:
        raise Fault(_("Not a time in ISO 8601."), rule="time") from failure
    if not expiry.FIRST_YEAR <= named.year <= expiry.LAST_YEAR:
        raise Fault(_("The year is out of range."), rule="range")
    if not isinstance(named, datetime.datetime):
        return named
    return named.astimezone(datetime.UTC) if named.tzinfo else named.replace(tzinfo=datetime.UTC)


def start(moment: datetime.datetime | datetime.date, zone: ZoneInfo) -> datetime.datetime:
    """This will answer the instant that is meant: of a bare date, the first one of that day in the zone."""
    if isinstance(moment, datetime.datetime):
        return moment
    return expiry.start_of_day(day=moment, zone=zone)


def optional_start(moment: datetime.datetime | datetime.date | None, zone: ZoneInfo) -> datetime.datetime | None:
    """This will answer the instant that is meant, where one is."""
    return None if moment is None else start(moment, zone)


def end(moment: datetime.datetime | datetime.date, zone: ZoneInfo) -> datetime.datetime:
    """This will answer the first instant after what is meant as an upper bound; a bare date means all of its day."""
    if isinstance(moment, datetime.datetime):
        return moment + datetime.timedelta(microseconds=1)
    return expiry.end_of_day(day=moment, zone=zone)


def until(moment: datetime.datetime | datetime.date, zone: ZoneInfo) -> datetime.datetime:
    """This will answer the first instant at which something is over that holds until a moment; a bare date means all of
    its day."""
    return moment if isinstance(moment, datetime.datetime) else expiry.end_of_day(day=moment, zone=zone)


def whole(value: Any, *, minimum: int, maximum: int) -> int:
    """This will read a whole number of a query string.

    Raises:
        Fault: it is not one, or out of range.
    """
    number = at_least(value, minimum)
    if number > maximum:
        raise Fault(_("Must be at most %(number)s.") % {"number": maximum}, rule="max_value")
    return number


def integer(value: Any, *, minimum: int, maximum: int) -> int:
    """This will read a whole number of a body.

    Raises:
        Fault: it is not one, or out of range.
    """
    # In JSON 7.0 is 7. Whatever else compares with numbers is none: true, and the decimal NaN, which does not even.
    is_number = type(value) is int or (isinstance(value, Decimal) and value.is_finite())
    if not is_number or (abs(value) < _TOO_LARGE and value % 1):
        raise Fault(_("Must be a whole number."), rule="type")
    if value < minimum:
        raise Fault(_("Must be at least %(number)s.") % {"number": minimum}, rule="min_value")
    if value > maximum:
        raise Fault(_("Must be at most %(number)s.") % {"number": maximum}, rule="max_value")
    return int(value)


def at_least(value: Any, minimum: int) -> int:
    """This will read a whole number of a query string, however large.

    Raises:
        Fault: it is not one, or too small.
    """
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise Fault(_("Must be a whole number."), rule="type")
    number = int(value)
    if number < minimum:
        raise Fault(_("Must be at least %(number)s.") % {"number": minimum}, rule="min_value")
    return number


def money(value: Any, *, least: Decimal, most: Decimal | None = None, places: int = 2) -> Decimal:
    """This will read an amount of money, or of goods: a number, or its digits as text.

    Raises:
        Fault: it is not one, below `least`, above `most`, finer than `places` decimals, or longer than fifteen digits
            in all.
    """
    if isinstance(value, str) and _MONEY.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise Fault(_("Must be a number."), rule="type")
    amount = Decimal(value)
    if _digits(amount) > MAX_DIGITS:
        raise Fault(_("Must have at most %(count)s digits in all.") % {"count": MAX_DIGITS}, rule="max_digits")
    if amount.quantize(Decimal(1).scaleb(-places)) != amount:
        raise Fault(_("Must have at most %(count)s decimals.") % {"count": places}, rule="decimals")
    if amount < least:
        raise Fault(_("Must be %(least)s or more.") % {"least": f"{least:f}"}, rule="min_value")
    if most is not None and amount > most:
        raise Fault(_("Must be at most %(number)s.") % {"number": f"{most:f}"}, rule="max_value")
    return amount


def currency(value: Any) -> str:
    """This will read the code of a currency.

    Raises:
        Fault: it is not three capital letters.
    """
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise Fault(_("Must be three capital letters, as in EUR."), rule="currency")
    return value


def locale(value: Any) -> str:
    """This will read the tag of a language: en, lt-LT, zh-Hant-TW.

    Raises:
        Fault: it is not one, or too long.
    """
    if not isinstance(value, str) or len(value) > MAX_LOCALE or not _LOCALE.fullmatch(value):
        raise Fault("Must be the tag of a language, as in en or lt-LT.", rule="locale")
    return value


def flag(value: Any) -> bool:
    """This will read true or false.

    Raises:
        Fault: it is neither.
    """
    if not isinstance(value, bool):
        raise Fault(_("Must be true or false."), rule="type")
    return value


def serial(value: Any) -> int:
    """This will read the number of a row in the shop's API: a whole number, or its digits.

    Raises:
        Fault: it is not one, or longer than a number of ours can be.
    """
    if isinstance(value, str) and _SERIAL.fullmatch(value):
        return int(value)
    # In JSON 7.0 is 7. Whatever else compares with numbers is none: true, and the decimal NaN, which does not even.
    is_number = type(value) is int or (isinstance(value, Decimal) and value.is_finite())
    if is_number and 0 < value < _TOO_LARGE and value % 1 == 0:
        return int(value)
    raise Fault(_("Must be a whole number above zero."), rule="type")


def key(value: Any) -> str:
    """This will read an idempotency key.

    Raises:
        Fault: it is not 1 to 255 printable ASCII characters.
    """
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise Fault(_("1 to 255 printable ASCII characters."), rule="key")
    return value


def unique_id(value: Any) -> uuid.UUID:
    """This will read a UUID, with its dashes.

    Raises:
        Fault: it is not one.
    """
    if not isinstance(value, str) or not _UNIQUE_ID.fullmatch(value):
        raise Fault(_("Must be a UUID."), rule="uuid")
    return uuid.UUID(value)


def word(value: Any, *, among: Sequence[str]) -> str:
    """This will read one of a few words in any case, and answer it as it is written among them.

    Raises:
        Fault: it is none of them.
    """
    asked = text(value, max_length=100).lower()
    for known in among:
        if known.lower() == asked:
            return known
    raise Fault(_("Not one of the choices."), rule="choice")


def items(value: Any) -> list[Any]:
    """This will read a list that is not empty; what is in it is for the caller to read.

    Raises:
        Fault: it is not a list, or empty.
    """
    if not isinstance(value, list):
        raise Fault(_("Must be a list."), rule="type")
    if not value:
        raise Fault(_("Must not be empty."), rule="empty")
    return value


def choice(value: Any, *, among: Container[str]) -> str:
    """This will read one of a few words.

    Raises:
        Fault: it is none of them.
    """
    if not isinstance(value, str) or value not in among:
        raise Fault(_("Not one of the choices."), rule="choice")
    return value


def _digits(value: Decimal) -> int:
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if exponent >= 0:
        return len(digits) + exponent if value else 1
    # Zeros at the end of the decimals say nothing: 719.70 is 719.7.
    significant = len(digits)
    while exponent < 0 and significant and digits[significant - 1] == 0:
        significant -= 1
        exponent += 1
    return max(significant, -exponent)


def _double(value: Any) -> int | float:
    """This will write a number with a fraction as the database's readers keep it; a whole one must stay exact."""
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError
    if value.as_tuple().exponent == 0:
        if abs(value) >= _TOO_LARGE_DOUBLE:
            raise TypeError
        return int(value)
    double = float(value)
    # The database writes 1e30 with all its digits, as a whole number that few readers keep exact.
    if abs(double) >= _TOO_LARGE_DOUBLE:
        raise TypeError
    return double
