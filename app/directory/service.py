"""Verbs of the directory. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks.guard import check_target
from app.directory.models import CALLED_KINDS, MOST_FAILED_CALLS, DutyLine, LineExemption, Unit
from app.directory.numbers import key_of
from sip.numbers import parse_number


async def add_unit(
    session: AsyncSession, code: str, name: str, kind: str = "", parent: Unit | None = None
) -> Unit:
    """Enter a unit; `code` is unique."""
    unit = Unit(code=code, name=name, kind=kind, created_at=clock.now())
    unit.parent_id = None if parent is None else parent.id
    session.add(unit)
    await session.flush()
    unit.path = f"{'' if parent is None else parent.path}{unit.id}/"
    await session.flush()
    return unit


async def add_line(
    session: AsyncSession,
    unit: Unit,
    number: str,
    target: str | None = None,
    pilot_numbers: Iterable[str] = (),
    *,
    verified: bool = False,
    kind: str = "duty",
) -> DutyLine:
    """Enter a duty line of a unit; `target` is what is dialled, the number itself unless given.

    A 核号 call is still to come unless the number is `verified` already, or of a `kind` that checks do not call.

    Raises `NeverDialledError` or `TargetError` for what must not or cannot be dialled, `sip.numbers.NumberError` for
    a pilot number that is none.
    """
    now = clock.now()
    dialled = check_target(target or number)
    line = DutyLine(
        unit_id=unit.id,
        number=number,
        target=dialled,
        number_key=key_of(dialled),
        pilot_numbers=_numbers(pilot_numbers),
        target_since=now,
        kind=kind,
        verification="verified" if verified or kind not in CALLED_KINDS else "pending",
        verified_at=now if verified else None,
    )
    session.add(line)
    await session.flush()
    return line


async def retarget(session: AsyncSession, line: DutyLine, target: str) -> None:
    """Change what is dialled for a line; earlier attempts keep what they dialled, and a 核号 call comes first."""
    plain = check_target(target)
    if plain == line.target:
        return
    line.target, line.number_key = plain, key_of(plain)
    line.target_since = clock.now()
    await await_verification(session, line)


async def await_verification(session: AsyncSession, line: DutyLine) -> None:
    """Have the number of a line called (核号) before any check of it counts; a fax and the like need no such call."""
    line.verification = "pending" if line.kind in CALLED_KINDS else "verified"
    line.verified_at, line.failed_calls = None, 0
    await session.flush()


async def mark_verified(session: AsyncSession, line: DutyLine, at: datetime) -> None:
    """Take a number as right: a call that began at `at` was answered by whom it should reach.

    A call from before the present target says nothing of it.
    """
    if line.target_since is not None and at < line.target_since:
        return
    line.verification, line.verified_at, line.failed_calls = "verified", at, 0
    await session.flush()


async def mark_unverified_call(session: AsyncSession, line: DutyLine, at: datetime) -> None:
    """Count a 核号 call, begun at `at`, that nobody answered; after the third a person must look (`failed`)."""
    if line.verification == "verified" or (line.target_since is not None and at < line.target_since):
        return
    line.failed_calls += 1
    if line.failed_calls >= MOST_FAILED_CALLS:
        line.verification = "failed"
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
