"""Calls the fictional county for the pictures: as checks of a plan, half of them a month ago."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import Attempt, Recording, SpotCheck, StoredProposal
from app.checks.service import order_now, rules_of
from app.database import Database
from app.demo import UNITS, put_rules_in_force
from app.demo import fill as enter_county
from app.directory.repository import active_lines
from app.reviews.models import Case
from app.trunks.models import TrunkState
from tests.browser.office import Office

CALLS_PATIENCE_S = 240.0
TRUNK_PATIENCE_S = 20.0
MONTH = timedelta(days=30)
REASON = "计划抽查"


async def call_county(running: Office) -> None:
    """Call every line of the county once, and wait until all calls are over. Raises TimeoutError."""
    async with Database(running.settings.url) as database:
        async with database.unit_of_work() as session:
            await enter_county(session)
            await put_rules_in_force(session, rules_of(running.settings))
            ordered = await _order(session)
        end = time.monotonic() + CALLS_PATIENCE_S
        while time.monotonic() < end:
            await asyncio.sleep(1)
            async with database.unit_of_work() as session:
                closed = select(func.count()).where(
                    SpotCheck.id.in_(ordered), SpotCheck.closed_at.is_not(None)
                )
                if await session.scalar(closed) == len(ordered):
                    await _as_planned(session, ordered, running.settings.zone)
                    return
    raise TimeoutError("the calls of the county are not over")


async def _order(session: AsyncSession) -> list[int]:
    """Order one call of every line; no reason names a demonstration, whose orders an office withdraws as it starts."""
    lines = {line.unit.code: line for line in await active_lines(session)}
    return [
        (await order_now(session, lines[unit.code], REASON, kind="demo")).id
        for unit in UNITS
        if unit.code in lines
    ]


async def _as_planned(session: AsyncSession, ordered: Sequence[int], zone: ZoneInfo) -> None:
    """Let the calls be those of a plan, half of them a month ago, so that months can be compared."""
    await session.execute(update(SpotCheck).where(SpotCheck.id.in_(ordered)).values(kind="random"))
    for kept in (Attempt, Case):
        await session.execute(update(kept).where(kept.check_id.in_(ordered)).values(kind="random"))
    earlier = ordered[::2]
    for check in await session.scalars(select(SpotCheck).where(SpotCheck.id.in_(earlier))):
        _a_month_back(check, ("due_at", "first_due_at", "created_at", "closed_at"))
    for attempt in await session.scalars(select(Attempt).where(Attempt.check_id.in_(earlier))):
        _a_month_back(attempt, ("claimed_at", "started_at", "ended_at"))
    calls = select(Attempt.id).where(Attempt.check_id.in_(earlier))
    for recording in await session.scalars(select(Recording).where(Recording.attempt_id.in_(calls))):
        _a_month_back(recording, ("created_at", "keep_until"))
    for told in await session.scalars(select(StoredProposal).where(StoredProposal.check_id.in_(earlier))):
        told.content = _dated(told.content, zone)
    for case in await session.scalars(select(Case).where(Case.check_id.in_(earlier))):
        case.proposal = _dated(case.proposal, zone)
        _a_month_back(case, ("happened_at",))


def _a_month_back(row: Any, names: Sequence[str]) -> None:
    for name in names:
        if getattr(row, name):
            setattr(row, name, getattr(row, name) - MONTH)


def _dated(content: Any, zone: ZoneInfo) -> Any:
    """What was written of a call today, with the day on which it is said to have been."""
    today = datetime.now(zone).date()
    text = json.dumps(content, ensure_ascii=False)
    return json.loads(text.replace(today.isoformat(), (today - MONTH).isoformat()))


async def ring(running: Office) -> None:
    """Order some calls anew, so that lines ring while the pictures are taken."""
    async with Database(running.settings.url) as database, database.unit_of_work() as session:
        await _order(session)


async def trunk_up(running: Office) -> None:
    """Wait until the phone says that its trunk is well, a while at most."""
    end = time.monotonic() + TRUNK_PATIENCE_S
    async with Database(running.settings.url) as database:
        while time.monotonic() < end:
            async with database.reading() as session:
                if set(await session.scalars(select(TrunkState.state))) == {"up"}:
                    return
            await asyncio.sleep(1)
