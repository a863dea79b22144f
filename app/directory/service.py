"""Verbs of the directory. They never commit: the caller's unit of work does."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.guard import check_target
from app.directory.models import DutyLine, LineExemption, Unit


async def add_unit(session: AsyncSession, code: str, name: str, kind: str = "") -> Unit:
    """Enter a unit; `code` is unique."""
    unit = Unit(code=code, name=name, kind=kind, created_at=datetime.now(UTC))
    session.add(unit)
    await session.flush()
    return unit


async def add_line(session: AsyncSession, unit: Unit, number: str, target: str | None = None) -> DutyLine:
    """Enter a duty line of a unit; `target` is what is dialled, the number itself unless given.

    Raises `NeverDialledError` or `TargetError` for what must not or cannot be dialled.
    """
    line = DutyLine(unit_id=unit.id, number=number, target=check_target(target or number))
    session.add(line)
    await session.flush()
    return line


async def retarget(session: AsyncSession, line: DutyLine, target: str) -> None:
    """Change what is dialled for a line; earlier attempts keep what they dialled."""
    line.target = check_target(target)
    await session.flush()


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
