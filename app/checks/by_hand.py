"""What a person does to a call under way: has it hung up, writes a note beside it. Verbs never commit.

Both are steps of the ledger, which only ever grows. The phone looks several times a second whether one of its calls is
to be hung up, so it holds from any process that reaches the database. Such a call is ours to have ended: it says
nothing of the unit, and is not repeated by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks.models import LIVE_STATES, Attempt, AttemptEvent
from app.errors import BadInputError, ConflictError, Fault, NotFoundError

NOTE = "note"
HANG_UP = "hang_up"
MOST_WORDS = 500


async def hang_up(session: AsyncSession, attempt_id: int, reason: str, who: str) -> Attempt:
    """Ask for a call to be hung up. Raises NotFoundError, BadInputError, and ConflictError where it is over."""
    reason = _words(reason, "reason", "请写明挂断理由")
    attempt = await _attempt(session, attempt_id)
    if attempt.state not in LIVE_STATES:
        raise ConflictError("这次通话已经结束，无需挂断")
    session.add(_event(attempt, HANG_UP, f"人工挂断（{who}）：{reason}"))
    await session.flush()
    await audit.record(session, "hang_up", f"attempt:{attempt.id}", reason, who)
    return attempt


async def add_note(session: AsyncSession, attempt_id: int, text: str, who: str) -> Attempt:
    """Write a note beside a call, under way or over. Raises NotFoundError, BadInputError."""
    text = _words(text, "text", "请写备注内容")
    attempt = await _attempt(session, attempt_id)
    session.add(_event(attempt, NOTE, f"备注（{who}）：{text}"))
    await session.flush()
    await audit.record(session, "note_call", f"attempt:{attempt.id}", "", who)
    return attempt


async def to_hang_up(session: AsyncSession, attempt_ids: Collection[int]) -> frozenset[int]:
    """Those of these calls that somebody wants hung up."""
    query = select(AttemptEvent.attempt_id).where(
        AttemptEvent.attempt_id.in_(attempt_ids), AttemptEvent.state == HANG_UP
    )
    return frozenset(await session.scalars(query))


async def notes(session: AsyncSession, attempt_ids: Collection[int]) -> Mapping[int, Sequence[str]]:
    """What people wrote beside these calls, the oldest first."""
    query = (
        select(AttemptEvent.attempt_id, AttemptEvent.detail)
        .where(AttemptEvent.attempt_id.in_(attempt_ids), AttemptEvent.state.in_((NOTE, HANG_UP)))
        .order_by(AttemptEvent.id)
    )
    found: dict[int, list[str]] = {}
    for attempt_id, detail in await session.execute(query):
        found.setdefault(attempt_id, []).append(detail)
    return found


def _event(attempt: Attempt, state: str, detail: str) -> AttemptEvent:
    return AttemptEvent(attempt_id=attempt.id, at=clock.now(), state=state, detail=detail)


async def _attempt(session: AsyncSession, attempt_id: int) -> Attempt:
    found = await session.scalar(select(Attempt).where(Attempt.id == attempt_id))
    if found is None:
        raise NotFoundError(f"没有编号为 {attempt_id} 的通话")
    return found


def _words(text: str, where: str, wanted: str) -> str:
    text = text.strip()
    if not text:
        raise BadInputError(wanted, [Fault(where, wanted)])
    if len(text) > MOST_WORDS:
        wanted = f"最多 {MOST_WORDS} 字，现有 {len(text)} 字"
        raise BadInputError(wanted, [Fault(where, wanted)])
    return text
