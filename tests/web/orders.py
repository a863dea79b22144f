"""Closed orders for the tests of proposals: units, lines and calls as the ledger has them, judged when closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.closing import close
from app.checks.models import Attempt, CallFacts, SpotCheck, StoredProposal
from app.directory import service as directory
from app.directory.models import DutyLine, Unit
from app.rules import service as rules
from app.rules.models import RuleActivation
from app.rules.own import parse_own
from app.settings import Settings
from sip.record import CallRecord, EarlyMedia, MediaStatistics, Rings, Segment
from tests.web.fake import answered, unanswered

ZONE = ZoneInfo("Asia/Shanghai")
HOLIDAY = datetime(2026, 10, 1, 20, 27, 13, 482_000, tzinfo=ZONE)
WHO = "督查员甲"
DOCUMENT = "《云溪县值班抽查办法》"
HEARD = MediaStatistics(codec="PCMA", received=300)


def missed(rang_ms: float = 60_000.0) -> CallRecord:
    """Rang for a minute, and nobody came."""
    record = unanswered("1", "no_answer", ended_ms=200.0 + rang_ms, ended_by="us")
    return replace(record, rings=Rings(12, "cadence", ()), early_media=EarlyMedia("none", ()))


def picked_up(ring_ms: float = 5_000.0, **changes: Any) -> CallRecord:
    """Answered by a person whose sound arrived."""
    return answered("1", ring_ms, media=HEARD, **changes)


def behind_music(ring_ms: float = 9_500.0, **changes: Any) -> CallRecord:
    """Answered behind 彩铃."""
    music = EarlyMedia("crbt", (Segment("music", 210.0, ring_ms + 200.0, 0.96),))
    return picked_up(ring_ms, rings=Rings(None, None, ()), early_media=music, **changes)


async def add_line(
    session: AsyncSession, number: int, category: str = "town", name: str = ""
) -> tuple[Unit, DutyLine]:
    """A unit of a category with one line."""
    unit = await directory.add_unit(session, f"{number:03}", name or f"第{number}单位")
    unit.category = category
    line = await directory.add_line(session, unit, f"0000-555{number:04}", f"sip:{number}@127.0.0.1:5062")
    return unit, line


async def activate(session: AsyncSession, key: str, **own: Any) -> RuleActivation:
    """Put a shipped set in force from long before the calls of the tests on."""
    from app.checks.rules import Rules

    found = await rules.find(session, key)
    row = await rules.activate(session, found, DOCUMENT, parse_own(own), WHO, limits=Rules())
    row.from_at = row.from_at.replace(year=2020)
    await session.flush()
    return row


async def closed(
    session: AsyncSession,
    line: DutyLine,
    calls: Sequence[CallRecord | str],
    settings: Settings,
    at: datetime = HOLIDAY,
    kind: str = "random",
    trunk: str | None = None,
    given_up: int = 0,
    changed: int = 0,
) -> tuple[SpotCheck, StoredProposal]:
    """An order whose calls, eleven minutes apart, gave these records (a text: failed on our side with it), closed.

    `given_up`: number of the call whose process was taken for dead; its facts came in later. `changed`: of the call
    before which the directory got another number.
    """
    check = SpotCheck(
        line_id=line.id, kind=kind, due_at=at, first_due_at=at, state="done", closed_at=at, created_at=at
    )
    session.add(check)
    await session.flush()
    for number, record in enumerate(calls, 1):
        moment = at + timedelta(minutes=11 * (number - 1))
        attempt = await _attempt(session, check, line, number, record, moment, trunk)
        if number == given_up:
            attempt.state = "interrupted"
        if number == changed:
            attempt.target = "sip:another@127.0.0.1:5062"
    proposal = await close(session, check, settings)
    await session.refresh(check)
    return check, proposal


async def _attempt(
    session: AsyncSession,
    check: SpotCheck,
    line: DutyLine,
    number: int,
    record: CallRecord | str,
    at: datetime,
    trunk: str | None,
) -> Attempt:
    failed = isinstance(record, str)
    attempt = Attempt(
        check_id=check.id,
        number=number,
        line_id=line.id,
        unit_id=line.unit_id,
        target=line.target,
        state="failed" if failed else "finished",
        owner="test",
        claimed_at=at,
        started_at=None if failed else at,
        ended_at=at if isinstance(record, str) else at + timedelta(milliseconds=record.ended_ms),
        error=record if isinstance(record, str) else None,
        trunk=trunk,
    )
    session.add(attempt)
    await session.flush()
    if not isinstance(record, str):
        session.add(CallFacts(attempt_id=attempt.id, content=record.to_dict()))
        await session.flush()
    return attempt
