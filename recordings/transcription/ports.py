"""What recognises speech, as the rest of the product sees it. Sound is mono, 8 kHz, int16; times are milliseconds.

Two layers. A `Recogniser` is an engine with its model, loaded in a worker process; it is plain and blocking, and knows
nothing of queues. A `Transcriber` (see `recordings.transcription.pool`) is what callers hold: it runs recognisers in
worker processes, on demand, a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from sip.progress.transcript import Utterance

Sound = npt.NDArray[np.int16]
EngineName = Literal["vosk", "whisper"]


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What recognises."""

    name: EngineName
    version: str
    model: str
    """Name of the model, its folder's name."""
    language: str = "zh"
    """BCP 47."""
    streams: bool = False
    """Whether it gives partial results while sound comes in."""

    @property
    def title(self) -> str:
        """Return what stands in a transcript as its engine: `vosk 0.3.45 (vosk-model-small-cn-0.22)`."""
        return f"{self.name} {self.version} ({self.model})"


@dataclass(frozen=True, slots=True)
class Hints:
    """What is likely to be said; an engine may make use of it or not."""

    words: tuple[str, ...] = ()
    """Names of people and units of the books, the likeliest first."""
    prompt: str = ""
    """A sentence such as those that are expected."""


NO_HINTS = Hints()


@dataclass(frozen=True, slots=True)
class Ranked:
    """How well a phrase fits a stretch of sound."""

    phrase: str
    score: float
    """How well it fits, 0 at best: of Whisper the mean log-probability of its tokens, less what they have in silence.
    To be compared within one stretch and one engine only."""


class Stream(Protocol):
    """A call that is still going on."""

    def feed(self, samples: Sound) -> tuple[tuple[Utterance, ...], str]:
        """Take more sound; return the utterances that have ended since the last call, and the partial text of the one
        under way. Times count from the stream's beginning."""
        ...

    def end(self) -> tuple[Utterance, ...]:
        """Return what was still open."""
        ...


class Recogniser(Protocol):
    """An engine with its model."""

    @property
    def info(self) -> EngineInfo: ...

    def recognise(self, samples: Sound, hints: Hints = NO_HINTS) -> tuple[Utterance, ...]:
        """Return what is said in a stretch that voice activity was found in, with the time of each word."""
        ...

    def rank(self, samples: Sound, phrases: Sequence[str], before: str = "") -> tuple[Ranked, ...]:
        """Return these phrases by how well they fit what is said, the best first (second pass over names and digits).

        `before` is what was said in the stretch ahead of them. An engine with a grammar lets only these phrases be
        recognised; one without computes the probability of each. For the phrase `#` stand the telephone numbers that
        are heard where nothing but digits may be said, in digits, the likeliest first, behind the other phrases.
        Phrases of digits are numbers that may be said; they stand among those that are heard.
        """
        ...

    def stream(self) -> Stream:
        """Begin a call under way. Raises NotImplementedError where `info.streams` is False."""
        ...
