"""Fills and calls the fictional county. Verbs never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import repository, service
from app.checks.models import LIVE_STATES, Attempt, AttemptEvent
from app.checks.rules import Rules
from app.demo.announcements import mark_announcements
from app.demo.county import BY_CODE, CATEGORIES, OWN_DOCUMENT, RULE_SET, UNITS, DemoUnit
from app.directory import repository as directory
from app.directory import service as entries
from app.rules import service as rules
from app.rules.models import RuleActivation
from app.rules.own import Own


class ForeignUnitsError(RuntimeError):
    """The data folder holds units that are not the demo's: nobody's real line is called for a demo."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the round and what came of it."""

    unit: DemoUnit
    attempt: Attempt | None
    ringing_since: datetime | None = None
    """When the ledger first saw it ring."""

    @property
    def code(self) -> str | None:
        """The verdict's code, None while there is none."""
        return self.attempt.verdict_code if self.attempt else None

    @property
    def done(self) -> bool:
        """Whether the call is over."""
        return self.attempt is not None and self.attempt.state not in LIVE_STATES

    @property
    def as_expected(self) -> bool:
        """Whether the line was judged as its behaviour demands."""
        return self.code in self.unit.expected


async def fill(session: AsyncSession) -> int:
    """Enter the county into an empty directory; return how many units were entered.

    The announcements of its carrier become samples with it.

    Raises ForeignUnitsError when the directory holds other units.
    """
    present = {unit.code for unit in await directory.units(session)}
    if present - BY_CODE.keys():
        raise ForeignUnitsError(
            "the data folder holds units of its own; set DUTYRING_DATA_DIR to an empty folder for the demo"
        )
    if not present:
        await mark_announcements(session)
    missing = [unit for unit in UNITS if unit.code not in present]
    for unit in missing:
        row = await entries.add_unit(session, unit.code, unit.name, unit.kind)
        row.category = CATEGORIES[unit.kind]
        await entries.add_line(session, row, unit.number, unit.extension, verified=True)
    return len(missing)


async def put_rules_in_force(session: AsyncSession, limits: Rules) -> None:
    """Let a shipped rule set bind the county, so that there is something to decide; what is in force stays."""
    if await session.scalar(select(RuleActivation.id).limit(1)) is None:
        found = await rules.find(session, RULE_SET)
        await rules.activate(session, found, OWN_DOCUMENT, Own(), "demo", limits=limits)


async def place_all(session: AsyncSession) -> list[int]:
    """Order one call of every line of the county, now; return the checks' keys in the county's order."""
    lines = {line.unit.code: line for line in await directory.active_lines(session)}
    return [
        (await service.order_now(session, lines[unit.code], "演示：全县同时抽查", kind="demo")).id
        for unit in UNITS
        if unit.code in lines
    ]


async def results(session: AsyncSession, check_ids: Sequence[int]) -> list[Result]:
    """What came of the ordered checks so far, in the county's order."""
    attempts = await repository.attempts_of(session, check_ids)
    by_code = {attempt.unit.code: attempt for attempt in attempts}
    ringing = await _ringing_since(session, [attempt.id for attempt in attempts])
    return [_result(unit, by_code.get(unit.code), ringing) for unit in UNITS]


def _result(unit: DemoUnit, attempt: Attempt | None, ringing: Mapping[int, datetime]) -> Result:
    return Result(unit, attempt, ringing.get(attempt.id) if attempt else None)


async def _ringing_since(session: AsyncSession, attempt_ids: Sequence[int]) -> dict[int, datetime]:
    query = (
        select(AttemptEvent)
        .where(AttemptEvent.attempt_id.in_(attempt_ids), AttemptEvent.state == "ringing")
        .order_by(AttemptEvent.id.desc())
    )
    # The earliest comes last, and stays.
    return {event.attempt_id: event.at for event in await session.scalars(query)}


def mismatches(found: Sequence[Result]) -> list[Result]:
    """The lines that were not judged as their behaviour demands."""
    return [result for result in found if not result.as_expected]
