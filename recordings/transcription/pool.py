"""What callers hold: worker processes on demand, a bounded number of them, none for ever.

A worker is started when there is something to do and none idle, or when there will be soon (`warm`), ended after a
minute without work, and replaced after so many sounds or where its memory has grown. One that dies or hangs costs its
sound a second try on a fresh worker; then that sound alone is given up (`WorkerLost`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from recordings.transcription import protocol
from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError, WorkerLost
from recordings.transcription.ports import NO_HINTS, EngineInfo, Hints, Ranked, Sound
from recordings.transcription.shifting import shifted
from recordings.transcription.worker_process import WorkerProcess
from sip.progress.transcript import Transcript, Utterance

_RATE_HZ = 8_000
_SILENCE: Sound = np.zeros(_RATE_HZ, np.int16)


@dataclass(frozen=True, slots=True)
class Limits:
    """When a worker is replaced, ended or given up."""

    sounds: int = 50
    """It is replaced after so many."""
    growth_bytes: int = 300 << 20
    """It is replaced where its memory has grown by more since its model was loaded."""
    idle_s: float = 60.0
    """It is ended after so long without work."""
    patience_s: float = 10.0
    patience_per_s: float = 4.0
    """It hangs when a sound takes longer than `patience_s` and this for each second of sound."""
    streams: int = 4
    """Most calls under way that one worker hears at a time."""


class LiveStream:
    """A call under way. Times count from its beginning."""

    def __init__(self, worker: WorkerProcess, number: int, limits: Limits) -> None:
        self._worker = worker
        self._number = number
        self._limits = limits

    async def feed(self, samples: Sound) -> tuple[tuple[Utterance, ...], str]:
        """Take more sound; return the utterances that have ended, and the partial text of the one under way.

        Raises WorkerLost: the stream is over then, not the call.
        """
        answer = await self._ask("feed", samples)
        return protocol.utterances_from_json(answer["utterances"]), str(answer["partial"])

    async def end(self) -> tuple[Utterance, ...]:
        """Return what was still open."""
        return protocol.utterances_from_json((await self._ask("end", None))["utterances"])

    async def _ask(self, do: str, samples: Sound | None) -> dict[str, Any]:
        seconds = 0.0 if samples is None else len(samples) / _RATE_HZ
        # The worker hears other calls too.
        patience_s = self._limits.streams * (self._limits.patience_s + self._limits.patience_per_s * seconds)
        asked = {"do": do, "stream": self._number}
        # A caller that is cancelled must not cost the other calls their worker.
        return await asyncio.shield(asyncio.create_task(self._worker.ask(asked, samples, patience_s)))


class Transcriber:
    """Recognises speech in worker processes; with no engine it recognises nothing and says so (`info` is None)."""

    def __init__(
        self,
        choice: EngineChoice | None,
        workers: int = 1,
        *,
        limits: Limits = Limits(),
        threads: int = 1,
        nice: int = 10,
    ) -> None:
        """Recognise with this engine in at most `workers` processes; none is started before there is work.

        As many more may run for calls under way, where the engine streams.
        """
        self._choice = choice
        self._limits = limits
        self._threads = threads
        self._nice = nice
        self._workers = max(1, workers)
        self._room = asyncio.Semaphore(self._workers)
        self._idle: list[WorkerProcess] = []
        self._all: set[WorkerProcess] = set()
        self._listening: dict[WorkerProcess, int] = {}
        """Workers that hear calls under way, and how many."""
        self._opening = asyncio.Lock()
        self._streams = 0
        self._reaper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reaper = asyncio.create_task(self._reap())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reaper
        await asyncio.gather(*(self._end(worker) for worker in tuple(self._all)))

    @property
    def info(self) -> EngineInfo | None:
        """Return what recognises; None where there is nothing."""
        return None if self._choice is None else self._choice.info

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that run."""
        return tuple(worker.pid for worker in self._all if worker.alive)

    async def transcribe(
        self,
        samples: Sound,
        *,
        hints: Hints = NO_HINTS,
        start_ms: float = 0.0,
        patience_s: float | None = None,
    ) -> Transcript:
        """Return what is said in a sound, its times those of the sound plus `start_ms`.

        Raises EngineError (no engine, or it cannot be used), WorkerLost (the worker died or hung on this sound, twice)
        or TranscriptionError (the engine failed on this sound).
        """
        choice = self._chosen()
        asked = {"do": "transcribe", "words": hints.words, "prompt": hints.prompt}
        answer = await self._ask(asked, samples, patience_s)
        heard = shifted(protocol.utterances_from_json(answer["utterances"]), start_ms)
        return Transcript(choice.info.title, choice.language, heard)

    async def rank(
        self, samples: Sound, phrases: Sequence[str], before: str = "", *, patience_s: float | None = None
    ) -> tuple[Ranked, ...]:
        """Return the phrases by how well they fit a stretch of at most 28 s, the best first. Raises as `transcribe`."""
        self._chosen()
        asked = {"do": "rank", "phrases": list(phrases), "before": before}
        answer = await self._ask(asked, samples, patience_s)
        return tuple(Ranked(str(phrase), float(score)) for phrase, score in answer["ranked"])

    async def warm(self) -> None:
        """Let a worker stand ready that has its model loaded; nothing where all are at work, or there is no engine.

        One that stands ready is not ended for another while. Raises EngineError, WorkerLost, TranscriptionError.
        """
        if self._choice is None or self._room.locked():
            return
        async with self._room:
            worker = await self._take(fresh=False)
            try:
                if not worker.asked:
                    # What is loaded with the first sound.
                    asked = {"do": "transcribe", "words": (), "prompt": ""}
                    await worker.ask(asked, _SILENCE, self._limits.patience_s)
            finally:
                await self._give_back(worker)

    @contextlib.asynccontextmanager
    async def stream(self) -> AsyncIterator[LiveStream]:
        """Hear a call under way.

        Raises EngineError where there is no engine, where it does not stream or where as many calls are heard as the
        workers can hear; the call is transcribed afterwards all the same.
        """
        if not self._chosen().info.streams:
            raise EngineError("this engine gives no partial results")
        async with self._opening:
            worker = await self._listener()
            self._listening[worker] += 1
        self._streams += 1
        number = self._streams
        try:
            await worker.ask(
                {"do": "begin", "stream": number}, None, self._limits.patience_s * self._limits.streams
            )
            yield LiveStream(worker, number, self._limits)
        finally:
            await self._leave(worker, number)

    async def _listener(self) -> WorkerProcess:
        """Return the worker for another call under way: the one that hears the fewest, else a new one."""
        for worker in [worker for worker in self._listening if not worker.alive]:
            await self._end(worker)
        free = [worker for worker, calls in self._listening.items() if calls < self._limits.streams]
        if free:
            return min(free, key=lambda worker: self._listening[worker])
        if len(self._listening) >= self._workers:
            raise EngineError(f"{sum(self._listening.values())} calls are heard already, as many as can be")
        worker = await self._start()
        self._listening[worker] = 0
        return worker

    async def _leave(self, worker: WorkerProcess, number: int) -> None:
        with contextlib.suppress(WorkerLost):
            if worker.alive:
                await worker.ask(
                    {"do": "drop", "stream": number}, None, self._limits.patience_s * self._limits.streams
                )
        self._listening[worker] = self._listening.get(worker, 1) - 1
        worker.idle_since = asyncio.get_running_loop().time()
        if self._listening[worker] <= 0 and self._worn(worker, self._limits.sounds * 1_000):
            await self._end(worker)

    def _chosen(self) -> EngineChoice:
        if self._choice is None:
            raise EngineError("no engine for speech is installed")
        return self._choice

    async def _ask(
        self, asked: Mapping[str, Any], samples: Sound, patience_s: float | None
    ) -> dict[str, Any]:
        if patience_s is None:
            patience_s = self._limits.patience_s + self._limits.patience_per_s * len(samples) / _RATE_HZ
        async with self._room:
            try:
                return await self._once(asked, samples, patience_s, fresh=False)
            except WorkerLost:
                return await self._once(asked, samples, patience_s, fresh=True)

    async def _once(
        self, asked: Mapping[str, Any], samples: Sound, patience_s: float, *, fresh: bool
    ) -> dict[str, Any]:
        worker = await self._take(fresh=fresh)
        try:
            return await worker.ask(asked, samples, patience_s)
        finally:
            await self._give_back(worker)

    async def _take(self, *, fresh: bool) -> WorkerProcess:
        while self._idle and not fresh:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            self._all.discard(worker)
        if fresh and self._idle:
            # A fresh one must not make one more than there may be.
            await self._end(self._idle.pop(0))
        return await self._start()

    async def _start(self) -> WorkerProcess:
        worker = await WorkerProcess.start(self._chosen(), self._threads, self._nice)
        self._all.add(worker)
        return worker

    async def _give_back(self, worker: WorkerProcess) -> None:
        if not worker.alive or self._worn(worker, self._limits.sounds):
            await self._end(worker)
            return
        worker.idle_since = asyncio.get_running_loop().time()
        self._idle.append(worker)

    def _worn(self, worker: WorkerProcess, sounds: int) -> bool:
        grown = worker.loaded_rss and worker.rss - worker.loaded_rss > self._limits.growth_bytes
        return worker.asked >= sounds or bool(grown)

    async def _end(self, worker: WorkerProcess) -> None:
        self._all.discard(worker)
        self._listening.pop(worker, None)
        await worker.end()

    async def _reap(self) -> None:
        """End workers that have had nothing to do."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(5.0, self._limits.idle_s))
            since = loop.time() - self._limits.idle_s
            for worker in [worker for worker in self._idle if worker.idle_since <= since]:
                self._idle.remove(worker)
                await self._end(worker)
            silent = [w for w, calls in self._listening.items() if calls == 0 and w.idle_since <= since]
            for worker in silent:
                await self._end(worker)
