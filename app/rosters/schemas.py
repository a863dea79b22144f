"""JSON of rosters and whereabouts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.text import Day, Id, Long, Moment, Name, Title
from app.directory.schemas import Phone, ShortTitle, ShownPhone, UnitOut
from app.rosters.views import RosterView

RosterKind = Literal["duty", "leader"]


class Given(BaseModel):
    """What a caller sends: nothing beside what is named."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """What is answered, read from rows."""

    model_config = ConfigDict(from_attributes=True)


class ShiftIn(Given):
    """One person's turn."""

    name: Name
    title: ShortTitle = ""
    phone: Phone = ""
    person_id: Id | None = None
    start_at: Moment
    end_at: Moment


class RosterIn(Given):
    """A roster of one day; turns that go on after midnight belong to the day on which they begin."""

    day: Day
    kind: RosterKind
    shifts: Annotated[list[ShiftIn], Field(max_length=60)]
    """Empty takes an earlier version back."""
    note: Long = ""
    seen_version: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """The version that the caller saw, 0 for none; another one in between is a conflict."""


class ShiftOut(Shown):
    """One person's turn."""

    name: str
    title: str
    phone: ShownPhone
    person_id: int | None
    start_at: datetime
    end_at: datetime


class RosterOut(Shown):
    """One version of a unit's roster for a day."""

    id: int
    unit_id: int
    day: date
    kind: str
    version: int
    filed_at: datetime
    filed_by: str
    source: str
    note: str
    shifts: list[ShiftOut]


class RosterAtOut(BaseModel):
    """Who should be on duty at a moment, by what was filed at another; what was filed later stands beside it."""

    unit_id: int
    at: datetime
    as_of: datetime
    duty: list[dict[str, Any]]
    leaders: list[dict[str, Any]]
    version: dict[str, int | None]
    filed_at: dict[str, datetime | None]
    later: list[dict[str, Any]]

    @classmethod
    def of(cls, view: RosterView) -> RosterAtOut:
        """Show a view."""
        return cls.model_validate(view.to_dict())


class OwedOut(BaseModel):
    """A roster that is not there."""

    day: date
    kind: str


class LateOut(Shown):
    """A roster that was first filed after its deadline."""

    day: date
    kind: str
    filed_at: datetime
    deadline: datetime


class FilingOut(BaseModel):
    """What a unit filed for a period."""

    unit: UnitOut
    missing: list[OwedOut]
    awaited: list[OwedOut]
    late: list[LateOut]


class RosterWarningOut(Shown):
    """One thing that a person should look at."""

    code: str
    day: date
    message: str
    names: list[str]
    certain: bool


class UnitWarningsOut(BaseModel):
    """What is wrong with a unit's rosters."""

    unit: UnitOut
    warnings: list[RosterWarningOut]


class WhereaboutsIn(Given):
    """Where a unit's principal is between two moments."""

    name: Name
    person_id: Id | None = None
    first_at: Moment
    last_at: Moment
    place: Title


class WhereaboutsOut(Shown):
    """An absence without its place."""

    id: int
    unit_id: int
    person_id: int | None
    name: str
    first_at: datetime
    last_at: datetime
    entered_by: str
    expires_at: datetime


class WhereaboutsRead(WhereaboutsOut):
    """An absence and its place; this reading is on record."""

    place: str
