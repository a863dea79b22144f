"""The calendar as JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from app.api.text import ONE_LINE, SEVERAL_LINES, Day, Short
from app.planning.calendar_csv import formula_fault
from app.planning.spec import DayKind


def _plain(text: str) -> str:
    reason = formula_fault(text)
    if reason:
        raise ValueError(reason)
    return text


DayName = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=80, pattern=ONE_LINE), AfterValidator(_plain)
]
"""Of a holiday or a sensitive period, or nothing."""
DayNote = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=4000, pattern=SEVERAL_LINES),
    AfterValidator(_plain),
]


class DayOut(BaseModel):
    """A day as plans and verdicts see it."""

    day: date
    kind: DayKind
    kind_zh: str
    sensitive: bool
    name: str
    known: bool
    """False: nobody entered it, and it follows the plain weekend rule."""


class SpanOut(BaseModel):
    """A stretch of days, both ends inclusive."""

    first: date
    last: date


class CalendarOut(BaseModel):
    """Days in order; `warning` says in words what is unknown of them, null where nothing is."""

    days: list[DayOut]
    unknown: list[SpanOut]
    warning: str | None


class ChangeOut(BaseModel):
    """One change of a day; `before` or `after` is null where nothing was entered."""

    model_config = ConfigDict(from_attributes=True)

    changed_at: datetime
    changed_by: str
    reason: str
    before: dict[str, str | bool] | None
    after: dict[str, str | bool] | None


class DayDetail(DayOut):
    """A day with what was entered of it and its changes, newest first."""

    holiday_name: str
    sensitive_name: str
    note: str
    source: str | None
    """Of its kind: `seed`, `import` or `entered`; null where nothing was entered."""
    changes: list[ChangeOut]


class DayIn(BaseModel):
    """A day as a whole; without a kind the weekend rule goes on to hold."""

    model_config = ConfigDict(extra="forbid")

    kind: DayKind | None = None
    name: DayName = ""
    sensitive: bool = False
    sensitive_name: DayName = ""
    note: DayNote = ""
    reason: Short = ""
    """Must be given for a day of the past."""


class SensitiveIn(BaseModel):
    """A sensitive period (特殊敏感期), at most 366 days; `sensitive` false takes the mark off."""

    model_config = ConfigDict(extra="forbid")

    first_day: Day
    last_day: Day
    name: DayName = ""
    sensitive: bool = True
    reason: Short = ""


class SeedIn(BaseModel):
    """Years whose shipped data are entered; none: of last year and later, all that are there."""

    model_config = ConfigDict(extra="forbid")

    years: list[Annotated[int, Field(ge=1970, le=2200)]] = Field(default_factory=list, max_length=100)


class ChangedOut(BaseModel):
    """What came of it, in days."""

    model_config = ConfigDict(from_attributes=True)

    added: int
    changed: int
    same: int
    kept: int
    """That a seed left as they had been entered."""
