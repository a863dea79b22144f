"""Holds by hand: a person's word that a recording stays. Verbs never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import CursorResult, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.errors import ConflictError, NotFoundError
from app.evidence import leaving
from app.evidence.models import RecordingHold
from app.evidence.people import check_reason
from app.reviews.steps import check_named


async def place(session: AsyncSession, recording_id: int, reason: str, who: str) -> RecordingHold:
    """Hold a recording until the hold is lifted. Several may stand on one.

    Raises `NotFoundError`, `ForbiddenError` where nobody is named, `BadInputError` without a reason, `ConflictError`
    for a recording that is gone or goes.
    """
    check_named(who)
    reason = check_reason(reason)
    leaving.check_kept(await leaving.locked(session, recording_id))
    hold = RecordingHold(recording_id=recording_id, reason=reason, placed_at=clock.now(), placed_by=who)
    session.add(hold)
    await session.flush()
    await audit.record(session, "hold", f"recording:{recording_id}", f"hold:{hold.id} {reason}", who)
    return hold


async def lift(
    session: AsyncSession, recording_id: int, hold_id: int, reason: str, who: str
) -> RecordingHold:
    """Lift a hold. Raises as `place` does, and `ConflictError` where it was lifted already."""
    check_named(who)
    reason = check_reason(reason)
    hold = await session.get(RecordingHold, hold_id)
    if hold is None or hold.recording_id != recording_id:
        raise NotFoundError(f"录音 {recording_id} 没有保留 {hold_id} (no such hold of this recording)")
    statement = update(RecordingHold).where(RecordingHold.id == hold_id, RecordingHold.lifted_at.is_(None))
    values = {"lifted_at": clock.now(), "lifted_by": who, "lift_reason": reason}
    found = await session.execute(statement.values(**values).execution_options(synchronize_session=False))
    assert isinstance(found, CursorResult)
    await session.refresh(hold)
    if found.rowcount != 1:
        raise ConflictError(f"保留 {hold_id} 已由 {hold.lifted_by} 解除 (the hold was lifted already)")
    await audit.record(session, "lift_hold", f"recording:{recording_id}", f"hold:{hold_id} {reason}", who)
    return hold


async def of_recording(session: AsyncSession, recording_id: int) -> Sequence[RecordingHold]:
    """Every hold of a recording, those that were lifted too, oldest first."""
    query = select(RecordingHold).where(RecordingHold.recording_id == recording_id)
    return (await session.scalars(query.order_by(RecordingHold.id))).all()
