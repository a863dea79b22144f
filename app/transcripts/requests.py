"""Recordings that are to be transcribed. Apart from the other verbs, so that whoever stores a recording may ask."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks.models import Recording
from app.transcripts.models import Transcription


def enqueue(session: AsyncSession, recording: Recording) -> Transcription:
    """Let a recording wait for its transcript, in the unit of work that stores it; it need not be flushed yet."""
    row = Transcription(recording=recording, state="waiting", tries=0, requested_at=clock.now())
    session.add(row)
    return row
