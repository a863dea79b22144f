"""Gathers what a draw depends on from the directory, the calendar and the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import UnitExemption
from app.planning import choosing, ledger, permits, repository
from app.planning.calendar import CalendarBook, load_book
from app.planning.draw_inputs import DrawInputs
from app.planning.lines import PlanLine, lines_between
from app.planning.models import Plan
from app.planning.spec import PlanSpec
from app.planning.windows import DrawMoment, LineFacts, UnitFacts, build_inputs

_BOUNDLESS = timedelta(days=3 * 366)
"""What is closed without an end is closed for longer than any plan lasts."""
_DAY = timedelta(days=1)
_WEEK, _MONTH = timedelta(days=8), timedelta(days=32)
"""A day more than they last, for days on which the clocks are changed."""


@dataclass(frozen=True, slots=True)
class Uncallable:
    """A unit that a plan chooses and cannot call."""

    unit_id: int
    code: str
    why: str
    """`number`: its number could not be verified (核号)."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a plan chooses, as things stand."""

    spec: PlanSpec
    book: CalendarBook
    units: Sequence[UnitFacts]
    uncallable: Sequence[Uncallable]
    pending: int
    """Lines whose number has yet to be verified: their first call is a 核号."""

    def inputs(self, zone: ZoneInfo, moment: DrawMoment) -> DrawInputs:
        """Write down what the draw depends on."""
        return build_inputs(self.spec, self.book, zone, self.units, moment)


def _reach(spec: PlanSpec, *, nights: bool) -> timedelta:
    """How long before a plan's first moment a check may still count in a cap of its line: a week, a month or a gap."""
    look = _MONTH if nights and spec.calls_at_night else _WEEK
    return max(look, timedelta(hours=spec.caps.least_gap_h))


async def stamp(session: AsyncSession) -> str:
    """A digest that differs once a line, a unit, an exemption or the calendar was changed; cheaper than gathering."""
    digest = hashlib.sha256()
    for row in await repository.directory_rows(session):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


async def gather(
    session: AsyncSession, plan: Plan, spec: PlanSpec, zone: ZoneInfo, from_at: datetime
) -> Gathered:
    """Gather what a draw from this moment on depends on."""
    book = await load_book(session, spec.first_day, spec.last_day)
    heads = await repository.paths(session, tuple(choosing.heads_of(spec)))
    lines = [
        line
        for line in await lines_between(session, from_at.astimezone(zone).date(), spec.last_day)
        if choosing.chosen(spec.units, heads, line)
    ]
    good = [line for line in lines if line.verification != "failed"]
    facts = await _Facts.load(session, plan, spec, zone, from_at, [line.id for line in good])
    by_unit: dict[int, list[PlanLine]] = {}
    for line in good:
        by_unit.setdefault(line.unit_id, []).append(line)
    units = [
        facts.unit(unit_lines, choosing.factor(spec.weights, heads, unit_lines[0].unit))
        for unit_lines in by_unit.values()
    ]
    bad = {line.unit_id: line.unit.code for line in lines if line.unit_id not in by_unit}
    return Gathered(
        spec,
        book,
        units,
        [Uncallable(key, code, "number") for key, code in sorted(bad.items())],
        sum(line.verification == "pending" for line in good),
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the tables say of the lines of a plan."""

    zone: ZoneInfo
    first: datetime
    last: datetime
    """First moment of the plan's first day, and a day after its last."""
    uses: Mapping[int, Sequence[datetime]]
    done: Mapping[int, Sequence[int]]
    years: Mapping[int, Mapping[int, int]]
    of_lines: Mapping[int, Sequence[UnitExemption]]
    of_units: Mapping[int, Sequence[UnitExemption]]
    """Exemptions of a line, by whichever unit, and of all lines of a unit."""
    further: Mapping[int, Sequence[int]]
    handovers: Mapping[int, Sequence[str]]

    @classmethod
    async def load(
        cls,
        session: AsyncSession,
        plan: Plan,
        spec: PlanSpec,
        zone: ZoneInfo,
        from_at: datetime,
        line_ids: Sequence[int],
    ) -> _Facts:
        further, handovers = await repository.shared_units(session)
        of_lines: dict[int, list[UnitExemption]] = {}
        of_units: dict[int, list[UnitExemption]] = {}
        for item in await repository.exemptions_after(session, from_at):
            if item.line_id is not None:
                of_lines.setdefault(item.line_id, []).append(item)
            else:
                of_units.setdefault(item.unit_id, []).append(item)
        first = datetime.combine(spec.first_day, time(), zone).astimezone(UTC)
        since = max(from_at, first) - _reach(spec, nights=plan.night_approved_at is not None)
        return cls(
            zone,
            first,
            datetime.combine(spec.last_day + 2 * _DAY, time(), zone).astimezone(UTC),
            await ledger.uses_of_all(session, frozenset(line_ids), since),
            await ledger.done_by_plan(session, plan.id),
            await ledger.done_by_year(session, spec.first_day.year, spec.last_day.year, zone),
            of_lines,
            of_units,
            further,
            handovers,
        )

    def unit(self, lines: Sequence[PlanLine], weight: float) -> UnitFacts:
        """Put one unit's facts together."""
        unit = lines[0].unit
        texts = [*unit.handover_times]
        if self.further:
            others = {key for line in lines for key in self.further.get(line.id, ())}
            texts += [text for key in others for text in self.handovers.get(key, ())]
        return UnitFacts(
            unit.id,
            [LineFacts(line.id, self.uses.get(line.id, ()), self._closed(line)) for line in lines],
            [moment.hour * 60 + moment.minute for moment in permits.times_of(texts)],
            weight,
            self.done.get(unit.id, ()),
            self.years.get(unit.id, {}),
        )

    def _closed(self, line: PlanLine) -> list[tuple[datetime, datetime]]:
        """When a line must not be called: out of its or its unit's dates, and while an exemption holds."""
        found: list[tuple[datetime, datetime]] = []
        for row in (line, line.unit):
            if row.first_day is not None:
                found.append((self.first, self._midnight(row.first_day)))
            if row.last_day is not None:
                found.append((self._midnight(row.last_day + _DAY), self.last))
        if self.of_lines or self.of_units:
            reached = {line.unit_id, *self.further.get(line.id, ())}
            for exempt in (self.of_lines.get(line.id, ()), *(self.of_units.get(key, ()) for key in reached)):
                found += [
                    (item.first_at, self.last if item.last_at is None else item.last_at) for item in exempt
                ]
        return [(first, last) for first, last in found if first < last]

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)
