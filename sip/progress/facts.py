"""The types of the ring and answer facts (振铃与接听): what goes into `ring_facts` and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sip.record import AfterAnswer, AnswerSource, EarlyMedia, Rings, ThreeRing


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of the three-ring rule (响铃三声内接听), milliseconds from ring start to answer.

    The national ringing cadence is 1 s on, 4 s off (GB 3380-82), so the third burst lasts from 10 s to 11 s
    and a fourth would begin at 15 s. The regulations name no seconds; 15 s is also the limit of
    GB/T 33358-2016 for government hotlines.
    """

    within_ms: float = 11_000.0
    """Strict reading: answered before the third burst ends."""
    borderline_ms: float = 15_000.0
    """Lenient reading: answered before a fourth ring is heard."""
    near_ms: float = 1_000.0
    """Closer to a limit than this is `near_limit`: bell and ringback are made by different machines."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What signalling says of a call, milliseconds since its first INVITE."""

    first_180_ms: float | None = None
    connected_ms: float | None = None
    """Arrival of the 200."""
    ended_ms: float = 0.0
    """The call's end, or the present moment while it lasts."""
    digits_sent_ms: float | None = None
    """The end of the last digit that was sent to a switchboard for one of its extensions; None where none was."""
    outcome_answered: bool | None = None
    """False: the outcome rules say that nobody answered, whatever the 200 said. None: the sound decides."""
    early_sound: bool = True
    """Whether a response before the 200 announced sound (an SDP answer). Without one whatever was heard is that of the
    line which answered: it has overtaken the 200."""
    trunk_music: bool = False
    """Music before the answer is our trunk's: where a 180 tells of the ringing, it tells nothing."""


@dataclass(frozen=True, slots=True)
class AnswerState:
    """Where a call stands at the moment: the phone's clocks run by it."""

    state: Literal["waiting", "ringing", "answered"] = "waiting"
    ring_started_ms: float | None = None
    answered_ms: float | None = None
    """`--max-talk` runs from here; only in state `answered`."""
    source: AnswerSource | None = None
    since_ms: float | None = None
    """Where nothing has been answered: the ring start, or behind a switchboard the end of the digits, from which
    `--max-ring` runs until ringing is heard. None: the clocks of signalling apply."""


@dataclass(frozen=True, slots=True)
class RingFacts:
    """Ring start, answer, rings and what was heard before and after; the fields of the call record."""

    ring_started_ms: float | None = None
    post_dial_delay_ms: float | None = None
    answered_ms: float | None = None
    answer_source: AnswerSource | None = None
    answered_window_ms: tuple[float, float] | None = None
    ring_to_answer_ms: float | None = None
    ring_to_answer_min_ms: float | None = None
    rings: Rings = field(default_factory=Rings)
    three_ring: ThreeRing = "not_applicable"
    near_limit: bool = False
    early_media: EarlyMedia = field(default_factory=EarlyMedia)
    after_answer: AfterAnswer = field(default_factory=AfterAnswer)
