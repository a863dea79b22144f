"""A simulated year: real plans, draws, planner, dispatcher and ledger on a virtual clock, with a phone of its own."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from app import clock
from app.bench.year_phone import YearPhone
from app.checks.dispatcher import Dispatcher
from app.checks.engine import LedgerEngine
from app.checks.models import Attempt, SpotCheck
from app.database import Database, upgrade
from app.directory import service as directory
from app.directory.models import Unit
from app.directory.repository import count_units as units_there
from app.planning import coverage, prompts
from app.planning import service as planning
from app.planning.clockwork import Planner
from app.planning.spec import Caps, PlanSpec, Window, WindowKind
from app.settings import Settings

SCHEMA = "dutyring.year/1"
WRITER, SUPERVISOR = "year-writer", "year-supervisor"
_TOWNS_PER_COUNTY = 20
_HANDOVERS: tuple[list[str], ...] = (["08:30", "18:00"], ["08:00"], ["09:00", "17:30"], [])
_LOOK_EVERY = timedelta(hours=12)
"""The clock moves at least so often, for what is found out between two calls."""
WINDOWS: dict[WindowKind, list[Window]] = {
    "workday": [Window(start="08:30", end="12:00"), Window(start="18:30", end="23:30")],
    "weekend": [Window(start="09:00", end="22:00")],
    "holiday": [Window(start="09:00", end="23:00")],
}

CAPS = Caps(line_day=1, line_week=2, least_gap_h=24)


class NotEmptyError(Exception):
    """The database holds units already."""


@dataclass
class VirtualClock:
    """A clock that stands until it is set."""

    moment: datetime

    def __call__(self) -> datetime:
        """Return where it stands."""
        return self.moment

    def set(self, moment: datetime) -> None:
        """Move on, never back."""
        self.moment = max(self.moment, moment)


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the ledger has it, for the checks of this module alone."""

    order: int
    line: int
    number: int
    at: datetime


async def simulate(
    settings: Settings, units: int, year: int, seed: int = 1, *, last_day: date | None = None
) -> dict[str, Any]:
    """Run one plan over one year, or its days until `last_day`, for so many units; return the figures of the contract.

    The database of the settings must be empty. The seed decides how the lines behave, not who is called when.
    """
    upgrade(settings)
    first, last = date(year, 1, 1), last_day or date(year, 12, 31)
    virtual = VirtualClock(datetime.combine(first, time.min, settings.zone).astimezone(UTC))
    began = perf_counter()
    with clock.running(virtual):
        async with Database(settings.url) as database:
            await _enter_units(database, units)
            draw_s = await _start_plan(database, settings, first, last)
            phone = YearPhone(random.Random(seed))
            ticks = await _run(
                database,
                settings,
                phone,
                virtual,
                datetime.combine(last + timedelta(days=1), time.min, settings.zone),
            )
            found = await _figures(database, settings, year, phone)
    return (
        {"schema": SCHEMA, "units": units}
        | found
        | {
            "draw_s": round(draw_s, 2),
            "ticks": ticks,
            "wall_s": round(perf_counter() - began, 1),
        }
    )


async def _enter_units(database: Database, count: int) -> None:
    """A city with counties and their towns; one verified line each."""
    async with database.unit_of_work() as session:
        if await units_there(session):
            raise NotEmptyError("it holds units already; a simulated year takes an empty database")
        root = await directory.add_unit(session, "year-city", "市")
        root.category = "city"
        county: Unit | None = None
        for number in range(count):
            is_county = number % (_TOWNS_PER_COUNTY + 1) == 0
            unit = await directory.add_unit(
                session,
                f"year-{number:05}",
                f"单位{number:05}",
                parent=root if is_county else county,
            )
            unit.category = "county" if is_county else "town"
            county = unit if is_county else county
            unit.handover_times = list(_HANDOVERS[number % len(_HANDOVERS)])
            await directory.add_line(session, unit, f"0000-{5_000_000 + number}", verified=True)


