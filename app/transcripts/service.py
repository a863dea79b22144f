"""Verbs of transcripts. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.answers.books import answer_keys
from app.answers.ports import SecondPass
from app.answers.service import understand
from app.checks.models import Attempt
from app.errors import ConflictError, NotFoundError
from app.evidence.wordless import without_words
from app.phone_records.filling import fill_from
from app.settings import Settings
from app.transcripts import queue, reading, rejudging, repository, search
from app.transcripts.models import CHANNELS, Transcription
from app.transcripts.requests import enqueue
from sip.progress.transcript import Transcript

log = structlog.get_logger(__name__)


async def request(session: AsyncSession, recording_id: int) -> Transcription:
    """Ask for a transcript of a recording; return the row that waits, the one there is already where one does.

    Raises `NotFoundError` for an unknown recording, `ConflictError` for one whose sound is gone.
    """
    recording = await repository.recording_held(session, recording_id)
    if recording is None:
        raise NotFoundError(f"没有录音 {recording_id} (no such recording)")
    if recording.gone_why is not None:
        raise ConflictError(f"录音 {recording_id} 已不在，无法转写 (its sound is gone: {recording.gone_why})")
    known = await repository.open_one(session, recording_id)
    if known is not None:
        return known
    row = enqueue(session, recording)
    await session.flush()
    return row


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Take every word of a recording out of its transcriptions and of the call's reading; end what waits or runs.

    The result of a worker that has it under way is thrown away when it comes. May be called again.
    """
    for row in await repository.of_recording(session, recording_id):
        if row.state in repository.OPEN:
            # Its order is judged by the words of its other calls (`settle`).
            row.done_at = clock.now()
        row.state, row.content, row.error = "withdrawn", None, None
        row.owner, row.lease_until = None, None
    for read in await repository.readings_of_recording(session, recording_id):
        # What was concluded from the words stays: a verdict must not change because they are gone.
        read.content = without_words(read.content)
    await session.flush()
    await search.forget(session, recording_id)


async def latest(session: AsyncSession, recording_id: int) -> Transcription | None:
    """Return the transcription that counts: the newest that is done; None where there is none."""
    return await repository.latest(session, recording_id)


async def keep(
    session: AsyncSession,
    transcription: Transcription,
    channels: Mapping[str, Transcript],
    engine: str,
    took_s: float,
    settings: Settings,
    *,
    second_pass: SecondPass | None = None,
) -> bool:
    """Store what was said (`us`, `them`; times of the call), index it, understand it and read the call again.

    Keeping the same twice gives the same rows. False where the recording was withdrawn or the row taken by somebody
    else meanwhile: the result is thrown away.
    """
    # The recording first, as whoever withdraws it does.
    recording = await repository.recording_held(session, transcription.recording_id)
    row = await repository.sound_of(session, transcription.id)
    if recording is None or recording.gone_why is not None or row is None:
        return False
    content = {name: channels[name].to_json() for name in CHANNELS if name in channels}
    if row.state == "done":
        if row.content != content:
            return False
    else:
        made = {"content": content, "engine": engine, "took_s": took_s, "done_at": clock.now()}
        free = {"state": "done", "error": None, "lease_until": None}
        if not await repository.move(session, row.id, transcription.owner, **made, **free):
            return False
        row = await repository.sound_of(session, transcription.id)
        assert row is not None
    counting = await repository.latest(session, row.recording_id)
    if counting is not None and counting.id == row.id:
        await _follow(session, row, channels, settings, second_pass)
    return True


async def fail(session: AsyncSession, row: Transcription, reason: str, settings: Settings) -> bool:
    """Say why a recording cannot be transcribed; its order is judged by the words of its other calls.

    It stays so until somebody asks again. False where the row is not ours any more.
    """
    if not await queue.fail(session, row, reason):
        return False
    check_id = await repository.order_read(session, row.recording_id)
    if check_id is not None:
        await _part(row.id, "order", session, rejudging.rejudge(session, check_id, settings))
    return True


async def settle(session: AsyncSession, since: datetime, settings: Settings) -> None:
    """Judge the orders that wait for nothing more: a recording of theirs was withdrawn before its transcript was there,
    or was given up, since then. A second time it changes nothing.
    """
    for check_id in await repository.orders_left(session, since):
        await _part(check_id, "order", session, rejudging.rejudge(session, check_id, settings))


async def _follow(
    session: AsyncSession,
    row: Transcription,
    channels: Mapping[str, Transcript],
    settings: Settings,
    second_pass: SecondPass | None,
) -> None:
    """What follows a transcript. A part that fails keeps neither the words from being stored nor the others off."""
    key, attempt_id = row.id, row.recording.attempt_id
    await _part(key, "search", session, _index(session, row, settings))
    if attempt_id is None:
        await _part(key, "phone records", session, fill_from(session, row, settings))
    if attempt_id is None or "them" not in channels:
        return
    attempt = await repository.attempt(session, attempt_id)
    await _part(key, "answers", session, understand(session, attempt, row, second_pass, settings))
    attempt = await repository.attempt(session, attempt_id)
    await _part(key, "reading", session, _read(session, attempt, row, channels["them"], settings))


async def _index(session: AsyncSession, row: Transcription, settings: Settings) -> None:
    await search.index(session, row, await answer_keys(session, settings))


async def _read(
    session: AsyncSession, attempt: Attempt, row: Transcription, them: Transcript, settings: Settings
) -> None:
    if await reading.keep(session, attempt, row, them, settings):
        await rejudging.rejudge(session, attempt.check_id, settings)


async def _part(key: int, name: str, session: AsyncSession, work: Awaitable[object]) -> None:
    try:
        async with session.begin_nested():
            await work
    except (OperationalError, InterfaceError):
        # The database itself: the whole is tried again.
        raise
    except Exception as error:
        # The text of an error may quote what was said.
        log.error("a part of a transcript failed", key=key, part=name, reason=type(error).__name__)
