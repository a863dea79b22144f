"""What a call says about our own side: the rules by which facts become signs of alarms.

A sign is *sure* (it raises its alarm at once), *possible* (the called line may be the cause; then
`Meaning.needed` different numbers in a row must show it) or *contrary* (it clears the alarm). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .alarms import AlarmKind

LEAST_TALK_S = 3.0
"""An answered call must have lasted so long before silence on the wire means anything."""
ALL_LOST = 0.99
"""Share of our packets reported lost (RTCP) from which they do not hear us."""

SURE_TROUBLES: dict[str, AlarmKind] = {
    "refused": AlarmKind.TRUNK_UNREACHABLE,
    "unreachable": AlarmKind.TRUNK_UNREACHABLE,
    "timeout": AlarmKind.TRUNK_UNREACHABLE,
    "closed": AlarmKind.TRUNK_UNREACHABLE,
    "tls_expired": AlarmKind.CERTIFICATE_EXPIRED,
    "tls_untrusted": AlarmKind.CERTIFICATE_UNTRUSTED,
    "tls_name": AlarmKind.CERTIFICATE_UNTRUSTED,
    "tls_other": AlarmKind.TLS_FAILED,
    "tls_own": AlarmKind.TLS_FAILED,
    "dns_vanished": AlarmKind.NAME_VANISHED,
    "dns_no_answer": AlarmKind.NAME_VANISHED,
    "dns_bad_name": AlarmKind.NAME_VANISHED,
    "dns_timeout": AlarmKind.DNS_FAILED,
    "dns_server": AlarmKind.DNS_FAILED,
    "dns_other": AlarmKind.DNS_FAILED,
    "bad credentials": AlarmKind.BAD_CREDENTIALS,
    "no credentials": AlarmKind.BAD_CREDENTIALS,
    "unknown challenge": AlarmKind.BAD_CREDENTIALS,
    "challenged without end": AlarmKind.BAD_CREDENTIALS,
    "media_refused": AlarmKind.MEDIA_REFUSED,
    "ports": AlarmKind.PORTS_EXHAUSTED,
    "bind": AlarmKind.PORTS_EXHAUSTED,
    "engine_lost": AlarmKind.MEDIA_ENGINE_LOST,
    "engine_full": AlarmKind.MEDIA_ENGINE_FULL,
    "caps": AlarmKind.CAPS_REACHED,
}
"""Kinds of trouble of our own, by name: those of `sip.transport` (`TransportFailure`; `ResolutionFailure` with `dns_`
before it; `tls_own` for `TlsError`, `bind` for `BindError`), of `sip.core` (`Denial`, `RegistrationProblem`), and the
phone's own `media_refused`, `ports`, `engine_lost`, `engine_full` and `caps`. Other names raise nothing."""
PHONE_WIDE = frozenset(
    {
        AlarmKind.MEDIA_ENGINE_FULL,
        AlarmKind.MEDIA_ENGINE_LOST,
        AlarmKind.CLOCK_UNSYNCHRONISED,
        AlarmKind.FLOODED,
    }
)
SURE_STATUSES: dict[int, AlarmKind] = {
    401: AlarmKind.BAD_CREDENTIALS,
    407: AlarmKind.BAD_CREDENTIALS,
    402: AlarmKind.ACCOUNT_OVERDUE,
    415: AlarmKind.MEDIA_REFUSED,
    488: AlarmKind.MEDIA_REFUSED,
    606: AlarmKind.MEDIA_REFUSED,
}
SURE_LINE_STATES: dict[str, AlarmKind] = {
    "arrears": AlarmKind.ACCOUNT_OVERDUE,
    "own_line": AlarmKind.OWN_LINE_BARRED,
    "wrong_prefix": AlarmKind.DIALLING_RULES,
}
"""States that announcements tell of the calling line, not of the called one."""
SURE_CAUSES: dict[int, AlarmKind] = {52: AlarmKind.OWN_LINE_BARRED}
"""Q.850: 52 outgoing calls barred."""
STREAK_STATUSES: dict[int, AlarmKind] = {
    403: AlarmKind.FORBIDDEN,
    404: AlarmKind.DIALLING_RULES,
    484: AlarmKind.DIALLING_RULES,
    604: AlarmKind.DIALLING_RULES,
    503: AlarmKind.TRUNK_OVERLOADED,
}
LINE_STATUSES = frozenset({404, 408, 410, 480, 484, 486, 487, 600, 603, 604, 607, 608})
"""Answers that speak of the called line: the trunk has taken the call."""
REACHED_STATUSES = frozenset({480, 486, 600, 603, 607, 608})
"""Answers that only an existing line gives: the number was understood."""
REACHABILITY = frozenset(
    {
        AlarmKind.TRUNK_UNREACHABLE,
        AlarmKind.NAME_VANISHED,
        AlarmKind.DNS_FAILED,
        AlarmKind.CERTIFICATE_EXPIRED,
        AlarmKind.CERTIFICATE_UNTRUSTED,
        AlarmKind.TLS_FAILED,
    }
)
"""What any response clears, whoever asked."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What one call tells about our side. Fill in what is known."""

    called: str
    """The number or URI as dialled: only whether it is another one than before matters."""
    status: int | None = None
    """The final status of the INVITE, 200 included; None where none came."""
    reason: str = ""
    q850: int | None = None
    alerted: bool = False
    """The line rang: a 180, or ringback was heard."""
    answered: bool = False
    talk_s: float = 0.0
    """How long the answered call lasted."""
    received_packets: int = 0
    sent_packets: int = 0
    remote_loss: float | None = None
    """Share of our packets that the far side reports as lost (RTCP), 0 to 1; None without a report."""
    line_state: str | None = None
    """What an announcement said (`sip.record.LineState`)."""
    retry_after_s: float | None = None
    trouble: str | None = None
    """What failed on our side, a key of `SURE_TROUBLES`."""
    trunk_music: bool = False
    """Its music before the answer was heard alike on lines of several units."""
    plain_ringback: bool = False
    """Ringback and nothing else was heard before the answer."""
    cancelled: bool = False
    """We gave the call up before it had told anything: a 487 then says nothing."""
    detail: str = ""
    """A sentence for people; without one the status line stands in the alarm."""


