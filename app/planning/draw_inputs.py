"""All that a draw depends on besides its seed, as canonical JSON: whole numbers, words and lists alone.

Moments are whole seconds since 1970 (UTC); days are ordinals of the calendar (`date.toordinal`), so that a verifier
needs neither our database nor a table of time zones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

SCHEMA: Literal["dutyring.draw/1"] = "dutyring.draw/1"
PPM = 1_000_000
NIGHT_CALLS_PER_MONTH = 1
"""From 00:00 to 06:00 a line is called once a month at most, and only with a supervisor's approval."""
_LAST_S = 1 << 34
"""Beyond any moment of the years that a plan can name."""
_Moment = Annotated[int, Field(ge=0, lt=_LAST_S)]
_Ordinal = Annotated[int, Field(ge=1, le=3_000_000)]
_Count = Annotated[int, Field(ge=0, le=1_000_000)]
_Key = Annotated[int, Field(ge=1, lt=2**63)]


class DrawInputsError(ValueError):
    """What is given are no inputs of a draw."""


class Piece(NamedTuple):
    """A stretch of a window within one local day, and within or outside 00:00 to 06:00."""

    start: _Moment
    end: _Moment
    """The first second after it."""
    day: _Ordinal
    """The local day on which it lies: by it the caps count."""
    period: _Count
    """Number of the period of the day on which its window starts."""
    night: bool


class DayMark(NamedTuple):
    """A local day."""

    day: _Ordinal
    midnight: _Moment
    length: Annotated[int, Field(ge=1, le=200_000)]
    """Seconds; other than 86,400 where the clocks are changed."""


class Group(NamedTuple):
    """Lines that may be called at the same times."""

    handovers: tuple[Annotated[int, Field(ge=0, le=1440)], ...]
    """Local times of 交接班, in minutes of the day."""
    closed: tuple[tuple[_Moment, _Moment], ...]
    """Stretches in which they are not called, e.g. maintenance, or before the line is in use."""


class Used(NamedTuple):
    """A check of a line that was made or ordered already, whatever ordered it."""

    at: _Moment
    day: _Ordinal
    night: bool


class Caps(NamedTuple):
    """How often one line may be called at most."""

    day: Annotated[int, Field(ge=1, le=100)]
    week: Annotated[int, Field(ge=1, le=1000)]
    gap_s: Annotated[int, Field(ge=1, le=10_000_000)]


class DrawLine(NamedTuple):
    """A line that may be called."""

    line_id: _Key
    group: _Count
    used: tuple[Used, ...]


class DrawUnit(NamedTuple):
    """A unit, with the lines that answer for it and what was counted already."""

    unit_id: _Key
    weight_ppm: Annotated[int, Field(ge=0, le=1_000 * PPM)]
    lines: tuple[DrawLine, ...]
    done: tuple[tuple[_Count, _Count], ...]
    """Period's number and calls counted in it; periods without any are left out."""
    done_years: tuple[tuple[_Count, _Count], ...]
    """Calendar year and calls counted in it, by all plans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawInputs:
    """The inputs of one draw."""

    # A member that nobody reads would be one that nobody checks.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    schema: Literal["dutyring.draw/1"] = SCHEMA
    epoch: _Count
    from_at: _Moment
    """No moment comes before it."""
    night: bool
    """Whether a supervisor approved calls from 00:00 to 06:00."""
    best_effort: bool
    """Whether what cannot be met any more is left out: the remainder of a run must go on. Else nothing is drawn."""
    calls: _Count
    """Guaranteed per unit and period."""
    extra_ppm: Annotated[int, Field(ge=0, le=1_000 * PPM)]
    """Mean of the further calls per unit and period, in millionths."""
    most: _Count | None
    """Most calls per unit and period."""
    coverage: _Count
    """Guaranteed per unit and calendar year."""
    caps: Caps
    periods: tuple[Annotated[str, Field(max_length=20)], ...]
    """Their first days, for messages."""
    years: tuple[_Count, ...]
    """Calendar years in which the coverage is wanted."""
    pieces: tuple[Piece, ...]
    """In order of time; none overlaps another."""
    days: tuple[DayMark, ...]
    """Every day of the pieces and its neighbours, in order."""
    groups: tuple[Group, ...]
    units: tuple[DrawUnit, ...] = field(default=())

    def short_years(self, unit: DrawUnit) -> tuple[tuple[int, int], ...]:
        """What was counted of a unit's years, as far as it is wanted: alike for all units that had enough."""
        return tuple((year, min(count, self.coverage)) for year, count in unit.done_years)

    def short_periods(self, unit: DrawUnit) -> tuple[tuple[int, int], ...]:
        """The same of what was counted of its periods: alike for all units that had what is guaranteed."""
        return tuple((period, min(count, self.calls)) for period, count in unit.done)

    def is_covered(self, unit: DrawUnit) -> bool:
        """Whether nothing is lacking in any year: no period has to take more than its own calls."""
        counts = dict(unit.done_years)
        return all(counts.get(year, 0) >= self.coverage for year in self.years)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        found: dict[str, Any] = _adapter.dump_python(self, mode="json")
        return found

    def to_json(self) -> str:
        """Return the canonical text: members in order, no spaces, ASCII. Equal inputs give equal text."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def digest(self) -> str:
        """Return the SHA-256 of the canonical text, in hex."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str | bytes) -> DrawInputs:
        """Read inputs. Raises `DrawInputsError` for anything that is none."""
        try:
            found = _adapter.validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise DrawInputsError(f"inputs of a draw: {place}: {first['msg']}") from None
        check(found)
        return found

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> DrawInputs:
        """Read what `to_dict` gave, e.g. from the database. Raises `DrawInputsError`."""
        try:
            return cls.from_json(json.dumps(content))
        except (TypeError, ValueError, RecursionError) as error:
            if isinstance(error, DrawInputsError):
                raise
            raise DrawInputsError("inputs of a draw: not JSON") from error


_adapter = TypeAdapter(DrawInputs)


def check(inputs: DrawInputs) -> None:
    """Raise `DrawInputsError` where members contradict each other."""
    reached = 0
    period = 0
    marked = {mark.day for mark in inputs.days}
    for number, piece in enumerate(inputs.pieces):
        if not reached <= piece.start < piece.end or piece.period < period:
            raise DrawInputsError(f"inputs of a draw: pieces.{number}: out of order")
        if piece.period >= len(inputs.periods) or piece.day not in marked:
            raise DrawInputsError(f"inputs of a draw: pieces.{number}: of a period or day that is not named")
        reached, period = piece.end, piece.period
    if list(inputs.days) != sorted(set(inputs.days)) or len(marked) != len(inputs.days):
        raise DrawInputsError("inputs of a draw: days: out of order")
    keys: set[int] = set()
    units: set[int] = set()
    for unit in inputs.units:
        for line in unit.lines:
            if line.group >= len(inputs.groups) or line.line_id in keys:
                raise DrawInputsError(f"inputs of a draw: line {line.line_id}: twice, or of no group")
            keys.add(line.line_id)
        if unit.unit_id in units:
            raise DrawInputsError(f"inputs of a draw: unit {unit.unit_id}: twice")
        units.add(unit.unit_id)
