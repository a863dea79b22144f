"""What is said in calls that are still going on: read from their growing captures, recognised, kept nowhere.

The text so far lies in a small file of the data folder, one for each call, for its owner alone, and is deleted when
the call is over: the words of a call under way enter neither the database nor its backups, and the ledger's database,
on which the phone waits, is not written each second. The capture is only read: the media process and its writer do
not know that anybody reads along.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.checks.models import Attempt
from app.checks.service import recording_name
from app.database import Database, make_private_folder
from app.settings import Settings
from app.transcripts import repository
from app.transcripts.ports import LiveRecogniser, Recognition
from recordings.transcription import Sound, TranscriptionError
from sip.media.capture import CaptureReader
from sip.media.errors import CaptureError
from sip.media.g711 import decode
from sip.progress.transcript import Utterance

log = structlog.get_logger(__name__)
RATE_HZ = 8000
LOOK_S = 1.0
"""The writer appends once a second."""
BEFORE_MS = 3_000.0
"""So much ahead of where the call is first seen connected is read too."""
SUFFIX = ".part"
"""Of the capture of a call, beside the place of its recording."""


def folder_of(settings: Settings) -> Path:
    """Where the text of calls under way lies."""
    return settings.data_dir / "live"


def text_so_far(settings: Settings, attempt_id: int) -> dict[str, Any] | None:
    """Return what is said so far in a call under way; None where nothing is."""
    try:
        found = json.loads((folder_of(settings) / f"{attempt_id}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def clear(settings: Settings) -> None:
    """Delete what a process that was killed left behind."""
    with contextlib.suppress(OSError):
        for path in folder_of(settings).iterdir():
            path.unlink(missing_ok=True)


class Tail:
    """The far side of a growing capture. Its end may be cut within a block: that is read at the next look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._position: int | None = None
        self.ended = False

    def read(self, first: int = 0) -> tuple[int, Sound]:
        """Return the position (8 kHz samples of the call) and the sound that has come since the last look.

        At the first look, what lies before the position `first` is left out. Raises OSError or `CaptureError`.
        """
        pieces: list[Sound] = []
        for block in self._blocks():
            self.ended = self.ended or block.kind == "ended"
            if block.kind != "heard" or block.end <= max(self._position or 0, first):
                continue
            if self._position is None:
                self._position = max(block.position, first)
            if block.position > self._position:
                pieces.append(np.zeros(block.position - self._position, np.int16))
                self._position = block.position
            pieces.append(decode(block.codes, block.codec)[self._position - block.position :])
            self._position = block.end
        sound = np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
        return (self._position or 0) - len(sound), sound

    def _blocks(self) -> Iterator[Any]:
        with self.path.open("rb") as file:
            reader = CaptureReader(file, self.path)
            if reader.notes:
                return
            self._offset = self._offset or file.tell()
            file.seek(self._offset)
            for block in reader.blocks():
                self._offset = file.tell()
                yield block


@dataclass
class _Call:
    """One call that is read along."""

    tail: Tail
    task: asyncio.Task[None]
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class _Text:
    """What was said so far."""

    utterances: list[Utterance] = field(default_factory=list)
    partial: str = ""
    until_ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "utterances": [
                {name: value for name, value in asdict(item).items() if name != "words"}
                for item in self.utterances
            ],
            "partial": self.partial,
            "until_ms": self.until_ms,
        }


class LiveReader:
    """Reads along with the calls that are connected, at most `most` of them, the newest."""

    def __init__(self, database: Database, settings: Settings, recognition: Recognition, most: int) -> None:
        self._database = database
        self._settings = settings
        self._recognition = recognition
        self._most = most
        self._calls: dict[int, _Call] = {}

    async def run(self) -> None:
        """Work until cancelled; only for an engine that streams."""
        clear(self._settings)
        make_private_folder(folder_of(self._settings))
        try:
            while True:
                try:
                    await self._look()
                except SQLAlchemyError as error:
                    log.error("calls under way cannot be looked up", reason=type(error).__name__)
                await asyncio.sleep(LOOK_S)
        finally:
            tasks = [call.task for call in self._calls.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            clear(self._settings)

    async def _look(self) -> None:
        async with self._database.reading() as session:
            connected = {attempt.id: attempt for attempt in await repository.connected(session)}
        for key, call in self._calls.items():
            if key not in connected:
                call.over.set()
        for key, attempt in connected.items():
            if key not in self._calls and len(self._calls) < self._most:
                self._begin(attempt)

    def _begin(self, attempt: Attempt) -> None:
        tail = Tail(self._settings.recordings_dir / f"{recording_name(attempt)}{SUFFIX}")
        over = asyncio.Event()
        task = asyncio.create_task(self._follow(attempt.id, tail, over))
        self._calls[attempt.id] = _Call(tail, task, over)
        task.add_done_callback(lambda _: self._calls.pop(attempt.id, None))

    async def _follow(self, attempt_id: int, tail: Tail, over: asyncio.Event) -> None:
        path = folder_of(self._settings) / f"{attempt_id}.json"
        try:
            begin, _ = await asyncio.to_thread(_last, tail)
            async with self._recognition.stream() as stream:
                await self._feed(tail, stream, over, path, begin)
            await over.wait()
        except (OSError, CaptureError, TranscriptionError) as error:
            # The whole is transcribed when the call is over; this was only a look ahead.
            log.info("a call is not read along", attempt=attempt_id, reason=type(error).__name__)
            await over.wait()
        finally:
            path.unlink(missing_ok=True)

    async def _feed(
        self, tail: Tail, stream: LiveRecogniser, over: asyncio.Event, path: Path, begin: int
    ) -> None:
        text = _Text()
        first: int | None = None
        while not (over.is_set() or tail.ended):
            position, sound = await asyncio.to_thread(tail.read, begin)
            if len(sound):
                first = position if first is None else first
                ended, text.partial = await stream.feed(sound)
                start_ms = first * 1000 / RATE_HZ
                text.utterances += [_shifted(item, start_ms) for item in ended if item.text]
                text.until_ms = (position + len(sound)) * 1000 / RATE_HZ
                await asyncio.to_thread(_write, path, text.to_json())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), LOOK_S)


def _last(tail: Tail) -> tuple[int, Sound]:
    """Return from where on a call is read along: a little ahead of where it is now."""
    probe = Tail(tail.path)
    position, sound = probe.read()
    return max(position + len(sound) - round(BEFORE_MS * RATE_HZ / 1000), 0), sound


def _shifted(item: Utterance, by_ms: float) -> Utterance:
    return replace(item, start_ms=item.start_ms + by_ms, end_ms=item.end_ms + by_ms, words=())


def _write(path: Path, content: dict[str, Any]) -> None:
    """Put the text in place as a whole: who reads it meets the old one or the new one."""
    beside = path.with_suffix(".new")
    with os.fdopen(
        os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(content, file, ensure_ascii=False)
    beside.replace(path)
