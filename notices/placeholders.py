"""Texts with names in them, written `{{ name }}`, that are filled in. There is nothing else that a text can do: no
expression, no tag, no file. So whoever writes a text reaches what its names stand for, and nothing more.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping

from django.core.exceptions import ValidationError
from django.utils.html import escape

_NAMED = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
# What is left of braces once all names are out, and what would be a tag elsewhere.
_STRAY = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


def check(text: str, allowed: Collection[str]) -> None:
    """This will refuse a text that names something else than what is allowed.

    Raises:
        ValidationError: it does; it says which names, or what it cannot make sense of.
    """
    unknown = [name for name in dict.fromkeys(_names(text)) if name not in allowed]
    if unknown:
        listed = ", ".join(f"“{name}”" for name in unknown)
        raise ValidationError(f"There is no {listed} here. These can be named: {', '.join(allowed)}.")
    stray = _STRAY.search(_NAMED.sub("", text))
    if stray is not None:
        raise ValidationError(f"“{stray[0]}” does not belong here: a name is written {{{{ like_this }}}}.")


def fill(text: str, values: Mapping[str, str]) -> str:
    """This will put the values in the place of their names."""
    return _NAMED.sub(lambda found: values.get(found[1].strip(), ""), text)


def fill_html(text: str, values: Mapping[str, str]) -> str:
    """This will put the values in the place of their names, written so that none of them can be markup."""
    return fill(text, {name: str(escape(value)) for name, value in values.items()})


def on_one_line(text: str) -> str:
    """This will write a text without line breaks and characters that nobody sees: it goes into headers."""
    seen = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return " ".join(seen.split())


def _names(text: str) -> list[str]:
    return [found.strip() for found in _NAMED.findall(text)]