def told(facts: CallFacts) -> str:
    """Return what was seen, in a few words."""
    line = f"{facts.status} {facts.reason}".strip() if facts.status is not None else ""
    return line or facts.trouble or facts.line_state or ""


def sure_signs(facts: CallFacts) -> Iterator[AlarmKind]:
    """Yield what this call alone proves."""
    if facts.trouble in SURE_TROUBLES:
        yield SURE_TROUBLES[facts.trouble]
    if facts.status in SURE_STATUSES:
        yield SURE_STATUSES[facts.status]
    if facts.status == 503 and facts.retry_after_s is not None:
        yield AlarmKind.TRUNK_OVERLOADED
    if facts.line_state in SURE_LINE_STATES:
        yield SURE_LINE_STATES[facts.line_state]
    if facts.q850 in SURE_CAUSES:
        yield SURE_CAUSES[facts.q850]
    if facts.trunk_music:
        yield AlarmKind.TRUNK_MUSIC
    talked = facts.answered and facts.talk_s >= LEAST_TALK_S and facts.trouble is None
    if talked and not _is_heard_both_ways(facts):
        yield AlarmKind.ONE_WAY_AUDIO


def _is_heard_both_ways(facts: CallFacts) -> bool:
    reported_lost = facts.remote_loss is not None and facts.remote_loss >= ALL_LOST
    return facts.received_packets > 0 and facts.sent_packets > 0 and not reported_lost


def possible_signs(facts: CallFacts) -> Iterator[AlarmKind]:
    """Signs that the called line may have given as well."""
    if facts.status is None or facts.cancelled or facts.alerted:
        return
    if facts.status in STREAK_STATUSES:
        yield STREAK_STATUSES[facts.status]
    elif 500 <= facts.status < 600:
        yield AlarmKind.TRUNK_FAILING


def contrary_signs(facts: CallFacts) -> set[AlarmKind]:
    """What this call shows to be well; signs of the same call come before it."""
    status = facts.status
    through = facts.alerted or facts.answered
    found: set[AlarmKind] = set()
    if status is not None or through:
        found |= {*REACHABILITY, AlarmKind.CAPS_REACHED}
    if facts.cancelled and not through:
        return found
    if through or (status is not None and status not in (401, 407)):
        found.add(AlarmKind.BAD_CREDENTIALS)
    if through or status in LINE_STATUSES:
        found |= {AlarmKind.FORBIDDEN, AlarmKind.TRUNK_OVERLOADED, AlarmKind.TRUNK_FAILING}
    if (through or status in REACHED_STATUSES) and facts.line_state not in SURE_LINE_STATES:
        found |= {AlarmKind.ACCOUNT_OVERDUE, AlarmKind.OWN_LINE_BARRED, AlarmKind.DIALLING_RULES}
    if facts.answered:
        found.add(AlarmKind.MEDIA_REFUSED)
        if _is_heard_both_ways(facts):
            found.add(AlarmKind.ONE_WAY_AUDIO)
    if facts.plain_ringback:
        found.add(AlarmKind.TRUNK_MUSIC)
    if facts.sent_packets:
        found |= {AlarmKind.PORTS_EXHAUSTED, AlarmKind.MEDIA_ENGINE_LOST}
    return found
