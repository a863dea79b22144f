"""Forwarding (呼叫转移) as the signalling shows it: 181, redirection, History-Info, Diversion, ISUP, identities.

Sources: RFC 3261 (181, 3xx), RFC 7044 (History-Info), RFC 5806 (Diversion), RFC 7544 (causes of diversion), RFC 3325
(P-Asserted-Identity), RFC 4916 (connected identity), ITU-T Q.1912.5 (ISUP in SIP).

An identity proves less than a diversion: switchboards show their pilot number, gateways an extension. It is strong
only where it is a number that cannot be another way to write the dialled one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from sip.numbers import MOBILE, normalise_user, same_number
from sip.progress.isup import IsupMessage
from sip.record import GRADES, Evidence, Forwarding

TargetClass = Literal["mobile", "other_fixed", "same_unit", "unknown"]
Condition = Literal["always", "no_answer", "busy", "unknown"]

DIVERSION_CAUSES: dict[int, Condition] = {
    302: "always",
    408: "no_answer",
    486: "busy",
    480: "unknown",
    487: "unknown",
    503: "unknown",
    404: "unknown",
}
"""Causes in History-Info that speak of a diversion (RFC 7544 table 1)."""
DIVERSION_REASONS: dict[str, Condition] = {
    "unconditional": "always",
    "no-answer": "no_answer",
    "user-busy": "busy",
}
"""Values of `reason` in Diversion (RFC 5806 section 4)."""

_URI = re.compile(r"<\s*(?P<bracketed>(?:sips?|tel):[^>]*)>|(?P<bare>(?:sips?|tel):[^;,\s]+)", re.IGNORECASE)
_USER = re.compile(r"^(?:sips?:(?P<user>[^@;?]*)@|tel:(?P<number>[^;?]*))", re.IGNORECASE)
_CAUSE = re.compile(r"\bcause\s*=\s*(\d{3})\b", re.IGNORECASE)
_Q_VALUE = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)
_MAPPED = re.compile(r"[;]\s*mp\s*=", re.IGNORECASE)
_DIVERSION_REASON = re.compile(r";\s*reason\s*=\s*\"?([\w-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RoutingSign:
    """What one message from the far side may say of forwarding; of header fields one value per entry."""

    t_ms: float
    status: int
    """0 for a request."""
    history_info: tuple[str, ...] = ()
    diversion: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    """Whom the call reached, as they or their network say: P-Asserted-Identity, Remote-Party-ID of the called party,
    and in a request of theirs From."""
    own: str = ""
    """Our own identity in that message: some networks send it back as the asserted one."""
    isup: IsupMessage | None = None
    message: str = ""
    """The message in one word, for people: `200`, `UPDATE`."""


@dataclass(frozen=True, slots=True)
class _Finding:
    evidence: Evidence
    target: str | None
    condition: Condition


def user_of(value: str) -> str | None:
    """Return the user of the first URI in a header value or URI; None where there is none."""
    match = _URI.search(value)
    uri = (match["bracketed"] or match["bare"]) if match else value
    user = _USER.match(uri.strip())
    if user is None:
        return None
    return unquote(user["user"] if user["user"] is not None else user["number"]) or None


def detect_forwarding(
    dialled: str,
    signs: Iterable[RoutingSign],
    *,
    crbt_ms: float | None = None,
    same_unit: Iterable[str] = (),
    switchboard: bool = False,
) -> Forwarding:
    """Gather the evidence of forwarding in the messages of one call, `dialled` being the target's user or URI.

    `same_unit` are numbers that are known to be the unit's own (its pilot number, say): as identities they prove
    nothing. `switchboard`: an extension was dialled behind one, whose identity is expected to be another.
    """
    call = _Call(normalise_user(user_of(dialled) or dialled), tuple(same_unit), switchboard)
    findings: list[_Finding] = []
    seen: set[tuple[str, str]] = set()
    for sign in signs:
        for finding in _findings(call, sign):
            key = (finding.evidence.kind, finding.target or "")
            if key not in seen:
                seen.add(key)
                findings.append(finding)
    if crbt_ms is not None:
        evidence = Evidence("crbt", "weak", crbt_ms, "music or speech instead of ringback (彩铃)")
        findings.append(_Finding(evidence, None, "unknown"))
    if not findings:
        return Forwarding()
    return _summary(findings, call.same_unit)


@dataclass(frozen=True, slots=True)
class _Call:
    """What the signs of a call are compared with."""

    wanted: str
    """The dialled user, normalised."""
    same_unit: tuple[str, ...] = ()
    switchboard: bool = False


def _summary(findings: Sequence[_Finding], same_unit: Sequence[str]) -> Forwarding:
    grade = max((f.evidence.grade for f in findings), key=GRADES.index)
    if grade == "strong" and _agreeing(findings):
        grade = "near_proof"
    if GRADES.index(grade) < GRADES.index("strong"):
        return Forwarding(grade=grade, evidence=tuple(f.evidence for f in findings))
    # The strongest evidence names the target; an identity may be that of a switchboard on the way.
    by_strength = sorted(findings, key=lambda f: GRADES.index(f.evidence.grade), reverse=True)
    target = next((f.target for f in by_strength if f.target is not None), None)
    condition: Condition = next((f.condition for f in findings if f.condition != "unknown"), "unknown")
    return Forwarding(
        detected=True,
        grade=grade,
        target=target,
        target_class=classify_target(target, same_unit),
        condition=condition,
        evidence=tuple(f.evidence for f in findings),
    )


def _agreeing(findings: Sequence[_Finding]) -> bool:
    """Tell whether two strong signs of different kinds speak of one target, or one of them of none."""
    strong = [f for f in findings if f.evidence.grade == "strong"]
    return any(
        one.evidence.kind != other.evidence.kind
        and (one.target is None or other.target is None or same_number(one.target, other.target))
        for at, one in enumerate(strong)
        for other in strong[at + 1 :]
    )


def classify_target(target: str | None, same_unit: Iterable[str] = ()) -> TargetClass:
    """Tell a mobile from another line by its number alone, and the unit's own numbers by the list of them."""
    if target is None:
        return "unknown"
    if any(same_number(target, own) for own in same_unit):
        return "same_unit"
    number = normalise_user(target)
    if MOBILE.fullmatch(number):
        return "mobile"
    return "other_fixed" if re.fullmatch(r"0?\d{5,12}", number) else "unknown"


