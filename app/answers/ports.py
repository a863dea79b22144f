"""What the understanding of an answer asks of the recogniser, once the transcript is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recordings.transcription.ports import Ranked


class SecondPass(Protocol):
    """Ranks phrases by how well they fit a stretch of the far side's sound (`Transcriber.rank` on a cut of it)."""

    async def __call__(
        self, start_ms: float, end_ms: float, phrases: Sequence[str], before: str = ""
    ) -> tuple[Ranked, ...]:
        """Return the phrases, the best first; nothing where the engine cannot tell.

        Times are the transcript's, those of the call. `before` is what was said in the stretch ahead of the phrases.
        """
        ...
