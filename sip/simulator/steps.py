"""The words in which a simulated line's behaviour is written: a script of steps, and what an honest caller must find.

A script is data. The same words stand in the built-in table (`behaviours.py`) and in scenario files (`scenario.py`).
Text in headers and targets may hold `{user}` (the dialled extension) and `{host}` (the simulator's address).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from sip.record import (
    AnsweredBy,
    AnswerSource,
    EarlyMediaKind,
    EndedBy,
    EvidenceKind,
    Grade,
    LineState,
    Outcome,
    ThreeRing,
)
from sip.simulator.clips import sound_names

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Provisional:
    """Send a provisional response; with `sdp` it opens early media."""

    word: ClassVar[str] = "provisional"
    status: int
    sdp: bool = False
    reason: str = ""
    """Empty: the usual phrase."""
    headers: Headers = ()
    isup: str = ""
    """An ISUP message beside the description (SIP-I), as hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass, counted from the last response, so an answer keeps its nominal distance to the ringing."""

    word: ClassVar[str] = "wait"
    seconds: float


@dataclass(frozen=True, slots=True)
class Play:
    """Begin a sound and go on at once; it replaces what plays."""

    word: ClassVar[str] = "play"
    sound: str
    loop: bool = False


@dataclass(frozen=True, slots=True)
class Say:
    """Play a sound once and wait until it is over."""

    word: ClassVar[str] = "say"
    sound: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Stop the sound: packets of silence go on."""

    word: ClassVar[str] = "quiet"


@dataclass(frozen=True, slots=True)
class Answer:
    """Send 200 OK with SDP. What played before is stopped unless `keep_sound`, as at an analogue gateway."""

    word: ClassVar[str] = "answer"
    headers: Headers = ()
    keep_sound: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """Send a final response of 400 or above."""

    word: ClassVar[str] = "reject"
    status: int
    reason: str = ""
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send 3xx with a Contact."""

    word: ClassVar[str] = "redirect"
    to: str
    status: int = 302


@dataclass(frozen=True, slots=True)
class Challenge:
    """Ask for digest credentials (407) and go on only with the call that brings the right ones."""

    word: ClassVar[str] = "challenge"
    realm: str = "dutyring"
    algorithm: str = "MD5"


@dataclass(frozen=True, slots=True)
class AwaitDigits:
    """Play a menu over and over until the caller has sent these digits; after others say so and hang up."""

    word: ClassVar[str] = "await_digits"
    digits: str
    sound: str = "switchboard_menu"
    refusal: str = "empty_number"


@dataclass(frozen=True, slots=True)
class HangUp:
    """Send BYE."""

    word: ClassVar[str] = "hang_up"


@dataclass(frozen=True, slots=True)
class Never:
    """Do nothing more: the caller has to give up."""

    word: ClassVar[str] = "never"


Step: TypeAlias = (
    Provisional
    | Wait
    | Play
    | Say
    | Quiet
    | Answer
    | AwaitDigits
    | Reject
    | Redirect
    | Challenge
    | HangUp
    | Never
)
STEPS: tuple[type[Step], ...] = (
    Provisional,
    Wait,
    Play,
    Say,
    Quiet,
    Answer,
    AwaitDigits,
    Reject,
    Redirect,
    Challenge,
    HangUp,
    Never,
)
CLOSING: tuple[type[Step], ...] = (Reject, Redirect, HangUp, Never)
"""Nothing may follow these."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an honest caller must find in its call record; None (or an empty tuple) means: not compared.

    The names and the words are those of `sip.record.CallRecord`; a tuple lists what is acceptable.
    """

    outcome: Outcome
    answered_by: tuple[AnsweredBy, ...] = ()
    three_ring: ThreeRing | None = None
    rings: int | None = None
    ring_to_answer_ms: float | None = None
    tolerance_ms: float = 150.0
    """Of `ring_to_answer_ms`: what a crowded machine may delay the line's own responses, not the caller's error."""
    answer_source: AnswerSource | None = None
    sip_status: int | None = None
    early_media: tuple[EarlyMediaKind, ...] = ()
    line_state: tuple[LineState | None, ...] = ()
    forwarded: bool | None = None
    """`forwarding.detected`."""
    forwarding_grade: tuple[Grade, ...] = ()
    """Without one, no line may be said to be forwarded by proof or near proof."""
    evidence: tuple[EvidenceKind, ...] = ()
    """Signs of forwarding that must be found."""
    evidence_if_understood: tuple[EvidenceKind, ...] = ()
    """Signs that are found where what is heard is understood. Where `forwarded` or any sign is given, no other sign
    may be found."""
    ended_by: EndedBy | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One simulated line: what it does, and what must be found."""

    extension: str
    """User part of the request URI that reaches it."""
    name: str
    title_zh: str
    steps: tuple[Step, ...]
    expect: Expectation
    ignore_cancel: bool = False
    """A CANCEL is answered by 200 to the INVITE: the caller's CANCEL was too late."""
    digits: str = ""
    """What a caller has to send after the answer (`--send-digits`), if the line is to do what is expected of it."""
    history_ms: tuple[float, ...] = ()
    """What a caller has to know of the line (`--history`): post-dial delays of earlier calls."""

    @property
    def needs_credentials(self) -> bool:
        """Whether a caller without the right password gets nowhere."""
        return any(isinstance(step, Challenge) for step in self.steps)


