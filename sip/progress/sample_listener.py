"""Listens for marked recordings in one call, as long as they may stand in place of an answer."""

from __future__ import annotations

from typing import Final

from sip.progress import fingerprint as fp
from sip.progress.facts import AnswerState
from sip.progress.sample_matcher import SampleMatcher
from sip.progress.samples import SampleHeard, SampleLibrary
from sip.record import Announcement

AFTER_ANSWER_MS: Final = 10_000.0
"""So long after a 200 a machine or the network may still say why nobody is there (a mailbox, an assistant)."""


class SampleListener:
    """One call's announcements. Its columns are those of the `LineListener`."""

    def __init__(self, library: SampleLibrary | None = None) -> None:
        self._matcher = SampleMatcher(SampleLibrary() if library is None else library)
        self._until_ms: float | None = None

    @property
    def may_follow(self) -> bool:
        """Whether a sample is being heard at this moment."""
        return self._matcher.may_follow

    def push(self, start_ms: float, features: fp.Columns, present: fp.Bools) -> list[Announcement]:
        """Add columns as `LineListener.push` takes them; returns what has been announced to its end by now."""
        if self._until_ms is not None and start_ms > self._until_ms and not self._matcher.may_follow:
            # An answer that is taken back lets it go on; to the matcher this is a gap.
            return []
        return [announcement_of(item) for item in self._matcher.push(start_ms, features, present)]

    def finish(self) -> list[Announcement]:
        """Return what the end of the call leaves to be told."""
        return [announcement_of(item) for item in self._matcher.finish()]

    def note_answer(
        self, connected_ms: float | None, digits_sent_ms: float | None, state: AnswerState
    ) -> None:
        """Take note of how the call stands; until an answer is certain every sample may come."""
        if connected_ms is None or state.state != "answered" or state.answered_ms is None:
            self._until_ms = None
        else:
            self._until_ms = max(state.answered_ms, digits_sent_ms or 0.0) + AFTER_ANSWER_MS


def announcement_of(heard: SampleHeard) -> Announcement:
    """Return a sample heard as the record keeps it."""
    sample = heard.sample
    return Announcement(
        meaning=sample.meaning,
        road="sample",
        start_ms=heard.start_ms,
        end_ms=heard.end_ms,
        confidence=heard.confidence,
        detail=f"sample {sample.id}: {sample.label}",
        mobile=sample.mobile,
    )