def _findings(call: _Call, sign: RoutingSign) -> list[_Finding]:
    found = []
    if sign.status == 181:
        evidence = Evidence("sip_181", "definitive", sign.t_ms, "181 Call Is Being Forwarded")
        found.append(_Finding(evidence, None, "unknown"))
    if 300 <= sign.status < 400:
        found += _redirects(call.wanted, sign)
    found += _histories(call.wanted, sign)
    found += _diversions(call.wanted, sign)
    found += _exchange_messages(call.wanted, sign)
    found += _identities(call, sign)
    return found


def _exchange_messages(wanted: str, sign: RoutingSign) -> list[_Finding]:
    """What the exchange says by ISUP; that a diversion may occur is no evidence."""
    isup = sign.isup
    if isup is None:
        return []
    number = isup.redirection_number
    if number is not None and same_number(number, wanted):
        return []
    if number is None and not isup.diverting:
        return []
    shown = None if isup.redirection_restricted else number
    what = (
        f"Redirection Number {shown or 'withheld'}" if number is not None else "the call is being forwarded"
    )
    evidence = Evidence("redirection_number", "definitive", sign.t_ms, f"ISUP {isup.name}: {what}")
    return [_Finding(evidence, shown, isup.condition)]


def _identities(call: _Call, sign: RoutingSign) -> list[_Finding]:
    """An identity that is another number than the dialled one; two of one message are two names of one line."""
    values = [*sign.identities]
    if sign.isup is not None and sign.isup.connected_number is not None:
        values.append(f"tel:{sign.isup.connected_number}")
    named = [(value, user) for value in values if (user := user_of(value)) and _is_number(user)]
    own = user_of(sign.own) or ""
    if not named or not _is_number(call.wanted) or any(_may_be(call, user) for _, user in named):
        return []
    others = [(value, user) for value, user in named if not (own and same_number(user, own))]
    if not others:
        return []
    value, user = others[0]
    detail = f"identity in the {sign.message or sign.status}: {value.strip()}"
    return [_Finding(Evidence("asserted_identity", "strong", sign.t_ms, detail), user, "unknown")]


def _is_number(user: str) -> bool:
    return re.fullmatch(r"\d{2,}", normalise_user(user).lstrip("+")) is not None


def _may_be(call: _Call, user: str) -> bool:
    """Whether the identity may be the dialled line or belong to it: a pilot number, an extension, a short number."""
    if same_number(user, call.wanted) or any(same_number(user, own) for own in call.same_unit):
        return True
    number, wanted = normalise_user(user), call.wanted
    if MOBILE.fullmatch(number):
        return False
    return call.switchboard or number.endswith(wanted) or wanted.endswith(number)


def _redirects(wanted: str, sign: RoutingSign) -> list[_Finding]:
    for contact in sorted(sign.contacts, key=_preference, reverse=True):
        user = user_of(contact)
        if user and not same_number(user, wanted):
            detail = f"{sign.status} with Contact {contact.strip()}"
            return [_Finding(Evidence("redirect", "definitive", sign.t_ms, detail), user, "unknown")]
    return []


def _preference(contact: str) -> float:
    """Return the q of a Contact (RFC 3261 section 20.10); without one it stands behind those that have one."""
    found = _Q_VALUE.search(contact.rpartition(">")[2])
    return float(found[1]) if found else -1.0


def _histories(wanted: str, sign: RoutingSign) -> list[_Finding]:
    entries = sign.history_info
    if not entries:
        return []
    last = entries[-1]
    user = user_of(last)
    if user is None or same_number(user, wanted):
        return []
    # The cause may stand in the new target's URI (RFC 4458) or in the Reason escaped into the old entry (RFC 7044).
    causes = [
        int(c) for entry in entries for c in _CAUSE.findall(unquote(entry)) if int(c) in DIVERSION_CAUSES
    ]
    if not causes and not _MAPPED.search(last):
        return []
    condition: Condition = DIVERSION_CAUSES[causes[-1]] if causes else "unknown"
    evidence = Evidence("history_info", "definitive", sign.t_ms, f"History-Info: {last.strip()}")
    return [_Finding(evidence, user, condition)]


def _diversions(wanted: str, sign: RoutingSign) -> list[_Finding]:
    entries = [entry for entry in sign.diversion if user_of(entry)]
    if not entries:
        # A header that names nobody proves nothing.
        return []
    reason = _DIVERSION_REASON.search(entries[0])
    condition: Condition = DIVERSION_REASONS.get(reason[1].lower(), "unknown") if reason else "unknown"
    # In a response the header may name the diverting line (RFC 5806) or, from many gateways, the new one.
    others = [user for entry in entries if (user := user_of(entry)) and not same_number(user, wanted)]
    evidence = Evidence("diversion", "definitive", sign.t_ms, f"Diversion: {entries[0].strip()}")
    return [_Finding(evidence, others[0] if others else None, condition)]
