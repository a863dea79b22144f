"""ISUP inside SIP (SIP-I, ITU-T Q.1912.5): what an exchange says of a forwarded call and of why it ended.

Read are the backward messages ACM, CON, CPG, ANM, FAC and REL as far as they speak of diversion, of the number that was
reached, and of the cause. Layouts and codes are those of ITU-T Q.763: a message type, its fixed parameters, a
pointer to each variable one, a pointer to the optional part, which is (name, length, contents) to a zero.
What cannot be read is left out; nothing raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Condition = Literal["always", "no_answer", "busy", "unknown"]

_MESSAGES: dict[int, tuple[str, int, tuple[int, ...]]] = {
    0x06: ("ACM", 2, ()),
    0x07: ("CON", 2, ()),
    0x09: ("ANM", 0, ()),
    0x0C: ("REL", 0, (0x12,)),
    0x2C: ("CPG", 1, ()),
    0x33: ("FAC", 1, ()),
}
"""Message types (Q.763 table 4): name, octets of fixed parameters, names of the variable ones."""
_REDIRECTING, _REDIRECTION, _CAUSE = 0x0B, 0x0C, 0x12
_CONNECTED, _ORIGINAL_CALLED, _OPTIONAL_BACKWARD = 0x21, 0x28, 0x29
_NOTIFICATION, _DIVERSION, _RESTRICTION = 0x2C, 0x36, 0x40
"""Parameter names (Q.763 table 5)."""
_CALL_IS_DIVERTING = 0x7B
"""Generic notification indicator (Q.763 section 3.25)."""
_EVENT_CONDITIONS: dict[int, Condition] = {4: "busy", 5: "no_answer", 6: "always"}
"""Event information of a CPG: call forwarded on busy, on no reply, unconditionally (Q.763 section 3.21)."""
_REASON_CONDITIONS: dict[int, Condition] = {1: "busy", 2: "no_answer", 3: "always"}
"""Redirecting reasons (Q.763 section 3.6): user busy, no reply, unconditional; others tell no condition of ours."""
_INTERNATIONAL = 4
"""Nature of address (Q.763 section 3.9)."""
_DIGITS = "0123456789*#"
"""Address signals 0 to 9, code 11 and code 12."""


@dataclass(frozen=True, slots=True)
class IsupMessage:
    """What one encapsulated message says. Numbers are digits, an international one begins with +."""

    name: str
    """`ACM`, `CON`, `CPG`, `ANM`, `FAC`, `REL`."""
    cause: int | None = None
    """The Q.850 cause value."""
    diverting: bool = False
    """The call is being forwarded, by the event of a CPG, a notification or call diversion information."""
    condition: Condition = "unknown"
    may_divert: bool = False
    """Optional backward call indicators: a diversion may occur. A possibility, no evidence."""
    redirection_number: str | None = None
    """Where the call was sent instead."""
    redirection_restricted: bool = False
    """The exchange asks that the redirection number be shown to nobody."""
    redirecting_number: str | None = None
    original_called_number: str | None = None
    connected_number: str | None = None


def read_isup(body: bytes) -> IsupMessage | None:
    """Read the body of an `application/isup` part; None if it is no message that a called side sends."""
    known = _MESSAGES.get(body[0]) if body else None
    if known is None:
        return None
    name, fixed_length, variable = known
    fixed = body[1 : 1 + fixed_length]
    values = dict(_parameters(body, 1 + fixed_length, variable))
    event = _EVENT_CONDITIONS.get(fixed[0] & 0x7F) if name == "CPG" and fixed else None
    reason = values.get(_DIVERSION, b"")
    notified = any(octet & 0x7F == _CALL_IS_DIVERTING for octet in values.get(_NOTIFICATION, b""))
    condition = _REASON_CONDITIONS.get(reason[0] >> 3 & 0x0F) if reason else None
    return IsupMessage(
        name,
        cause=_cause(values.get(_CAUSE, b"")),
        diverting=event is not None or notified or bool(reason),
        condition=event or condition or "unknown",
        may_divert=bool((values.get(_OPTIONAL_BACKWARD) or b"\0")[0] & 0x02),
        redirection_number=_number(values.get(_REDIRECTION, b"")),
        redirection_restricted=(values.get(_RESTRICTION) or b"\0")[0] & 0x03 == 1,
        redirecting_number=_number(values.get(_REDIRECTING, b"")),
        original_called_number=_number(values.get(_ORIGINAL_CALLED, b"")),
        connected_number=_number(values.get(_CONNECTED, b"")),
    )


def _parameters(body: bytes, at: int, variable: tuple[int, ...]) -> Iterator[tuple[int, bytes]]:
    """Yield names and contents of the variable and optional parameters; a pointer counts from its own octet."""
    for name in variable:
        if at < len(body):
            start = at + body[at]
            yield name, body[start + 1 : start + 1 + body[start]] if start < len(body) else b""
        at += 1
    if at >= len(body) or body[at] == 0:
        return
    at += body[at]
    while at + 1 < len(body) and body[at] != 0:
        yield body[at], body[at + 2 : at + 2 + body[at + 1]]
        at += 2 + body[at + 1]


def _cause(contents: bytes) -> int | None:
    """Return the cause value: the second octet, the third where an extension comes between (Q.763 section 3.12)."""
    at = 1 if contents[:1] >= b"\x80" else 2
    return contents[at] & 0x7F if len(contents) > at else None


def _number(contents: bytes) -> str | None:
    """Return a number: odd/even and nature, plan, then two digits an octet, the lower half first (section 3.9)."""
    if len(contents) < 3:
        return None
    halves = [half for octet in contents[2:] for half in (octet & 0x0F, octet >> 4)]
    if contents[0] & 0x80:
        halves.pop()
    digits = "".join(_DIGITS[half] for half in halves if half < len(_DIGITS))
    if not digits:
        return None
    return f"+{digits}" if contents[0] & 0x7F == _INTERNATIONAL else digits
