"""What one call hears, handed on no more often than the call can use it.

To listen costs mostly by the push, hardly by the column. Before the 200 nothing that is heard need be known within
0.6 s: only a failure tone, an announcement or the ring limit ends the call then. Between a 200 that may be a
gateway's and the answer every block counts, for the opening is said to the first word, and for some seconds after
one that came out of nothing. A 200 after ringing is the answer by itself; for some seconds ringback that goes on may
take it back, whose name takes seconds, so that 0.6 s will do. While two people talk, a second will; and once nothing
that comes can take the answer back any more, sound is listened to for the record alone. What is heard in the end is
the same: `LineListener` does not depend on how its columns are cut. Where many packets are lost that holds of rings
and tones; what else is heard right beside them may bear another name.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from sip.media import HeardBlock
from sip.progress import AnswerState, Heard, LineListener, Signals
from sip.progress.features import COLUMN_MS, half_came
from sip.progress.sample_listener import SampleListener
from sip.progress.tunes import EarlySound
from sip.record import Announcement

_AT_ONCE_MS: Final = 0.0
_RINGING_MS: Final = 600.0
_TALKING_MS: Final = 1_000.0
_SETTLED_MS: Final = 10_000.0
_DOUBTED_MS: Final = 8_000.0
"""So long after a 200 what is heard may be ringback that goes on: the first burst begins within 6 s."""
_SETTLING_MS: Final = 12_000.0
"""So long after the answer of a line that rang no sound takes it back: ringback that goes on begins within 6 s of the
200 and has its name 3 s later, and announcements are listened for during 10 s."""


class Hearing:
    """The listeners of one call and the blocks that they have not heard yet."""

    def __init__(self, listener: LineListener, samples: SampleListener, early: EarlySound) -> None:
        self.listener = listener
        self.samples = samples
        self.early = early
        self.settled = False
        """Whether nothing that is still to come bears on the answer: what was `heard` last says all."""
        self._pace_ms = _RINGING_MS
        self._held: list[HeardBlock] = []
        self._held_ms = 0.0
        self._announced: list[Announcement] = []

    def take(self, block: HeardBlock) -> bool:
        """Add a block; True when there is something new to be heard."""
        self._held.append(block)
        self._held_ms += len(block.present) * COLUMN_MS
        if self._held_ms < self._pace_ms:
            return False
        self.catch_up()
        return True

    def catch_up(self) -> None:
        """Listen to what is held."""
        for start_ms, features, present in _runs(self._held):
            self.listener.push(start_ms, features, present)
            # A print is of the powers over many columns, to which also half a column adds.
            enough = half_came(present)
            self.early.push(start_ms, features, enough)
            self._announced += self.samples.push(start_ms, features, enough)
        self._held, self._held_ms = [], 0.0

    def announced(self) -> list[Announcement]:
        """Return the announcements that were heard since this was asked last."""
        fresh, self._announced = self._announced, []
        return fresh

    def heard(self) -> Heard:
        """Return what was heard so far; sound that is held is not in it."""
        return self.listener.heard()

    def follow(self, signals: Signals, state: AnswerState, *, digits: bool) -> None:
        """Choose how soon sound must be heard, now that the call stands so; `digits`: an extension is dialled."""
        answered = state.state == "answered"
        connected_ms = signals.connected_ms
        fresh = connected_ms is not None and signals.ended_ms - connected_ms < _DOUBTED_MS
        if digits or (connected_ms is not None and not answered) or (fresh and not _usual(state)):
            # A fresh 200 out of nothing, one in doubt, or a switchboard's: what comes next decides.
            self._pace_ms = _AT_ONCE_MS
        elif fresh or not answered:
            self._pace_ms = _RINGING_MS
        elif _certain(signals, state) and not self.samples.may_follow:
            self.settled, self._pace_ms = True, _SETTLED_MS
        else:
            self._pace_ms = _TALKING_MS

    def finish(self, ended_ms: float) -> Heard:
        """End the line at `ended_ms` and return all that was heard."""
        self.catch_up()
        self._announced += self.samples.finish()
        return self.listener.finish(ended_ms)


def _usual(state: AnswerState) -> bool:
    """Tell whether the answer is a 200 after ringing: it counts at once, and only ringback takes it back."""
    return state.source == "signalling" and state.ring_started_ms is not None


def _certain(signals: Signals, state: AnswerState) -> bool:
    """Tell whether an answer can be taken back no more: a 200 after ringing that is old enough."""
    return (
        _usual(state)
        and state.answered_ms is not None
        and signals.ended_ms - state.answered_ms >= _SETTLING_MS
    )


def _runs(blocks: list[HeardBlock]) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Return (start_ms, features [n, F], present [n, quarters]) of each run of blocks that follow on one another."""
    runs: list[list[HeardBlock]] = []
    end_ms = -1.0
    for block in blocks:
        if not runs or block.start_ms != end_ms:
            runs.append([])
        runs[-1].append(block)
        end_ms = block.start_ms + len(block.present) * COLUMN_MS
    return [
        (
            run[0].start_ms,
            np.concatenate([block.features for block in run]),
            np.concatenate([block.present for block in run]),
        )
        for run in runs
    ]
