"""Alarms of the office: what a person on our side must see to. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks.models import OfficeAlarm

KINDS = {
    "clock_off": ("时钟不准", "this machine's clock is more than a second off, or has jumped: plans stand still"),
    "calendar_ending": ("日历将尽", "the calendar's data ends soon or has ended: days follow the weekend rule"),
    "coverage_short": ("覆盖不足", "a plan can no longer meet its coverage within its caps"),
    "draw_broken": ("抽签异常", "a plan's seed cannot be opened, or its draw does not match what was committed to"),
    "recordings_unstored": ("录音未入库", "recordings could not be stored; their captures are kept and tried again"),
    "prompt_missing": ("提示音缺失", "an opening or closing is not there or was changed: its calls are not placed"),
    "disk_low": ("磁盘空间少", "the disk of the data or of the recordings has little free space left"),
    "disk_full": ("磁盘将满", "the disk has no room for a further recording: no call is placed"),
    "retention_failed": ("删除录音失败", "recordings whose time is over, or that were withdrawn, could not be deleted"),
    "transcription_behind": ("转写积压", "a recording has waited for its transcript for more than an hour"),
}  # fmt: skip
"""Chinese name and meaning by kind; docs/reference/office-alarms.md names each of them."""


async def raise_alarm(session: AsyncSession, kind: str, subject: str = "", detail: str = "") -> bool:
    """Let an alarm stand; return whether it is new. One that stands already takes the new detail.

    `detail` is shown to everybody: it must say nothing of a coming call.
    """
    if kind not in KINDS:
        raise ValueError(f"no such alarm: {kind}")
    row = await _standing(session, kind, subject)
    if row is None:
        try:
            async with session.begin_nested():
                session.add(OfficeAlarm(kind=kind, subject=subject, detail=detail, raised_at=clock.now()))
            return True
        except IntegrityError:
            # Another process raised it just now.
            row = await _standing(session, kind, subject)
    if row is not None and row.detail != detail:
        row.detail = detail
        await session.flush()
    return False


async def clear_alarm(session: AsyncSession, kind: str, subject: str = "") -> bool:
    """End an alarm; return whether one stood."""
    row = await _standing(session, kind, subject)
    if row is None:
        return False
    row.cleared_at = clock.now()
    await session.flush()
    return True


async def standing(session: AsyncSession, kind: str | None = None) -> Sequence[OfficeAlarm]:
    """The alarms that stand, the oldest first."""
    query = select(OfficeAlarm).where(OfficeAlarm.cleared_at.is_(None))
    if kind is not None:
        query = query.where(OfficeAlarm.kind == kind)
    return (await session.scalars(query.order_by(OfficeAlarm.raised_at, OfficeAlarm.id))).all()


async def page(
    session: AsyncSession, standing: bool | None, before: int | None, limit: int
) -> Sequence[OfficeAlarm]:
    """Alarms, newest first: those that hold, those that are over, or all."""
    query = select(OfficeAlarm)
    if standing is not None:
        open_ = OfficeAlarm.cleared_at.is_(None)
        query = query.where(open_ if standing else ~open_)
    if before is not None:
        query = query.where(OfficeAlarm.id < before)
    return (await session.scalars(query.order_by(OfficeAlarm.id.desc()).limit(limit))).all()


async def clock_ok(session: AsyncSession) -> bool:
    """Whether this machine's clock may be trusted: while it may not, nothing is drawn, inserted or dialled."""
    return not await standing(session, "clock_off")


async def disk_ok(session: AsyncSession) -> bool:
    """Whether a call can be recorded whole: while there is no room for it, nothing is dialled."""
    return not await standing(session, "disk_full")


async def _standing(session: AsyncSession, kind: str, subject: str) -> OfficeAlarm | None:
    query = select(OfficeAlarm).where(
        OfficeAlarm.kind == kind, OfficeAlarm.subject == subject, OfficeAlarm.cleared_at.is_(None)
    )
    return await session.scalar(query)