def spec(first: date, last: date, opening_id: int) -> PlanSpec:
    """The plan of the year: each unit once for certain, and in each quarter perhaps once more."""
    return PlanSpec(
        first_day=first,
        last_day=last,
        period="quarter",
        windows=WINDOWS,
        calls_per_unit=0,
        extra_per_unit=0.5,
        yearly_coverage=1,
        caps=CAPS,
        opening_id=opening_id,
    )


async def _start_plan(database: Database, settings: Settings, first: date, last: date) -> float:
    """Write, preview and start the plan; return the seconds of preview and draw."""
    async with database.unit_of_work() as session:
        shipped = await prompts.add_shipped(session, settings.data_dir, WRITER)
        opening = next(prompt for prompt in shipped if prompt.kind == "opening")
        await prompts.approve(session, opening.id, SUPERVISOR)
        plan = await planning.create(session, f"{first.year}", spec(first, last, opening.id), WRITER)
    async with database.reading() as session:
        seen = await planning.preview(session, settings, plan.id)
    async with database.unit_of_work() as session:
        await planning.start(session, settings, seen, SUPERVISOR)
    began = perf_counter()
    await Planner(database, settings).tick(clock.now())
    return perf_counter() - began


async def _run(
    database: Database, settings: Settings, phone: YearPhone, virtual: VirtualClock, end: datetime
) -> int:
    """Let the year pass; return how often the clock was moved."""
    planner, dispatcher = Planner(database, settings), Dispatcher(database, phone, settings)
    engine = LedgerEngine(database, settings, dispatcher.owner)
    ticks = 0
    while virtual.moment < end:
        await planner.tick(virtual.moment)
        await engine.release(virtual.moment)
        while await dispatcher.place_due():
            await dispatcher.idle()
        ticks += 1
        moments = [virtual.moment + _LOOK_EVERY, planner.next_at(), await _next_repeat(database)]
        virtual.set(max(min(at for at in moments if at is not None), virtual.moment + timedelta(seconds=1)))
    return ticks


async def _next_repeat(database: Database) -> datetime | None:
    async with database.reading() as session:
        return await session.scalar(select(func.min(SpotCheck.due_at)).where(SpotCheck.state == "retry"))


async def _figures(database: Database, settings: Settings, year: int, phone: YearPhone) -> dict[str, Any]:
    async with database.reading() as session:
        orders = await session.scalar(select(func.count()).select_from(SpotCheck)) or 0
        covered = await coverage.summary(session, year, 1, settings.zone)
        rows = await session.execute(
            select(Attempt.check_id, Attempt.line_id, Attempt.number, Attempt.claimed_at).order_by(
                Attempt.claimed_at
            )
        )
        calls = [Call(*row) for row in rows]
    return {
        "checks": orders,
        "calls": len(calls),
        "coverage": round(covered.covered / covered.units, 6) if covered.units else 1.0,
        "cap_violations": len(list(violations(calls, CAPS, settings.zone))),
        "double_dials": phone.double_dials + abs(len(calls) - len(phone.placed)),
    }


def violations(calls: Sequence[Call], caps: Caps, zone: ZoneInfo) -> Iterator[str]:
    """Name every cap that the calls of a ledger broke. Repeats belong to their order, whose first call counts."""
    firsts: dict[int, list[datetime]] = defaultdict(list)
    for call in calls:
        if call.number == 1:
            firsts[call.line].append(call.at)
    for line, moments in firsts.items():
        moments.sort()
        days = Counter(at.astimezone(zone).date() for at in moments)
        weeks = Counter(at.astimezone(zone).isocalendar()[:2] for at in moments)
        yield from (f"line {line}: {n} checks on {day}" for day, n in days.items() if n > caps.line_day)
        yield from (
            f"line {line}: {n} checks in week {week}" for week, n in weeks.items() if n > caps.line_week
        )
        gap = timedelta(hours=caps.least_gap_h)
        yield from (
            f"line {line}: checks at {earlier} and {later}"
            for earlier, later in itertools.pairwise(moments)
            if later - earlier < gap
        )


def own_settings(folder: Path, url: str | None) -> Settings:
    """Settings on a database of one's own."""
    return Settings(data_dir=folder, database_url=url, phone_process=False, log_level="error")
