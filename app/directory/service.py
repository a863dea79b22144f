"""Verbs of the directory. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.guard import check_target
from app.directory.models import DutyLine, LineExemption, Unit
from sip.numbers import parse_number


async def add_unit(session: AsyncSession, code: str, name: str, kind: str = "") -> Unit:
    """Enter a unit; `code` is unique."""
    unit = Unit(code=code, name=name, kind=kind, created_at=datetime.now(UTC))
    session.add(unit)
    await session.flush()
    return unit


async def add_line(
    session: AsyncSession,
    unit: Unit,
    number: str,
    target: str | None = None,
    pilot_numbers: Iterable[str] = (),
) -> DutyLine:
    """Enter a duty line of a unit; `target` is what is dialled, the number itself unless given.

    Raises `NeverDialledError` or `TargetError` for what must not or cannot be dialled, `sip.numbers.NumberError` for
    a pilot number that is none.
    """
    line = DutyLine(
        unit_id=unit.id,
        number=number,
        target=check_target(target or number),
        pilot_numbers=_numbers(pilot_numbers),
    )
    session.add(line)
    await session.flush()
    return line


async def retarget(session: AsyncSession, line: DutyLine, target: str) -> None:
    """Change what is dialled for a line; earlier attempts keep what they dialled."""
    line.target = check_target(target)
    await session.flush()


async def set_pilots(session: AsyncSession, line: DutyLine, numbers: Iterable[str]) -> None:
    """Say under which other numbers a line may show itself (引示号); raises `sip.numbers.NumberError`."""
    line.pilot_numbers = _numbers(numbers)
    await session.flush()


def _numbers(texts: Iterable[str]) -> list[str]:
    """Keep numbers as they were written, each once; refuse what is none."""
    kept = {parse_number(text).key: text.strip() for text in texts}
    return list(kept.values())


async def exempt(
    session: AsyncSession,
    line: DutyLine,
    kind: str,
    first_day: date,
    reason: str,
    last_day: date | None = None,
) -> LineExemption:
    """Let a line do what others may not: `forwarding`, `crbt` or `fax`."""
    exemption = LineExemption(
        line_id=line.id, kind=kind, first_day=first_day, last_day=last_day, reason=reason
    )
    session.add(exemption)
    await session.flush()
    return exemption
