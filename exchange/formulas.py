"""Cells that a spreadsheet would take for a formula, and run: an apostrophe before them says that they are text.

What has been written so is read as it was before, so that what is exported can be imported again.
"""

import re

# Also in full width, as East Asian keyboards write them, and in small form.
_BEGINS = r"(?:[=@\t\r\n\uff1d\uff20\uff0b\uff0d\ufe66\ufe6b\ufe62\ufe63]|[+-](?![0-9][0-9 ]*\Z))"
_FORMULA = re.compile(f"'*{_BEGINS}")
_DEFUSED = re.compile(f"'+{_BEGINS}")


def defuse(text: str) -> str:
    """This will answer a text as a cell holds it: what begins like a formula with one apostrophe more."""
    return f"'{text}" if _FORMULA.match(text) else text


def restore(cell: str) -> str:
    """This will answer the text that a cell holds, without the apostrophe that `defuse` put before it."""
    return cell[1:] if _DEFUSED.match(cell) else cell
