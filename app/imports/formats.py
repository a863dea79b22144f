"""Number formats of a workbook: which numbers are dates or times, and what date a number is.

Numbers of built-in formats: ECMA-376 part 1, 18.8.30, those of Chinese workbooks (27-36, 50-58) included.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Literal

FormatKind = Literal["number", "date", "time"]
"""`date` may have a time of day behind it."""
_DATES = (14, 15, 16, 17, 22, *range(27, 32), 36, *range(50, 55), 57, 58)
_TIMES = (18, 19, 20, 21, 32, 33, 34, 35, 45, 46, 47, 55, 56)
_LITERAL = re.compile(r'"[^"]*"?|\\.|_.|\*.|AM/PM|A/P|上午/下午', re.IGNORECASE)
_ELAPSED = re.compile(r"\[([hms]+)\]", re.IGNORECASE)
_BRACKETS = re.compile(r"\[[^\]]*\]?")
_EPOCH = datetime(1899, 12, 30)
_EPOCH_1904 = datetime(1904, 1, 1)
_LAST_SERIAL = 2_958_465
"""31 December 9999."""
_FIRST_TRUE_SERIAL = 61
"""Below it the numbers count a 29 February 1900, which never was."""
_SECONDS = 86_400


def kind_of(number_format: int, codes: dict[int, str]) -> FormatKind:
    """Say what the numbers of a format are; `codes` holds the workbook's own formats by number."""
    code = codes.get(number_format)
    if code is not None:
        return kind_of_code(code)
    if number_format in _DATES:
        return "date"
    return "time" if number_format in _TIMES else "number"


def kind_of_code(code: str) -> FormatKind:
    """Say what the numbers of a format code such as `yyyy"年"m"月"d"日"` are."""
    signs = _LITERAL.sub("", code)
    signs = _BRACKETS.sub("", _ELAPSED.sub(r"\1", signs)).partition(";")[0].lower()
    if set(signs) & set("yd") or "aaa" in signs:
        return "date"
    if set(signs) & set("hs"):
        return "time"
    return "date" if "m" in signs else "number"


def moment_of(serial: float, kind: FormatKind, *, from_1904: bool) -> datetime | time | str | None:
    """Return what a date or time format shows for a number, to the second; None where it is no date.

    `24:00`, which a time of day cannot hold, comes back as text.
    """
    if kind == "time" and 0 <= serial <= 1:
        second = round(serial * _SECONDS)
        if second == _SECONDS:
            return "24:00"
        return time(second // 3600, second // 60 % 60, second % 60)
    first = 0 if from_1904 else _FIRST_TRUE_SERIAL
    if not first <= serial <= _LAST_SERIAL:
        return None
    days = int(serial)
    epoch = _EPOCH_1904 if from_1904 else _EPOCH
    try:
        return epoch + timedelta(days=days, seconds=round((serial - days) * _SECONDS))
    except OverflowError:
        return None
