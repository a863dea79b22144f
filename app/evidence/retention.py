"""How long a recording is kept: by the code of its order's proposal, else of its call's verdict, never below 180 days.

The moment is written beside the recording when its order is concluded, and anew whenever its proposal changes. It is
worked out once more before anything is deleted: what stands there may be of other settings or of an earlier proposal.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import Attempt, Recording, SpotCheck
from app.settings import LEAST_RETENTION_DAYS, Settings

CLOSED = ("done", "missed", "withdrawn")
"""States of an order that nothing more is called for."""


def days_of(code: str | None, settings: Settings) -> int:
    """Days that a recording with this code is kept; None: there is no code."""
    given = settings.retention_days
    if code is not None:
        given = settings.retention_days_by_code.get(code, given)
    return max(given, LEAST_RETENTION_DAYS)


async def code_of(session: AsyncSession, recording: Recording) -> str | None:
    """The code by which a recording is kept; None for a report, and for a call that was never judged."""
    row = (await session.execute(_codes().where(Recording.id == recording.id))).one_or_none()
    return None if row is None else row[1] or row[2]


async def term(session: AsyncSession, recording: Recording, settings: Settings) -> datetime:
    """Until when a recording is kept, by what is known of it now."""
    code = await code_of(session, recording)
    return recording.created_at + timedelta(days=days_of(code, settings))


async def settle(session: AsyncSession, check_id: int, settings: Settings) -> None:
    """Write down until when the recordings of a concluded order are kept."""
    await session.flush()
    await _write(session, Attempt.check_id == check_id, settings, None)


async def settle_rest(session: AsyncSession, settings: Settings, limit: int) -> int:
    """Do so for recordings of which nothing is written yet: reports, what an earlier version left; return how many."""
    over = or_(Recording.kind == "report", SpotCheck.state.in_(CLOSED))
    return await _write(session, and_(Recording.keep_until.is_(None), over), settings, limit)


async def _write(
    session: AsyncSession, which: ColumnElement[bool], settings: Settings, limit: int | None
) -> int:
    query = _codes().where(which, Recording.gone_why.is_(None)).order_by(Recording.id).limit(limit)
    rows = (await session.execute(query)).all()
    for recording, of_order, of_call in rows:
        code = of_order or of_call
        recording.keep_until = recording.created_at + timedelta(days=days_of(code, settings))
    await session.flush()
    return len(rows)


def _codes() -> Select[Recording, str | None, str | None]:
    """Recordings with the code of their order's proposal and that of their call's verdict."""
    return (
        select(Recording, SpotCheck.code, Attempt.verdict_code)
        .outerjoin(Attempt, Attempt.id == Recording.attempt_id)
        .outerjoin(SpotCheck, SpotCheck.id == Attempt.check_id)
    )
