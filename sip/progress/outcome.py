"""What a call came to: the outcome rules, in their order.

The first rule that holds decides: (1) the user's interrupt; (2) an announcement or a tone recognised before the
answer, also after a 200; (3) a 200; (4) the Q.850 cause of a Reason header; (5) the final status; (6) we gave up.
Pure: facts in, outcome out.
"""

from __future__ import annotations

from dataclasses import dataclass

from sip.record import LineState, Outcome

CAUSE_OUTCOMES: dict[int, Outcome] = {
    1: "unobtainable",
    22: "unobtainable",
    28: "unobtainable",
    17: "busy",
    20: "unreachable",
    27: "unreachable",
    21: "rejected",
    34: "network_failure",
    38: "network_failure",
    41: "network_failure",
    42: "network_failure",
}
"""Q.850 causes whose meaning does not depend on ringing, but for 17 (user busy), which after ringing is the
reject key."""
NO_REPLY_CAUSES = frozenset({18, 19})
"""Q.850: no user responding, no answer from user."""
STATUS_OUTCOMES: dict[int, Outcome] = {
    486: "busy",
    600: "busy",
    603: "rejected",
    607: "rejected",
    608: "rejected",
    404: "unobtainable",
    410: "unobtainable",
    484: "unobtainable",
    604: "unobtainable",
}
NO_REPLY_STATUSES = frozenset({408, 480, 487})
TONE_OUTCOMES: dict[str, tuple[Outcome, LineState]] = {
    "busy": ("busy", "busy"),
    "congestion": ("network_failure", "network_busy"),
    "unobtainable": ("unobtainable", "unobtainable"),
}
"""Tones that tell how the call ends, with the line state they name."""
STATE_OUTCOMES: dict[LineState, Outcome] = {
    "powered_off": "unreachable",
    "not_reachable": "unreachable",
    "suspended": "unreachable",
    "service_paused": "unreachable",
    "incoming_barred": "unreachable",
    "line_fault": "unreachable",
    "call_reminder": "unreachable",
    "forward_failed": "unreachable",
    "redial_later": "unreachable",
    "no_answer": "unreachable",
    "cannot_answer": "unreachable",
    "unobtainable": "unobtainable",
    "number_changed": "unobtainable",
    "busy": "busy",
    "in_call": "busy",
    "declined": "rejected",
    "network_busy": "network_failure",
    "wrong_prefix": "network_failure",
    "arrears": "network_failure",
    "own_line": "network_failure",
}
"""What a state that was announced makes of the call."""
UNANSWERED_STATES: frozenset[LineState] = frozenset({"no_answer", "cannot_answer"})
"""States that are `no_answer` once the line has rung."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended, as far as the outcome depends on it."""

    interrupted: bool = False
    """The user stopped the call."""
    tone: str | None = None
    """The tone recognised (two full cycles) before the answer."""
    announced: LineState | None = None
    """The state of the line that was clearly announced before the answer, or instead of one."""
    rang: bool = False
    """There was a ring start before the call ended (before the tone or announcement, where one decides)."""
    connected: bool = False
    """A 200 arrived."""
    answered: bool = False
    """Somebody answered: the 200, or in band behind a gateway."""
    q850: int | None = None
    status: int | None = None
    """The final non-2xx status."""
    extension: bool = False
    """Digits were sent to a switchboard: it is the extension that has to answer."""
    gave_up: bool = False
    """We ended the attempt ourselves, by CANCEL or, behind a gateway, BYE."""
    our_failure: bool = False
    """Our own side could not carry the call: no socket, ICMP refusal, credentials refused, media engine
    lost."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome and, where an announcement or a tone named it, the state of the line."""

    outcome: Outcome
    line_state: LineState | None = None


def decide_outcome(ending: Ending) -> Decision:
    """Apply the rules to one ended call."""
    if ending.interrupted:
        return Decision("cancelled")
    if ending.announced is not None:
        # Tones trail announcements and say less.
        unanswered = ending.rang and ending.announced in UNANSWERED_STATES
        return Decision("no_answer" if unanswered else STATE_OUTCOMES[ending.announced], ending.announced)
    if ending.tone in TONE_OUTCOMES:
        return _from_tone(ending.tone, ending.rang)
    if ending.our_failure and not ending.answered:
        # Whom we stopped ringing has not failed to answer, behind a gateway's 200 neither.
        return Decision("network_failure")
    if ending.connected:
        # Behind a gateway the ringing goes on after the 200: nobody answered until a voice is heard. Nor at an
        # extension; one that was never heard to ring may never have been rung, which is no unit's fault.
        unheard = ending.extension and not ending.rang
        return Decision("answered" if ending.answered else "network_failure" if unheard else "no_answer")
    by_cause = _from_cause(ending.q850, ending.rang)
    if by_cause is not None:
        return Decision(by_cause)
    if ending.status is not None and not (ending.gave_up and ending.status == 487):
        return Decision(_from_status(ending.status, ending.rang))
    return Decision("no_answer" if ending.gave_up and ending.rang else "network_failure")


def _from_tone(tone: str, rang: bool) -> Decision:
    if tone == "busy" and rang:
        # The exchange ends unanswered ringing with busy tone.
        return Decision("no_answer", "no_answer")
    outcome, line_state = TONE_OUTCOMES[tone]
    return Decision(outcome, line_state)


def _from_cause(cause: int | None, rang: bool) -> Outcome | None:
    if cause is None:
        return None
    if cause in NO_REPLY_CAUSES:
        return "no_answer" if rang else "unreachable"
    if cause == 17 and rang:
        return "rejected"
    return CAUSE_OUTCOMES.get(cause)


def _from_status(status: int, rang: bool) -> Outcome:
    if 300 <= status < 400:
        return "redirected"
    if status in NO_REPLY_STATUSES:
        return "no_answer" if rang else "unreachable"
    if status == 486 and rang:
        return "rejected"
    return STATUS_OUTCOMES.get(status, "network_failure")
