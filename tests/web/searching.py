"""Recordings with words, for the tests of the search: calls that were placed, and reports that came in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import Attempt, Recording, SpotCheck
from app.directory.models import DutyLine
from app.transcripts import search
from app.transcripts.models import Transcription

MOMENT = datetime(2026, 11, 22, 12, 27, 13, tzinfo=UTC)
_numbers = count(1)


def transcript(*utterances: str, start_ms: float = 1_000.0, step_ms: float = 10_000.0) -> dict[str, Any]:
    """A transcript; its words, one for each character, take 200 ms each."""
    return {
        "schema": "dutyring.transcript/1",
        "engine": "test",
        "language": "zh",
        "utterances": [
            _utterance(text, start_ms + step_ms * number) for number, text in enumerate(utterances)
        ],
    }


def _utterance(text: str, start_ms: float) -> dict[str, Any]:
    words = [
        {"text": sign, "start_ms": start_ms + 200.0 * place, "end_ms": start_ms + 200.0 * (place + 1)}
        for place, sign in enumerate(text)
    ]
    return {
        "start_ms": start_ms,
        "end_ms": start_ms + max(200.0 * len(text), 1.0),
        "text": text,
        "words": words,
    }


async def add_call(session: AsyncSession, line: DutyLine, at: datetime = MOMENT) -> Recording:
    """A call to a line that was recorded."""
    check = SpotCheck(
        line_id=line.id, due_at=at, first_due_at=at, unit_id=line.unit_id, state="done", created_at=at
    )
    session.add(check)
    await session.flush()
    attempt = Attempt(
        check_id=check.id,
        line_id=line.id,
        unit_id=line.unit_id,
        target=line.target,
        state="finished",
        owner="test",
        claimed_at=at,
    )
    session.add(attempt)
    await session.flush()
    return await _recording(session, at, attempt)


async def add_report(session: AsyncSession, at: datetime = MOMENT) -> Recording:
    """A call that came in, of which there is a sound file."""
    return await _recording(session, at, None)


async def _recording(session: AsyncSession, at: datetime, attempt: Attempt | None) -> Recording:
    digest = hashlib.sha256(f"{next(_numbers)}".encode()).hexdigest()
    row = Recording(
        kind="check" if attempt else "report",
        attempt_id=attempt.id if attempt else None,
        path=f"objects/{digest[:2]}/{digest}.flac",
        sha256=digest,
        duration_ms=60_000.0,
        channels=2,
        sample_rate=8000,
        created_at=at + timedelta(minutes=1),
    )
    session.add(row)
    await session.flush()
    return row


async def say(
    session: AsyncSession,
    recording: Recording,
    them: Sequence[str] = (),
    us: Sequence[str] = (),
    keys: Sequence[str] = (),
    content: Mapping[str, Any] | None = None,
) -> Transcription:
    """Store what was said on a recording, and let the search know of it."""
    row = Transcription(
        recording_id=recording.id,
        state="done",
        requested_at=recording.created_at,
        done_at=recording.created_at,
        engine="test",
        content=dict(content) if content else {"us": transcript(*us), "them": transcript(*them)},
    )
    session.add(row)
    await session.flush()
    await search.index(session, row, keys)
    return row
