"""Listening in to a call under way (旁听): who does so stands in the audit trail before anything is heard."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.checks import live_board
from app.checks.models import LIVE_STATES, Attempt
from app.checks.service import recording_name
from app.database import Database
from app.errors import ConflictError, NotFoundError
from app.listening.live_sound import LiveSound, pack
from app.settings import Settings
from sip.media.errors import CaptureError

log = structlog.get_logger(__name__)
LOOK_S = 0.05
"""How often a listener's end looks for more sound."""
SIGN_S = 1.0
"""How often it says that it still listens, and looks whether the call lasts."""
ASKED_S = 5.0
"""How often it is looked whether a listener still may."""
SUFFIX = ".part"
"""Of the capture of a call, beside the place of its recording."""


async def begin(session: AsyncSession, attempt_id: int, who: str) -> Attempt:
    """Put on record that somebody listens in. Raises NotFoundError, and ConflictError where the call is over."""
    attempt = await session.scalar(select(Attempt).where(Attempt.id == attempt_id))
    if attempt is None:
        raise NotFoundError(f"没有编号为 {attempt_id} 的通话")
    if attempt.state not in LIVE_STATES:
        raise ConflictError("这次通话已经结束，不能再旁听")
    await audit.record(session, "listen_in", f"attempt:{attempt.id}", "", who)
    return attempt


async def anybody() -> bool:
    """For who is asked no more once they listen."""
    return True


async def sound(
    database: Database,
    settings: Settings,
    attempt: Attempt,
    allowed: Callable[[], Awaitable[bool]] = anybody,
) -> AsyncIterator[bytes]:
    """Yield the sound of a call in pieces (`live_sound.pack`) as it comes.

    It ends with the call, and soon after whoever listens may not any more: signed out, locked, another role or scope.
    """
    name = recording_name(attempt)
    with LiveSound(settings.recordings_dir / f"{name}{SUFFIX}") as ear:
        signed, asked = 0.0, time.monotonic()
        while not ear.ended:
            now = time.monotonic()
            if now - signed >= SIGN_S:
                signed = now
                await asyncio.to_thread(live_board.want_to_hear, settings, name)
                if not await _lasts(database, attempt.id):
                    break
            if now - asked >= ASKED_S:
                asked = now
                if not await allowed():
                    break
            try:
                position, piece = await asyncio.to_thread(ear.read)
            except (OSError, CaptureError) as error:
                log.warning("a call cannot be listened to", attempt=attempt.id, reason=type(error).__name__)
                return
            if len(piece):
                yield pack(ear.began_at or 0.0, position, piece)
            await asyncio.sleep(LOOK_S)


async def _lasts(database: Database, attempt_id: int) -> bool:
    async with database.reading() as session:
        state = await session.scalar(select(Attempt.state).where(Attempt.id == attempt_id))
    return state in LIVE_STATES
