"""Transcripts of recordings, the queue, and calls that are read along, as JSON."""

from __future__ import annotations

from fastapi import APIRouter, Request

from app.accounts import service as audit
from app.answers.books import answer_keys
from app.api.actor import Actor
from app.database import Database
from app.directory.routing import PathKey, State
from app.errors import GoneError, NotFoundError
from app.settings import Settings
from app.transcripts import live, repository, service
from app.transcripts.models import Transcription
from app.transcripts.schemas import (
    LiveOut,
    TranscriberOut,
    TranscriptionOut,
    TranscriptionsOut,
    TranscriptOut,
)
from app.transcripts.showing import masked, masked_utterance

router = APIRouter(prefix="/api/v1", tags=["transcripts"])


@router.get("/recordings/{recording_id}/transcript", operation_id="show_transcript")
async def show(state: State, who: Actor, recording_id: PathKey) -> TranscriptOut:
    """What was said on a recording, by the transcription that counts: the newest that is done.

    404 where there is none (yet); the list of its transcriptions says why. 410 where it went with its recording. That
    it was read is put on record before the answer leaves.
    """
    database, settings = state
    async with database.reading() as session:
        await _there(database, recording_id)
        row = await service.latest(session, recording_id)
        if row is None:
            found = await repository.recording(session, recording_id)
            if found is not None and found.gone_why is not None:
                raise GoneError(f"录音 {recording_id} 的文字已随录音封存或删除 (its words went with it)")
            raise NotFoundError(f"录音 {recording_id} 还没有转写 (it has no transcript)")
        read = _whole(row, await answer_keys(session, settings))
    async with database.unit_of_work() as session:
        await audit.record(
            session, "transcript.read", f"transcript:{row.id}", f"recording:{recording_id}", who
        )
    return read


@router.get("/recordings/{recording_id}/transcriptions", operation_id="list_transcriptions")
async def list_all(state: State, recording_id: PathKey) -> TranscriptionsOut:
    """Every transcription of a recording, newest first, and how each stands."""
    database, _ = state
    await _there(database, recording_id)
    async with database.reading() as session:
        rows = await repository.of_recording(session, recording_id)
    return TranscriptionsOut(items=[TranscriptionOut.model_validate(row) for row in rows])


@router.post(
    "/recordings/{recording_id}/transcriptions", status_code=202, operation_id="request_transcription"
)
async def request(state: State, who: Actor, recording_id: PathKey) -> TranscriptionOut:
    """Ask for a transcript once more, e.g. by another engine; one that waits already is that one."""
    database, _ = state
    async with database.unit_of_work() as session:
        row = await service.request(session, recording_id)
        await audit.record(session, "transcribe", f"recording:{recording_id}", f"transcription {row.id}", who)
        return TranscriptionOut.model_validate(row)


@router.get("/attempts/{attempt_id}/live-transcript", operation_id="show_live_transcript")
async def show_live(state: State, attempt_id: PathKey) -> LiveOut:
    """What is said so far in a call under way, where the engine reads along; 404 before and after."""
    database, settings = state
    found = live.text_so_far(settings, attempt_id)
    async with database.reading() as session:
        if found is None or not await repository.attempt_live(session, attempt_id):
            raise NotFoundError(f"通话 {attempt_id} 没有实时文字 (nothing is read along)")
        keys = await answer_keys(session, settings)
    whole = {"text": found["partial"]}
    return LiveOut(
        attempt_id=attempt_id,
        utterances=[masked_utterance(item, keys) for item in found["utterances"]],
        partial=masked_utterance(whole, keys)["text"],
        until_ms=found["until_ms"],
    )


@router.get("/transcriber", operation_id="show_transcriber")
async def transcriber(request: Request, state: State) -> TranscriberOut:
    """What recognises speech here, and how its queue stands."""
    database, settings = state
    async with database.reading() as session:
        found = await repository.figures(session)
    keeper = getattr(request.app.state, "transcriber", None)
    engine = None if keeper is None else keeper.engine
    return TranscriberOut(
        state="off" if keeper is None else keeper.told,
        reason=_off(settings) if keeper is None else keeper.reason,
        engine=None if engine is None else engine.title,
        streams=engine is not None and engine.streams,
        waiting=found.waiting,
        running=found.running,
        failed=found.failed,
        oldest_waiting_at=found.oldest_at,
    )


def _off(settings: Settings) -> str:
    return "DUTYRING_PHONE_PROCESS is off" if not settings.phone_process else "the service runs without it"


def _whole(row: Transcription, keys: frozenset[str]) -> TranscriptOut:
    plain = TranscriptionOut.model_validate(row).model_dump()
    return TranscriptOut(**plain, channels=masked(row.content, keys))


async def _there(database: Database, recording_id: int) -> None:
    async with database.reading() as session:
        if await repository.recording(session, recording_id) is None:
            raise NotFoundError(f"没有录音 {recording_id} (no such recording)")
