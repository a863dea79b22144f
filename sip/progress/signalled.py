"""The states of a line that signalling and tones name: two of the roads that vote (`sip.progress.line_state`).

A final status is coarse (480 is said of a mobile that is off, of a faulty line and of an officer who does not answer),
a Q.850 cause less so. The confidence says how specific each is; what is below the vote's threshold names nothing by
itself and only agrees or disagrees. 403, 484, 5xx and causes 28, 38 and 41 speak of our way there, not of the line.
"""

from __future__ import annotations

from collections.abc import Mapping

from sip.record import Announcement, LineState

_Told = tuple[LineState, float]

CAUSES: Mapping[int, _Told] = {
    1: ("unobtainable", 0.7),
    3: ("unobtainable", 0.3),
    17: ("busy", 0.7),
    18: ("not_reachable", 0.3),
    19: ("not_reachable", 0.3),
    20: ("not_reachable", 0.6),
    21: ("declined", 0.6),
    22: ("number_changed", 0.7),
    27: ("line_fault", 0.6),
    34: ("network_busy", 0.6),
    42: ("network_busy", 0.6),
    50: ("service_paused", 0.3),
    52: ("own_line", 0.9),
    55: ("incoming_barred", 0.6),
}
"""Q.850 causes: 1 unallocated number, 3 no route, 17 user busy, 18 and 19 no reply, 20 subscriber absent, 21 call
rejected, 22 number changed, 27 destination out of order, 34 and 42 congestion, 50 facility not subscribed, 52 outgoing
and 55 incoming calls barred."""
STATUSES: Mapping[int, _Told] = {
    402: ("arrears", 0.8),
    404: ("unobtainable", 0.6),
    604: ("unobtainable", 0.6),
    410: ("number_changed", 0.45),
    486: ("busy", 0.6),
    600: ("busy", 0.6),
    603: ("declined", 0.6),
    607: ("declined", 0.6),
    608: ("declined", 0.5),
    408: ("not_reachable", 0.3),
    480: ("not_reachable", 0.3),
    487: ("not_reachable", 0.2),
}
"""Final SIP statuses (RFC 3261 section 21, RFC 3398 section 8.2.6.1, RFC 8197, RFC 8688); 480 and 408 are weak."""
_REJECT_KEY = 0.55
"""486 or cause 17 after ringing: the reject key, or a second call at the line."""
_NO_REPLY_CAUSES = frozenset({18, 19})
_NO_REPLY_STATUSES = frozenset({408, 480})
_NO_REPLY = 0.5
TONES: Mapping[str, _Told] = {
    "busy": ("busy", 0.9),
    "congestion": ("network_busy", 0.9),
    "unobtainable": ("unobtainable", 0.95),
}


def signalled(
    status: int | None, q850: int | None, *, rang: bool, t_ms: float, own_cancel: bool = False
) -> tuple[Announcement, ...]:
    """Return what the final status and the Q.850 cause say of the line, at most one entry each.

    `rang`: there was a ring start. `own_cancel`: we gave the call up, so that a 487 is the answer to that.
    """
    found: list[Announcement] = []
    if q850 is not None and q850 in CAUSES:
        state, confidence = _after_ringing(q850, CAUSES[q850], _NO_REPLY_CAUSES, 17, rang)
        found.append(_entry(state, confidence, t_ms, f"Q.850 cause {q850}"))
    if status is not None and status in STATUSES and not (own_cancel and status == 487):
        state, confidence = _after_ringing(status, STATUSES[status], _NO_REPLY_STATUSES, 486, rang)
        found.append(_entry(state, confidence, t_ms, f"SIP status {status}"))
    return tuple(found)


def _after_ringing(code: int, told: _Told, no_reply: frozenset[int], busy: int, rang: bool) -> _Told:
    if rang and code in no_reply:
        return "no_answer", _NO_REPLY
    if rang and code == busy:
        return "declined", _REJECT_KEY
    return told


def told_by_tone(kind: str, start_ms: float, end_ms: float, *, rang: bool) -> tuple[Announcement, ...]:
    """Return what a recognised tone (two full cycles) says of the line; busy tone ends unanswered ringing."""
    if kind not in TONES:
        return ()
    state, confidence = TONES[kind]
    if kind == "busy" and rang:
        state = "no_answer"
    return (Announcement(state, "tone", start_ms, end_ms, confidence, f"{kind} tone"),)


def _entry(state: LineState, confidence: float, t_ms: float, detail: str) -> Announcement:
    return Announcement(state, "signalling", t_ms, t_ms, confidence, detail)
