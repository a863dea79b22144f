"""Verbs of transcripts. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from app.settings import Settings
from app.transcripts.models import Transcription
from sip.progress.transcript import Transcript


async def request(session: AsyncSession, recording_id: int) -> Transcription:
    """Ask for a transcript of a recording; return the row that waits, the one there is already where one does.

    Raises `NotFoundError` for an unknown recording, `ConflictError` for one whose sound is gone.
    """
    raise NotImplementedError


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Take every word of a recording out of its transcriptions and of the call's reading; end what waits or runs.

    The result of a worker that has it under way is thrown away when it comes. May be called again.
    """
    raise NotImplementedError


async def latest(session: AsyncSession, recording_id: int) -> Transcription | None:
    """Return the transcription that counts: the newest that is done; None where there is none."""
    raise NotImplementedError


async def keep(
    session: AsyncSession,
    transcription: Transcription,
    channels: Mapping[str, Transcript],
    engine: str,
    took_s: float,
    settings: Settings,
) -> bool:
    """Store what was said (`us`, `them`; times of the call), index it, understand it and read the call again.

    Keeping the same twice gives the same rows. False where the recording was withdrawn or the row taken by somebody
    else meanwhile: the result is thrown away.
    """
    raise NotImplementedError
