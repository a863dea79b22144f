"""What a plan says (抽查计划), as `plans.content` holds it. Errors name the member: `windows.workday.0.end`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from app.api.text import Code, Day, Id, Name, Short
from app.checks.retry import RetryRule

DayKind = Literal["workday", "weekend", "holiday", "makeup_workday", "lieu_day"]
WindowKind = Literal["workday", "weekend", "holiday", "makeup_workday", "lieu_day", "sensitive"]
WINDOW_KINDS: tuple[WindowKind, ...] = get_args(WindowKind)
"""Kinds of day that a plan may give windows of their own; those of `sensitive` go before those of the day's kind."""
FALLBACKS: Mapping[str, str] = {"makeup_workday": "workday", "lieu_day": "holiday"}
"""Whose windows hold on days whose own kind a plan does not mention: a weekend that is worked is a workday, a day off
by swapping belongs to its holiday. An empty list of windows is mentioned: nobody is called then."""
Category = Literal["city", "county", "town", "city_department", "county_department", "institution", "other"]
Period = Literal["week", "month", "quarter", "year", "whole"]
LineKind = Literal["duty", "leader"]
NIGHT_END_MIN = 6 * 60
"""From 00:00 to 06:00 nobody is called without a supervisor's approval."""
DAY_MIN = 24 * 60
LONGEST = timedelta(days=3 * 366)
MOST_TALK_S = 40.0
"""An unattended call lasts no longer."""


def minute_of(text: str) -> int:
    """Return the minute of the day that `HH:MM` names, 0 to 1440. Raises `ValueError`."""
    hours, sign, minutes = text.partition(":")
    if not (sign and len(hours) == len(minutes) == 2 and (hours + minutes).isascii()):
        raise ValueError("takes a time of day such as 08:30")
    if not (hours + minutes).isdigit():
        raise ValueError("takes a time of day such as 08:30")
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > DAY_MIN:
        raise ValueError("takes a time of day from 00:00 to 24:00")
    return minute


def _time_of_day(text: str) -> str:
    minute_of(text)
    return text


TimeOfDay = Annotated[str, Field(max_length=5), AfterValidator(_time_of_day)]
"""`HH:MM`, local time, 24:00 at the end of a day."""


class _Member(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Member):
    """A stretch of the day in which calls may come. One that ends before it begins goes on after midnight."""

    start: TimeOfDay
    end: TimeOfDay

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start == "24:00":
            raise ValueError("start is 24:00; it takes 00:00 of the next day's windows")
        if self.start == self.end:
            raise ValueError(
                f"a window from {self.start} to {self.end} is empty; a whole day is 00:00 to 24:00"
            )
        return self

    @property
    def minutes(self) -> tuple[int, int]:
        """From which to which minute, counted from the midnight on which its day begins; up to 2879."""
        first, last = minute_of(self.start), minute_of(self.end)
        return first, last if last > first else last + DAY_MIN

    @property
    def at_night(self) -> bool:
        """Whether some of it lies between 00:00 and 06:00."""
        first, last = self.minutes
        return first < NIGHT_END_MIN or last > DAY_MIN


class Scope(_Member):
    """Which units: of the chosen subtrees, kinds and categories all together; an empty list chooses all."""

    subtrees: list[Id] = Field(default_factory=list, max_length=2000)
    """Keys of units; each stands for itself and all units below it."""
    kinds: list[Name] = Field(default_factory=list, max_length=200)
    """Groups as the customer names them (`units.kind`), e.g. 镇街."""
    categories: list[Category] = Field(default_factory=list, max_length=10)
    exclude: list[Id] = Field(default_factory=list, max_length=2000)
    """Keys of units that are left out, with all below them."""
    line_kinds: list[LineKind] = Field(default=["duty"], min_length=1, max_length=2)
    """Which lines of a unit are called."""


class Weight(_Member):
    """More or fewer of the further calls for some units. What is guaranteed stays as it is."""

    unit: Id | None = None
    """Key of a unit: it and all below it."""
    kind: Name | None = None
    category: Category | None = None
    factor: float = Field(ge=0, le=20, allow_inf_nan=False)
    """Multiplies `extra_per_unit`; factors of several entries that fit a unit multiply each other."""

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if sum(choice is not None for choice in (self.unit, self.kind, self.category)) != 1:
            raise ValueError("takes one of unit, kind and category")
        return self


