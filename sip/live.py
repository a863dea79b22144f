"""What a call is doing at this moment, for whoever looks at it while it lasts.

The driver only notes what it has decided; what that means is worked out when somebody asks, so that a call that
nobody looks at costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sip.call_log import CallLog
from sip.progress import AnswerState, Heard, Limits, Signals, ring_facts
from sip.record import EarlyMediaKind

Phase = Literal["dialling", "ringing", "answered"]


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call under way. It is a glimpse: what is found when the call is over may differ, and only that counts."""

    phase: Phase
    age_ms: float
    """Milliseconds since the first INVITE left."""
    ring_started_ms: float | None = None
    """Call time at which the ringing began."""
    rings: int | None = None
    """Rings that have begun so far."""
    early: EarlyMediaKind = "none"
    """What is heard before the answer."""
    answered_ms: float | None = None
    """Call time of the answer; None until then."""


class CallEye:
    """Watches one attempt, whichever of its destinations is being called."""

    def __init__(self) -> None:
        self._noted: tuple[CallLog, Heard, Signals, AnswerState] | None = None
        self._settled: tuple[float, LiveCall] | None = None
        """The answer, and what was found at it: what comes before it changes no more."""
        self._hasty = False
        self._hasten: Callable[[bool], None] | None = None

    def attach(self, hasten: Callable[[bool], None]) -> None:
        """Learn by what the sound of the present destination is written down more often, or as usual."""
        self._hasten = hasten
        if self._hasty:
            hasten(True)

    def hasten(self, hasty: bool) -> None:
        """Have the sound written down more often while somebody listens, or as usual."""
        if hasty != self._hasty and self._hasten is not None:
            self._hasten(hasty)
        self._hasty = hasty

    def note(self, facts: CallLog, heard: Heard, signals: Signals, state: AnswerState) -> None:
        """Keep what the driver has seen last."""
        self._noted = facts, heard, signals, state

    def look(self, now: float) -> LiveCall | None:
        """Say what the call is doing at a monotonic time; None before anything has left."""
        if self._noted is None:
            return None
        facts, heard, signals, state = self._noted
        if facts.t0 is None:
            return None
        age_ms = (now - facts.t0) * 1000
        if state.state == "answered" and state.answered_ms is not None:
            return self._answered(age_ms, state.answered_ms, heard, signals)
        found = ring_facts(signals, heard, Limits())
        phase: Phase = "dialling" if state.ring_started_ms is None else "ringing"
        return LiveCall(phase, age_ms, state.ring_started_ms, found.rings.count, found.early_media.kind)

    def _answered(self, age_ms: float, answered_ms: float, heard: Heard, signals: Signals) -> LiveCall:
        if self._settled is None or self._settled[0] != answered_ms:
            found = ring_facts(signals, heard, Limits())
            call = LiveCall(
                "answered",
                age_ms,
                found.ring_started_ms,
                found.rings.count,
                found.early_media.kind,
                answered_ms,
            )
            self._settled = answered_ms, call
        seen = self._settled[1]
        return LiveCall(seen.phase, age_ms, seen.ring_started_ms, seen.rings, seen.early, answered_ms)
