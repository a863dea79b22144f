"""Parts of which the built-in scripts are made: times, openings, people, and what must be found of them.

Ring n means: answered 4 s after the beginning of the nth ring of the national cadence (1 s on, 4 s off, GB/T 3380),
so exactly n bursts have begun.
"""

from __future__ import annotations

from dataclasses import replace

from sip.record import EvidenceKind, Grade, ThreeRing
from sip.simulator.steps import (
    Answer,
    Expectation,
    HangUp,
    Headers,
    Play,
    Provisional,
    Say,
    Step,
    Wait,
)

RING_PERIOD_S = 5.0
PICK_UP_S = 4.0
"""After the beginning of the ring that is the last one."""
SET_UP_S = 0.2
"""From the INVITE to the first ring: a post-dial delay."""
PATIENCE_S = 25.0
"""How long somebody waits on a call that the other side does not end."""
WITHIN_MS, BORDERLINE_MS = 11_000.0, 15_000.0
"""The limits of `three_ring` in the contract."""

RINGING = Provisional(180)
RINGING_HEARD = Provisional(180, sdp=True)
MEDIA_ONLY = Provisional(183, sdp=True)
RINGBACK = Play("ringback", loop=True)
END = (Wait(PATIENCE_S), HangUp())


def ring_ms(ring: int) -> float:
    """Return the nominal milliseconds from ring start to an answer at this ring."""
    return 1000 * ((ring - 1) * RING_PERIOD_S + PICK_UP_S)


def three_ring(ring_to_answer_ms: float) -> ThreeRing:
    """Return the label that the contract gives to this time."""
    if ring_to_answer_ms <= WITHIN_MS:
        return "within"
    return "borderline" if ring_to_answer_ms <= BORDERLINE_MS else "exceeded"


def rings(ring: int) -> Wait:
    """Ring until the pick-up in this ring."""
    return Wait(ring_ms(ring) / 1000)


def talk(officer: str, reply: str = "", *, ends: bool = False, headers: Headers = ()) -> tuple[Step, ...]:
    """Pick up, speak after a breath, listen, perhaps speak again, then hang up or wait for the caller to."""
    second = (Wait(2.5), Say(reply)) if reply else ()
    rest = (Wait(1.2), HangUp()) if ends else END
    return (Answer(headers), Wait(0.4), Say(officer), *second, *rest)


def answered(ring: int) -> Expectation:
    """A person answers in this ring, on the line that was dialled."""
    nominal_ms = ring_ms(ring)
    return Expectation(
        "answered",
        answered_by=("human",),
        three_ring=three_ring(nominal_ms),
        rings=ring,
        ring_to_answer_ms=nominal_ms,
        answer_source="signalling",
        sip_status=200,
        forwarded=False,
    )


def forwarded(
    expectation: Expectation, kind: EvidenceKind, grade: Grade = "definitive", *, shown: bool = True
) -> Expectation:
    """The call is shown to be forwarded by this kind of evidence."""
    return replace(expectation, forwarded=shown, forwarding_grade=(grade,), evidence=(kind,))


def hinted(
    expectation: Expectation, *kinds: EvidenceKind, grades: tuple[Grade, ...] = ("none", "strong")
) -> Expectation:
    """These kinds of evidence are found where what is said is understood, by a library of samples or by words."""
    return replace(expectation, forwarded=None, forwarding_grade=grades, evidence_if_understood=kinds)


def failed(expectation: Expectation) -> Expectation:
    """Nobody answered, so no limit applies."""
    return replace(expectation, three_ring="not_applicable")


def picked_up(ring: int) -> tuple[Step, ...]:
    """Ring by signalling alone and answer in this ring."""
    return (Wait(SET_UP_S), RINGING, rings(ring), Answer())


def announced(sound: str, end: Step) -> tuple[Step, ...]:
    """Say it twice in early media, then end the call."""
    return (Wait(1), MEDIA_ONLY, Wait(0.3), Say(sound), Wait(0.8), Say(sound), end)
