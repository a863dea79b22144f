"""Takes what waits in the queue and has it transcribed, a few recordings at a time, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.answers.books import expected_at
from app.answers.found import Question
from app.answers.reading import questions
from app.checks.models import Recording
from app.database import Database
from app.errors import OfficeError
from app.settings import Settings
from app.transcripts import queue, repository, service
from app.transcripts.models import Transcription
from app.transcripts.ports import Recognition
from app.transcripts.sounds import BrokenSoundError, cut, sides
from recordings import RecordingError, RecordingMissing
from recordings.errors import RecordingChanged
from recordings.transcription import EngineError, Ranked, Sound, TranscriptionError
from sip.progress.transcript import Transcript

log = structlog.get_logger(__name__)
LOOK_S = 0.5
"""How often it is looked whether something waits."""
TIDY_S = 60.0
LEFT = timedelta(hours=1)
"""So far back it is looked for orders whose last transcript will not come."""
WATCH_S = 2.0
"""How soon a recording that is withdrawn while it is transcribed is let go."""
TROUBLE_PAUSE_S = 30.0
"""After the engine, the store or the database could not be used."""
KEEP_PAUSES_S = (0.5, 2.0, 8.0)


class Sounds(Protocol):
    """Where recordings lie."""

    def read(self, key: str, sha256: str | None = None) -> bytes:
        """Return a whole recording that has this hash. Raises `RecordingError`."""
        ...


class UnavailableError(Exception):
    """Where recordings lie cannot be asked at the moment."""


@dataclass
class _Asked:
    """A second pass that was asked beforehand; of anything else it says nothing."""

    found: dict[Question, tuple[Ranked, ...]] = field(default_factory=dict)

    async def __call__(
        self, start_ms: float, end_ms: float, phrases: Sequence[str], before: str = ""
    ) -> tuple[Ranked, ...]:
        return self.found.get(Question(start_ms, end_ms, tuple(phrases), before), ())


class Scribe:
    """At most `most` recordings at a time; what dies with us is taken up by the next process."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        recognition: Recognition,
        sounds: Callable[[], Sounds],
        owner: str,
        most: int = 1,
    ) -> None:
        self._database = database
        self._settings = settings
        self._recognition = recognition
        self._sounds = sounds
        self.owner = owner
        self._most = most
        self._jobs: dict[int, asyncio.Task[None]] = {}
        self._claims = 0
        self._paused_until = 0.0
        self._tidied_at = -TIDY_S
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`."""
        beating = asyncio.create_task(self._beat())
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            while not stopped.done():
                await self._look()
                waits = {stopped, *self._jobs.values()}
                await asyncio.wait(waits, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [beating, stopped, *self._jobs.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self) -> None:
        """Take up nothing more; what is under way waits for the next process."""
        self._stopping.set()

    async def _look(self) -> None:
        now = time.monotonic()
        try:
            if now - self._tidied_at >= TIDY_S:
                async with self._database.unit_of_work() as session:
                    await queue.tidy(session)
                    await queue.look_behind(session)
                    await service.settle(session, queue.now() - LEFT, self._settings)
                self._tidied_at = now
            while now >= self._paused_until and len(self._jobs) < self._most and await self._begin():
                pass
        except SQLAlchemyError as error:
            log.error("the queue of transcriptions cannot be read", reason=type(error).__name__)
            self._pause()

    async def _begin(self) -> bool:
        async with self._database.reading() as session:
            if await repository.next_open(session, queue.now(), oldest=False) is None:
                return False
        oldest = self._claims % queue.EVERY_OLDEST == queue.EVERY_OLDEST - 1
        async with self._database.unit_of_work() as session:
            row = await queue.claim(session, self.owner, oldest=oldest)
        if row is None:
            return False
        self._claims += 1
        job = self._jobs[row.id] = asyncio.create_task(self._work(row))
        job.add_done_callback(lambda _: self._jobs.pop(row.id, None))
        return True

    async def _beat(self) -> None:
        """Give signs of life; what is no longer ours was withdrawn, and ends."""
        renewed_at = time.monotonic()
        while True:
            await asyncio.sleep(WATCH_S)
            keys = tuple(self._jobs)
            if not keys:
                continue
            try:
                held = await self._held(keys, renew=time.monotonic() - renewed_at >= queue.BEAT_S)
            except SQLAlchemyError as error:
                log.error("leases could not be renewed", reason=type(error).__name__)
                continue
            if time.monotonic() - renewed_at >= queue.BEAT_S:
                renewed_at = time.monotonic()
            for key in set(keys) - held:
                job = self._jobs.get(key)
                if job is not None:
                    job.cancel()

    async def _held(self, keys: Sequence[int], *, renew: bool) -> frozenset[int]:
        if not renew:
            async with self._database.reading() as session:
                return await repository.held(session, keys, self.owner)
        async with self._database.unit_of_work() as session:
            return await queue.renew(session, keys, self.owner)

    async def _work(self, row: Transcription) -> None:
        try:
            await self._transcribe(row)
        except asyncio.CancelledError:
            await asyncio.shield(self._quietly(queue.put_back, row))
            raise
        except (EngineError, UnavailableError) as error:
            log.error("nothing is transcribed for a while", reason=str(error))
            self._pause()
            await self._quietly(queue.put_back, row)
        except (TranscriptionError, RecordingError, BrokenSoundError) as error:
            reason = str(error) or type(error).__name__
            # What an engine says of a sound may quote it.
            told = type(error).__name__ if type(error) is TranscriptionError else reason
            log.warning("recording not transcribed", recording=row.recording_id, reason=told)
            await self._quietly(lambda session, it: service.fail(session, it, reason, self._settings), row)
        except SQLAlchemyError as error:
            # The lease runs out, and the row is taken up again.
            log.error("a transcript could not be kept", transcription=row.id, reason=type(error).__name__)
            self._pause()
        except Exception as error:
            # Whatever it is: one recording never stops the queue. An error's text may quote what was said.
            name = type(error).__name__
            log.error("recording not transcribed", recording=row.recording_id, reason=name)
            reason = f"内部错误 ({name})"
            await self._quietly(lambda session, it: service.fail(session, it, reason, self._settings), row)

    async def _transcribe(self, row: Transcription) -> None:
        heard = await asyncio.to_thread(self._read, row.recording)
        began = time.monotonic()
        channels = {name: await self._recognition.transcribe(side) for name, side in heard.items()}
        took_s = round(time.monotonic() - began, 3)
        info = self._recognition.info
        engine = info.title if info is not None else next(iter(channels.values())).engine
        asked = await self._second_pass(row, channels, heard["them"])
        for pause_s in (*KEEP_PAUSES_S, None):
            try:
                async with self._database.unit_of_work() as session:
                    kept = await service.keep(
                        session, row, channels, engine, took_s, self._settings, second_pass=asked
                    )
                break
            except SQLAlchemyError:
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
        log.info("recording transcribed", recording=row.recording_id, took_s=took_s, kept=kept)

    def _read(self, recording: Recording) -> dict[str, Sound]:
        try:
            data = self._sounds().read(recording.path, recording.sha256)
        except RecordingError as error:
            if isinstance(error, (RecordingMissing, RecordingChanged)):
                raise
            # The store does not answer, or the key is not there: that is not this recording's fault.
            raise UnavailableError(str(error)) from error
        return sides(io.BytesIO(data), recording.kind)

    async def _second_pass(
        self, row: Transcription, channels: Mapping[str, Transcript], them: Sound
    ) -> _Asked:
        """Ask the engine beforehand what understanding will want to know: the tables must not be locked meanwhile."""
        asked = _Asked()
        if row.recording.attempt_id is None:
            return asked
        try:
            async with self._database.reading() as session:
                attempt = await repository.attempt(session, row.recording.attempt_id)
                expected = await expected_at(session, attempt, self._settings)
            wanted = await asyncio.to_thread(questions, channels["them"], expected)
        except OfficeError as error:
            # What is wrong with the books comes up once more, and is told, when the transcript is kept.
            log.warning("no second pass", recording=row.recording_id, reason=type(error).__name__)
            return asked
        for question in wanted:
            stretch = cut(them, question.start_ms, question.end_ms)
            with contextlib.suppress(TranscriptionError):
                asked.found[question] = await self._recognition.rank(
                    stretch, question.phrases, question.before
                )
        return asked

    async def _quietly(self, verb: Callable[[AsyncSession, Transcription], Any], row: Transcription) -> None:
        try:
            async with self._database.unit_of_work() as session:
                await verb(session, row)
        except SQLAlchemyError as error:
            log.error("the queue of transcriptions cannot be written", reason=type(error).__name__)

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + TROUBLE_PAUSE_S