def faults(behaviour: Behaviour) -> Iterator[tuple[int, str]]:
    """Yield what cannot work in a script: the number of the step (from 1; 0 for the whole) and why."""
    if not behaviour.steps:
        yield 0, "there are no steps"
    heard = answered = False
    for number, step in enumerate(behaviour.steps, 1):
        if number < len(behaviour.steps) and isinstance(step, CLOSING):
            yield number, f"{step.word} ends the call, but steps follow it"
        yield from ((number, fault) for fault in _value_faults(step))
        yield from ((number, fault) for fault in _order_faults(step, heard, answered))
        answered = answered or isinstance(step, Answer)
        heard = heard or answered or (isinstance(step, Provisional) and step.sdp)
    if behaviour.steps and not isinstance(behaviour.steps[-1], CLOSING):
        words = ", ".join(step.word for step in CLOSING)
        yield len(behaviour.steps), f"the last step must be one of {words}"


def _value_faults(step: Step) -> Iterator[str]:
    match step:
        case Provisional(status=status) if not 101 <= status <= 199:
            yield f"status is {status}, must be 101 to 199"
        case Provisional(isup=isup) if isup and not re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", isup):
            yield f"isup is {isup!r}, must be octets as pairs of hexadecimal digits"
        case Reject(status=status) if not 400 <= status <= 699:
            yield f"status is {status}, must be 400 to 699"
        case Redirect(status=status) if not 300 <= status <= 399:
            yield f"status is {status}, must be 300 to 399"
        case Wait(seconds=seconds) if not 0 <= seconds <= 3600:
            yield f"seconds is {seconds}, must be 0 to 3600"
        case Play(sound=sound) | Say(sound=sound) if sound not in sound_names():
            yield f"sound is {sound!r}, must be one of {', '.join(sound_names())}"
        case AwaitDigits(digits=digits) if not re.fullmatch(r"[0-9A-D*#]{1,32}", digits):
            yield f"digits is {digits!r}, must be 1 to 32 of 0-9, A-D, * and #"
        case AwaitDigits(sound=first, refusal=second) if unknown := {first, second} - {*sound_names()}:
            yield f"sound is {', '.join(map(repr, sorted(unknown)))}, must be one of {', '.join(sound_names())}"
        case Challenge(algorithm=algorithm) if algorithm not in ("MD5", "SHA-256"):
            yield f"algorithm is {algorithm!r}, must be MD5 or SHA-256"


def _order_faults(step: Step, heard: bool, answered: bool) -> Iterator[str]:
    if isinstance(step, Play | Say | Quiet) and not heard:
        yield f"{step.word} needs media: a provisional with sdp, or an answer, before it"
    if isinstance(step, HangUp | AwaitDigits) and not answered:
        yield f"{step.word} needs an answer before it"
    if isinstance(step, Provisional | Answer | Reject | Redirect | Challenge) and answered:
        yield f"{step.word} cannot follow the answer"
