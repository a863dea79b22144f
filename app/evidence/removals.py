"""Deletion before its time (提前删除): one person asks with a reason, another one decides.

Verbs never commit: the caller's unit of work does. What was approved is deleted by `leaving.erase` afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks.models import Recording
from app.errors import ConflictError, ForbiddenError, NotFoundError
from app.evidence import holding, leaving
from app.evidence.models import RecordingRemoval
from app.evidence.people import check_reason
from app.reviews.steps import check_named, folded
from app.settings import LEAST_RETENTION_DAYS


async def request(session: AsyncSession, recording_id: int, reason: str, who: str) -> RecordingRemoval:
    """Ask for a recording to be deleted before its time.

    Raises `NotFoundError`, `ForbiddenError` where nobody is named, `BadInputError` without a reason, `ConflictError`
    for one that is gone, held, younger than 180 days, or asked for already.
    """
    check_named(who)
    reason = check_reason(reason)
    row = await leaving.locked(session, recording_id)
    await _check_removable(session, row)
    removal = RecordingRemoval(
        recording_id=recording_id, reason=reason, requested_at=clock.now(), requested_by=who
    )
    try:
        async with session.begin_nested():
            session.add(removal)
    except IntegrityError:
        raise ConflictError(
            f"录音 {recording_id} 已有待决的删除申请 (somebody asks for it already)"
        ) from None
    await audit.record(
        session, "request_removal", f"recording:{recording_id}", f"removal:{removal.id} {reason}", who
    )
    return removal


async def decide(
    session: AsyncSession, recording_id: int, removal_id: int, approve: bool, note: str, who: str
) -> RecordingRemoval:
    """Approve or refuse what another person asked for. An approved recording is condemned.

    Raises as `request` does, `ForbiddenError` for the person who asked, `ConflictError` where it is decided already;
    one that may not be approved as things stand may still be refused.
    """
    check_named(who)
    note = check_reason(note)
    row = await leaving.locked(session, recording_id)
    removal = await session.get(RecordingRemoval, removal_id, populate_existing=True)
    if removal is None or removal.recording_id != recording_id:
        raise NotFoundError(f"录音 {recording_id} 没有删除申请 {removal_id} (no such request)")
    if removal.state != "requested":
        raise ConflictError(
            f"删除申请 {removal_id} 已由 {removal.decided_by} 决定：{removal.state} (it is decided already)"
        )
    if folded(removal.requested_by) == folded(who):
        raise ForbiddenError(
            f"删除须由申请人以外的人员决定；{who} 是申请人 (another person than the one who asked decides)"
        )
    if approve:
        await _check_removable(session, row)
        await leaving.condemn(session, row, "removed", removal.reason, who)
    removal.state = "approved" if approve else "refused"
    removal.decided_at, removal.decided_by, removal.decision_note = clock.now(), who, note
    await session.flush()
    await session.refresh(removal)
    action = "approve_removal" if approve else "refuse_removal"
    await audit.record(session, action, f"recording:{recording_id}", f"removal:{removal_id} {note}", who)
    return removal


async def of_recording(session: AsyncSession, recording_id: int) -> Sequence[RecordingRemoval]:
    """Every request for a recording, oldest first."""
    query = select(RecordingRemoval).where(RecordingRemoval.recording_id == recording_id)
    return (await session.scalars(query.order_by(RecordingRemoval.id))).all()


async def page(
    session: AsyncSession, state: str | None, before: int | None, limit: int
) -> Sequence[RecordingRemoval]:
    """Requests, newest first."""
    query = select(RecordingRemoval)
    if state is not None:
        query = query.where(RecordingRemoval.state == state)
    if before is not None:
        query = query.where(RecordingRemoval.id < before)
    return (await session.scalars(query.order_by(RecordingRemoval.id.desc()).limit(limit))).all()


async def _check_removable(session: AsyncSession, row: Recording) -> None:
    leaving.check_kept(row)
    now = clock.now()
    held = (await holding.grounds(session, [row.id], now)).get(row.id, ())
    if held:
        raise ConflictError(
            f"录音 {row.id} 须保留：{holding.told(held)}，不能提前删除 (the recording is held)"
        )
    if now < row.created_at + holding.FLOOR:
        raise ConflictError(
            f"录音 {row.id} 未满 {LEAST_RETENTION_DAYS} 天，不能提前删除；涉密或误拨私人通话请办理封存 "
            f"(younger than {LEAST_RETENTION_DAYS} days: only withdrawal takes it out)"
        )
