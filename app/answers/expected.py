"""What the books let one expect in an answer: plain values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BookPerson:
    """Somebody whose name may be said."""

    name: str
    title: str = ""
    on_duty: bool = False
    """The roster of that moment names him; else he is only one of the unit's people."""
    book: dict[str, Any] | None = None
    """Where it stands: kind, day and version of the roster, or `people`."""


@dataclass(frozen=True, slots=True)
class BookNumber:
    """A telephone number of the books."""

    number: str
    what: str
    """`duty`, `leader`, `fax`, `other` of a line; `shift` of somebody on duty, `person` of the unit."""


@dataclass(frozen=True, slots=True)
class Expected:
    """All of it, for one call."""

    people: tuple[BookPerson, ...] = ()
    units: tuple[str, ...] = ()
    """Full names of the units that the line reaches."""
    numbers: tuple[BookNumber, ...] = ()
    keys: frozenset[str] = frozenset()
    """Answer keys: compared, never shown."""

    def __repr__(self) -> str:
        return f"Expected({len(self.people)} people, {len(self.units)} units)"
