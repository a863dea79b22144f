"""All queries of samples and of tunes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.samples.models import AnnouncementSample, TrunkTune


async def samples(session: AsyncSession, *, active_only: bool = True) -> Sequence[AnnouncementSample]:
    """The samples in the order in which they were marked."""
    query = select(AnnouncementSample).order_by(AnnouncementSample.id)
    if active_only:
        query = query.where(AnnouncementSample.active)
    return (await session.scalars(query)).all()


async def newest(
    session: AsyncSession, before: int | None, limit: int, *, active_only: bool = True
) -> Sequence[AnnouncementSample]:
    """Samples, the one that was marked last first, from a key on."""
    query = select(AnnouncementSample).order_by(AnnouncementSample.id.desc()).limit(limit)
    if active_only:
        query = query.where(AnnouncementSample.active)
    if before is not None:
        query = query.where(AnnouncementSample.id < before)
    return (await session.scalars(query)).all()


async def sample(session: AsyncSession, sample_id: int) -> AnnouncementSample | None:
    """One sample, whether active or not."""
    return await session.get(AnnouncementSample, sample_id) if 0 < sample_id < 2**63 else None


async def stamp(session: AsyncSession) -> tuple[int, int]:
    """What changes whenever the active samples do: the newest key, and how many are active."""
    newest = await session.scalar(select(func.max(AnnouncementSample.id)))
    active = select(func.count()).select_from(AnnouncementSample).where(AnnouncementSample.active)
    return newest or 0, await session.scalar(active) or 0


async def tunes(session: AsyncSession) -> Sequence[TrunkTune]:
    """The tunes of every trunk, the oldest first."""
    return (await session.scalars(select(TrunkTune).order_by(TrunkTune.heard_at, TrunkTune.id))).all()


async def keep_newest_tunes(session: AsyncSession, trunk: str, most: int) -> None:
    """Drop all but the newest tunes of a trunk."""
    newest = (
        select(TrunkTune.id)
        .where(TrunkTune.trunk == trunk)
        .order_by(TrunkTune.heard_at.desc(), TrunkTune.id.desc())
        .limit(most)
    )
    kept = (await session.scalars(newest)).all()
    await session.execute(delete(TrunkTune).where(TrunkTune.trunk == trunk, TrunkTune.id.not_in(kept)))
