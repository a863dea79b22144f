"""What the transcriber process asks of speech recognition: the part of `recordings.transcription.pool` that it uses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from recordings.transcription.ports import NO_HINTS, EngineInfo, Hints, Ranked, Sound
from sip.progress.transcript import Transcript, Utterance


class LiveRecogniser(Protocol):
    """A call that is still going on."""

    async def feed(self, samples: Sound) -> tuple[tuple[Utterance, ...], str]:
        """Return what has ended since the last call, and the text under way. Times count from the stream's begin."""
        ...

    async def end(self) -> tuple[Utterance, ...]:
        """Return what was still open."""
        ...


class Recognition(Protocol):
    """Recognisers in worker processes."""

    @property
    def info(self) -> EngineInfo | None: ...

    async def transcribe(
        self,
        samples: Sound,
        *,
        hints: Hints = NO_HINTS,
        start_ms: float = 0.0,
        patience_s: float | None = None,
    ) -> Transcript:
        """Return what is said. Raises `TranscriptionError`; `EngineError` where the engine itself cannot be used."""
        ...

    async def rank(self, samples: Sound, phrases: Sequence[str], before: str = "") -> tuple[Ranked, ...]:
        """Return the phrases by how well they fit, the best first."""
        ...

    async def warm(self) -> None:
        """Make ready for a sound that is about to come. Raises `TranscriptionError`."""
        ...

    def stream(self) -> AbstractAsyncContextManager[LiveRecogniser]:
        """Begin a call under way; only where `info.streams`."""
        ...
