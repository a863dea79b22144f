"""封存: classified words, or a private call by a wrong number, are taken out at once, by one person with a reason.

The sound, what was derived from it, and every word that was made of it go; the hash, who, when and why stay. It is the
law's demand, so no hold stands against it, but it is said which holds there were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.principal import every_unit
from app.checks.models import Recording
from app.database import Database
from app.evidence import holding, leaving, samples
from app.evidence.holding import Ground
from app.evidence.people import check_reason
from app.reviews.steps import check_named


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was withdrawn."""

    recording_ids: tuple[int, ...]
    """The recording, and any other whose sound is the very same."""
    despite: tuple[Ground, ...]
    """What would have kept it."""
    deleted: bool = True
    """Whether the store has deleted the sound. If not, nobody hears it all the same; it is tried again each hour."""


async def withdraw(
    database: Database, open_: leaving.OpenArchive, recording_id: int, reason: str, who: str
) -> Withdrawn:
    """Withdraw a recording: words and index in one unit of work, then the sound and all that was derived from it.

    Raises `NotFoundError`, `ForbiddenError` where nobody is named, `BadInputError` without a reason, `ConflictError`
    for one that is gone already. A store that fails is an alarm, not an error.
    """
    async with database.unit_of_work() as session:
        found = await condemn(session, recording_id, reason, who)
    with every_unit():
        deleted = await leaving.erase_now(database, open_, found.recording_ids)
    return replace(found, deleted=deleted)


async def condemn(session: AsyncSession, recording_id: int, reason: str, who: str) -> Withdrawn:
    """The part of a withdrawal that is done in one unit of work: afterwards nobody hears or reads any of it."""
    check_named(who)
    reason = check_reason(reason)
    await leaving.seen(session, recording_id)
    with every_unit():
        # The very same sound may be another unit's as well: it goes there, too.
        await _lock_alike(session, recording_id)
        return await _condemn(session, recording_id, reason, who)


async def _condemn(session: AsyncSession, recording_id: int, reason: str, who: str) -> Withdrawn:
    row = await leaving.locked(session, recording_id)
    leaving.check_kept(row)
    keys = (row.id, *await _alike(session, row))
    held = await holding.grounds(session, keys, clock.now())
    despite = tuple(ground for key in keys for ground in held.get(key, ()))
    for key in keys:
        each = await leaving.locked(session, key)
        await leaving.condemn(session, each, "withdrawn", reason, who)
        if each.attempt_id is not None:
            await samples.forget(session, each.attempt_id, who)
        note = f"；当时须保留：{holding.told(held[key])}" if key in held else ""
        await audit.record(session, "withdraw", f"recording:{key}", f"{reason}{note}", who)
    return Withdrawn(keys, despite)


async def _lock_alike(session: AsyncSession, recording_id: int) -> None:
    """Lock all with the very same sound in one order: two that are withdrawn at once would wait for each other."""
    sound = select(Recording.sha256).where(Recording.id == recording_id).scalar_subquery()
    query = select(Recording.id).where(Recording.sha256 == sound).order_by(Recording.id).with_for_update()
    await session.execute(query)


async def _alike(session: AsyncSession, row: Recording) -> Sequence[int]:
    """Others with the very same sound: what must not be heard in one must not be heard in the other."""
    query = select(Recording.id).where(
        Recording.sha256 == row.sha256, Recording.id != row.id, Recording.gone_why.is_(None)
    )
    return (await session.scalars(query.order_by(Recording.id))).all()
