"""Fills, calls and tabulates the fictional county. Verbs never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import repository, service
from app.checks.models import LIVE_STATES, Attempt
from app.checks.rules import CODES
from app.demo.county import BY_CODE, COUNTY, UNITS, DemoUnit
from app.directory import repository as directory
from app.directory import service as entries


class ForeignUnitsError(RuntimeError):
    """The data folder holds units that are not the demo's: nobody's real line is called for a demo."""


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the round and what came of it."""

    unit: DemoUnit
    attempt: Attempt | None

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

    Raises ForeignUnitsError when the directory holds other units.
    """
    present = {unit.code for unit in await directory.units(session)}
    if present - BY_CODE.keys():
        raise ForeignUnitsError(
            "the data folder holds units of its own; set DUTYRING_DATA_DIR to an empty folder for the demo"
        )
    missing = [unit for unit in UNITS if unit.code not in present]
    for unit in missing:
        row = await entries.add_unit(session, unit.code, unit.name, unit.kind)
        await entries.add_line(session, row, unit.number, unit.extension)
    return len(missing)


async def place_all(session: AsyncSession) -> list[int]:
    """Order one call of every line of the county, now; return the checks' keys in the county's order."""
    lines = {line.unit.code: line for line in await directory.active_lines(session)}
    return [
        (await service.order_now(session, lines[unit.code], "演示：全县同时抽查")).id
        for unit in UNITS
        if unit.code in lines
    ]


async def results(session: AsyncSession, check_ids: Sequence[int]) -> list[Result]:
    """What came of the ordered checks so far, in the county's order."""
    attempts = await repository.attempts_of(session, check_ids)
    by_code = {attempt.unit.code: attempt for attempt in attempts}
    return [Result(unit, by_code.get(unit.code)) for unit in UNITS]


def mismatches(found: Sequence[Result]) -> list[Result]:
    """The lines that were not judged as their behaviour demands."""
    return [result for result in found if not result.as_expected]


def result_table(found: Sequence[Result]) -> Table:
    """The round as a table for the terminal."""
    table = Table(title=f"Spot checks of the fictional county {COUNTY}", header_style="bold")
    for name in ("unit", "line", "outcome"):
        table.add_column(name, no_wrap=True)
    table.add_column("ringing", justify="right", no_wrap=True)
    for name in ("verdict", "right"):
        table.add_column(name, no_wrap=True)
    for result in found:
        table.add_row(*_cells(result))
    return table


def _cells(result: Result) -> tuple[str | Text | None, ...]:
    attempt = result.attempt
    if attempt is None:
        return (_short(result.unit), result.unit.extension, "-", "-", "not called", Text("no", "red"))
    rang = "-" if attempt.ring_to_answer_ms is None else f"{attempt.ring_to_answer_ms / 1000:.1f} s"
    demanded = Text("yes", "green") if result.as_expected else Text("no", "red")
    return (
        _short(result.unit),
        result.unit.extension,
        attempt.answered_by if attempt.outcome == "answered" else attempt.outcome or attempt.state,
        rang,
        Text(_title(result.code), "bold red" if attempt.needs_review else ""),
        demanded,
    )


def _short(unit: DemoUnit) -> str:
    return unit.name.removeprefix(COUNTY)


def _title(code: str | None) -> str:
    return next((info.zh for known, info in CODES.items() if known == code), code or "-")
