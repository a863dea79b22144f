"""What the search knows of a transcript: pieces of it, made comparable."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.transcripts.models import TranscriptPiece, Transcription


async def index(session: AsyncSession, transcription: Transcription) -> None:
    """Let the search find what a transcription that is done says, in place of its recording's earlier ones.

    Called in the unit of work that stores the transcription, which must be flushed. Does nothing where the recording
    is gone or a newer transcription of it is done already.
    """
    await forget(session, transcription.recording_id)


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Let the search find nothing more of a recording."""
    await session.execute(delete(TranscriptPiece).where(TranscriptPiece.recording_id == recording_id))
