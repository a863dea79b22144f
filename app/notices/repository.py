"""All queries of notices and their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.checks.models import OfficeAlarm
from app.notices.models import Delivery, Notice
from app.reviews.models import Case


async def standing(session: AsyncSession) -> Sequence[Notice]:
    """The notices that stand, the oldest first."""
    query = select(Notice).where(Notice.cleared_at.is_(None)).order_by(Notice.raised_at, Notice.id)
    return (await session.scalars(query)).all()


async def notices(session: AsyncSession, before: int | None, limit: int) -> Sequence[Notice]:
    """Every notice, the newest first, from a place on."""
    query = select(Notice)
    if before is not None:
        query = query.where(Notice.id < before)
    return (await session.scalars(query.order_by(Notice.id.desc()).limit(limit))).all()


async def deliveries(session: AsyncSession, before: int | None, limit: int) -> Sequence[Delivery]:
    """The log of deliveries with their notices, the newest first, from a place on."""
    query = select(Delivery).options(joinedload(Delivery.notice))
    if before is not None:
        query = query.where(Delivery.id < before)
    return (await session.scalars(query.order_by(Delivery.id.desc()).limit(limit))).all()


async def delivery(session: AsyncSession, key: int) -> Delivery | None:
    """One delivery with its notice."""
    query = select(Delivery).where(Delivery.id == key).options(joinedload(Delivery.notice))
    return await session.scalar(query.execution_options(populate_existing=True))


async def due(session: AsyncSession, now: datetime, limit: int) -> Sequence[Delivery]:
    """Messages that are to be tried now, with their notices, in the order in which they came up."""
    query = (
        select(Delivery)
        .where(Delivery.state == "waiting", Delivery.next_at <= now)
        .options(joinedload(Delivery.notice))
        .order_by(Delivery.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def waiting_of(session: AsyncSession, notice_id: int) -> Sequence[Delivery]:
    """Messages of a notice that were not sent yet."""
    query = select(Delivery).where(Delivery.notice_id == notice_id, Delivery.state == "waiting")
    return (await session.scalars(query)).all()


async def sent_by(session: AsyncSession, notice_id: int) -> frozenset[str]:
    """By which ways it was sent out that a notice stands."""
    query = select(Delivery.channel).where(
        Delivery.notice_id == notice_id, Delivery.event == "raised", Delivery.state == "sent"
    )
    return frozenset(await session.scalars(query))


async def count_by_state(session: AsyncSession) -> dict[str, int]:
    """How many deliveries stand in each state."""
    query = select(Delivery.state, func.count()).group_by(Delivery.state)
    return {row[0]: row[1] for row in await session.execute(query)}


async def alarms_by_kind(session: AsyncSession) -> dict[str, int]:
    """How many alarms of the office stand, by kind."""
    query = select(OfficeAlarm.kind, func.count()).where(OfficeAlarm.cleared_at.is_(None))
    return {row[0]: row[1] for row in await session.execute(query.group_by(OfficeAlarm.kind))}


async def unreviewed_since(session: AsyncSession, before: datetime) -> int:
    """How many findings that were put forward before a moment nobody has reviewed, among the units that are seen."""
    query = select(func.count()).select_from(Case).where(Case.state == "to_review", Case.opened_at < before)
    return await session.scalar(query) or 0


async def oldest_unreviewed(session: AsyncSession) -> datetime | None:
    """When the oldest finding that nobody has reviewed was put forward."""
    query = select(Case.opened_at).where(Case.state == "to_review").order_by(Case.opened_at).limit(1)
    return await session.scalar(query)
