"""Types of what requests bring: words, moments, days, keys and numbers within bounds that every database holds.

PostgreSQL stores no NUL; a surrogate without its partner is no UTF-8; a moment near the year 1 or 9999 leaves the
calendar once it is moved to another zone. Such input is refused here, at the door, with a sentence that names it.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

FIRST_YEAR, LAST_YEAR = 1970, 2200
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""No control sign, hence no line break either."""
SEVERAL_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
"""No control sign but tab and line breaks."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z")


def _line(first: int, last: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=first, max_length=last, pattern=ONE_LINE)


def _lines(first: int, last: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=first, max_length=last, pattern=SEVERAL_LINES)


def _written_moment(value: Any) -> Any:
    # Numbers, and texts of digits only, would be taken for seconds since 1970: `20260501` is then a day of that year.
    if not isinstance(value, datetime) and not (isinstance(value, str) and _MOMENT.match(value.strip())):
        raise ValueError("takes a moment such as 2026-05-01T08:30:00+08:00")
    return value.strip() if isinstance(value, str) else value


def _moment(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a moment needs its zone, e.g. 2026-05-01T08:30:00+08:00 (in an address, + is %2B)")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"takes a moment of the years {FIRST_YEAR} to {LAST_YEAR}")
    return value.astimezone(UTC)


def _written_day(value: Any) -> Any:
    plain_day = isinstance(value, date) and not isinstance(value, datetime)
    if not plain_day and not (isinstance(value, str) and _DAY.match(value.strip())):
        raise ValueError("takes a day such as 2026-05-01")
    return value.strip() if isinstance(value, str) else value


def _day(value: date) -> date:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"takes a day of the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


Name = Annotated[str, _line(1, 80)]
"""Of a person or thing: one line of 1 to 80 signs, without spaces at its ends."""
Title = Annotated[str, _line(1, 200)]
"""One line of 1 to 200 signs, e.g. a reason that must be given."""
Short = Annotated[str, _line(0, 200)]
"""One line of at most 200 signs, or nothing."""
Long = Annotated[str, _lines(0, 4000)]
"""Several lines, at most 4,000 signs, or nothing."""
Words = Annotated[str, _lines(1, 4000)]
"""Several lines of 1 to 4,000 signs that must be given."""
Code = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")
]
"""Code of a unit, a finding, a kind: 1 to 40 Latin letters, digits, `_`, `.`, `-`."""
Moment = Annotated[datetime, AfterValidator(_moment), BeforeValidator(_written_moment)]
"""A moment with its zone, of the years 1970 to 2200; given in UTC."""
Day = Annotated[date, AfterValidator(_day), BeforeValidator(_written_day)]
"""A day of the years 1970 to 2200."""
Id = Annotated[int, Field(ge=1, lt=2**63)]
"""Key of a row, as a member of a body; `app.api.paging.Key` is the parameter."""
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Number = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
"""A number that JSON can write: no infinity, no NaN."""
