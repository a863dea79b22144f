"""Cells that mean the same in every spreadsheet program: no formula, no number that was none or is cut short. Pure.

In a workbook a cell has a type, and text stays text. A CSV file has no types: programs guess. Two guesses do harm,
and each has its sign (docs/reference/tables.md):

- text that begins like a formula is given a `'` before it: `=1+1` becomes `'=1+1`;
- text that a program would take for a number, a date or a time is given a tab behind it, which no program shows:
  13800000000 stays as it is and does not become 1.38E+10, and 00010 keeps its zeros.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

Value = str | int | float | datetime | date
"""What a cell holds. Times of day are local and naive: a spreadsheet knows no zones."""

FORMULA = "=+-@"
QUOTE = "'"
TEXT = "\t"
MOST_SIGNS = 32_000
"""Characters of a cell; a spreadsheet takes 32,767."""
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LIKE_A_NUMBER = re.compile(r"[\s\d.,:/%+\-()¥$€eE]*\d[\s\d.,:/%+\-()¥$€eE]*")
_MOBILE = re.compile(r"(?<!\d)(1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?!\d)")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    name: str
    """In Chinese, as it stands in the head."""
    width: float
    """In characters of the Western digits; a Chinese one takes two."""
    kind: str = "text"
    """`text`, `whole` (a number), `tenths` (a number with one decimal), `at` (date and time), `day` (date)."""
    source: str = ""
    """Where it comes from, for docs/reference/tables.md."""


def clean(text: str) -> str:
    """Text without what no document may hold, lines ended by a line feed, not longer than a cell."""
    return _NO_XML.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))[:MOST_SIGNS]


def starts_formula(text: str) -> bool:
    """Whether a program may take text for a formula: full-width signs count, and so do spaces and tabs before them."""
    if text[:1] in ("\t", "\r", "\n"):
        return True
    first = unicodedata.normalize("NFKC", text).lstrip()[:1]
    return first != "" and first in FORMULA


def for_csv(value: Value) -> str:
    """Write a cell for CSV: text as text, whatever it looks like; numbers and times as a program reads them."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) else f"{value:.1f}"
    text = clean(value)
    if starts_formula(text.lstrip(QUOTE)):
        return QUOTE + text
    return text + TEXT if _LIKE_A_NUMBER.fullmatch(text) else text


def from_csv(cell: str) -> str:
    """Read text back as it was before `for_csv`."""
    if cell.startswith(QUOTE) and starts_formula(cell.lstrip(QUOTE)):
        return cell[1:]
    return cell[:-1] if cell.endswith(TEXT) and _LIKE_A_NUMBER.fullmatch(cell[:-1]) else cell


def mask_mobiles(text: str) -> str:
    """Text with the middle of each mobile number made unreadable: 138****0000."""
    return _MOBILE.sub(r"\1****\3", text)
