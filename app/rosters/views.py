"""What a roster said at a moment, as plain values that outlive the session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ShiftView:
    """One person's turn, and the version of the roster that names it."""

    name: str
    title: str
    phone: str
    person_id: int | None
    start_at: datetime
    end_at: datetime
    kind: str
    """`duty` (值班) or `leader` (带班)."""
    day: date
    version: int
    filed_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, without the telephone number."""
        return {
            "name": self.name,
            "title": self.title,
            "person_id": self.person_id,
            "start_at": self.start_at.isoformat(),
            "end_at": self.end_at.isoformat(),
            "day": self.day.isoformat(),
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class LaterView:
    """A version filed after the moment of knowledge (调班): shown beside the roster, never in its place."""

    kind: str
    day: date
    version: int
    filed_at: datetime
    filed_by: str
    note: str
    shifts: tuple[ShiftView, ...]
    """Those of it that hold the moment asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "kind": self.kind,
            "day": self.day.isoformat(),
            "version": self.version,
            "filed_at": self.filed_at.isoformat(),
            "filed_by": self.filed_by,
            "note": self.note,
            "shifts": [shift.to_dict() for shift in self.shifts],
        }


@dataclass(frozen=True, slots=True)
class RosterView:
    """Who should be on duty (值班) and lead it (带班) at a moment, by what was filed at another, `as_of`."""

    unit_id: int
    at: datetime
    as_of: datetime
    duty: tuple[ShiftView, ...]
    leaders: tuple[ShiftView, ...]
    version: Mapping[str, int | None]
    """By kind: the version in force of the roster that holds the moment, None where none was filed."""
    filed_at: Mapping[str, datetime | None]
    """By kind: when that version was filed."""
    later: tuple[LaterView, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, without telephone numbers."""
        filed = {kind: None if at is None else at.isoformat() for kind, at in self.filed_at.items()}
        return {
            "unit_id": self.unit_id,
            "at": self.at.isoformat(),
            "as_of": self.as_of.isoformat(),
            "duty": [shift.to_dict() for shift in self.duty],
            "leaders": [shift.to_dict() for shift in self.leaders],
            "version": dict(self.version),
            "filed_at": filed,
            "later": [version.to_dict() for version in self.later],
        }