class Caps(_Member):
    """How often one line may be called at most, by all plans and designated checks together."""

    line_day: int = Field(default=1, ge=1, le=24)
    line_week: int = Field(default=3, ge=1, le=100)
    """From Monday to Sunday."""
    least_gap_h: float = Field(default=12.0, ge=0.5, le=24 * 60, allow_inf_nan=False)
    """Hours between two checks of a line."""


class PlanSpec(_Member):
    """A plan of spot checks."""

    units: Scope = Field(default_factory=Scope)
    first_day: Day
    last_day: Day
    """Inclusive. A window of it that goes on after midnight is called to its end."""
    period: Period = "month"
    """Calendar weeks (from Monday), months, quarters or years, or the plan as a whole. One that the first or last day
    cuts short counts as a whole one."""
    windows: dict[WindowKind, Annotated[list[Window], Field(max_length=24)]] = Field(min_length=1)
    calls_per_unit: int = Field(default=1, ge=0, le=60)
    """Guaranteed per unit and period."""
    extra_per_unit: float = Field(default=0.5, ge=0, le=20, allow_inf_nan=False)
    """Mean of the further calls per unit and period: a unit that was checked may be checked again."""
    most_per_unit: int | None = Field(default=None, ge=1, le=200)
    """Most calls per unit and period, whatever chance says."""
    yearly_coverage: int = Field(default=1, ge=0, le=60)
    """Guaranteed per unit and calendar year, all random checks of the year counted."""
    weights: list[Weight] = Field(default_factory=list, max_length=500)
    caps: Caps = Field(default_factory=Caps)
    retry: RetryRule = Field(default_factory=RetryRule)
    opening_id: Id | None = None
    """Prompt that is played after the answer. A plan may be written without one, and not started."""
    closing_id: Id | None = None
    notice: bool = True
    """Whether the opening says that the call is recorded; shown with each result."""
    max_talk_s: float = Field(default=30.0, ge=5, le=MOST_TALK_S, allow_inf_nan=False)
    """Seconds after the answer at which an unattended call ends."""
    max_ring_s: float = Field(default=60.0, ge=20, le=120, allow_inf_nan=False)
    """Seconds of ringing at which an unanswered call is given up."""
    trunk: Code | None = None
    """Name of the trunk that is tried first; None: that of the line, else by priority."""
    note: Short = ""

    @model_validator(mode="after")
    def _agreeing(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError(f"last_day: {self.last_day} lies before first_day ({self.first_day})")
        if self.last_day - self.first_day > LONGEST:
            raise ValueError(f"last_day: a plan lasts three years at most, this one ends on {self.last_day}")
        if not any(self.windows.values()):
            raise ValueError("windows: every list is empty; at least one kind of day takes a window")
        if self.most_per_unit is not None and self.most_per_unit < self.calls_per_unit:
            raise ValueError(
                f"most_per_unit: {self.most_per_unit} is less than calls_per_unit ({self.calls_per_unit})"
            )
        if not (self.calls_per_unit or self.yearly_coverage or self.extra_per_unit):
            raise ValueError(
                "calls_per_unit: with yearly_coverage and extra_per_unit 0 too nobody is ever called"
            )
        return self

    def windows_of(self, kind: str, sensitive: bool) -> tuple[Window, ...]:
        """Return the windows of a day of this kind; none where it has none."""
        given: dict[str, list[Window]] = {str(name): windows for name, windows in self.windows.items()}
        if sensitive and "sensitive" in given:
            return tuple(given["sensitive"])
        found = given.get(kind, given.get(FALLBACKS.get(kind, ""), []))
        return tuple(found)

    @property
    def calls_at_night(self) -> bool:
        """Whether some window lies between 00:00 and 06:00, so that a supervisor must approve."""
        return any(window.at_night for windows in self.windows.values() for window in windows)

    def to_content(self) -> dict[str, Any]:
        """Return what `plans.content` holds; `PlanSpec.model_validate` reads it."""
        return self.model_dump(mode="json")


def period_of(period: str, day: date, first_day: date) -> date:
    """Return the first day of the period that a day lies in; of `whole`, the plan's first day."""
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    if period == "quarter":
        return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    return date(day.year, 1, 1) if period == "year" else first_day


def days_between(first: date, last: date) -> Iterator[date]:
    """Return the days from the first to the last, both inclusive."""
    return (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))


def time_of(minute: int) -> time:
    """Return the time of day of a minute counted from midnight; of a later day's minute, that day's."""
    return time(minute % DAY_MIN // 60, minute % 60)
