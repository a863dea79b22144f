"""Forwarding (呼叫转移) as the signalling shows it: 181, redirection, History-Info, Diversion.

Sources: RFC 3261 (181, 3xx), RFC 7044 (History-Info), RFC 5806 (Diversion), RFC 7544 (causes of diversion).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from sip.numbers import MOBILE, normalise_user, same_number
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
_MAPPED = re.compile(r"[;]\s*mp\s*=", re.IGNORECASE)
_DIVERSION_REASON = re.compile(r";\s*reason\s*=\s*\"?([\w-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RoutingSign:
    """The headers of one response that may speak of forwarding, one value per entry."""

    t_ms: float
    status: int
    history_info: tuple[str, ...] = ()
    diversion: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()


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
    dialled: str, signs: Iterable[RoutingSign], *, crbt_ms: float | None = None
) -> Forwarding:
    """Gather the evidence of forwarding in the responses to one call, `dialled` being the target's user or
    URI."""
    wanted = normalise_user(user_of(dialled) or dialled)
    findings: list[_Finding] = []
    seen: set[tuple[str, str]] = set()
    for sign in signs:
        for finding in _findings(wanted, sign):
            key = (finding.evidence.kind, finding.target or "")
            if key not in seen:
                seen.add(key)
                findings.append(finding)
    if crbt_ms is not None:
        evidence = Evidence("crbt", "weak", crbt_ms, "music or speech instead of ringback (彩铃)")
        findings.append(_Finding(evidence, None, "unknown"))
    if not findings:
        return Forwarding()
    return _summary(findings)


def _summary(findings: Sequence[_Finding]) -> Forwarding:
    grade = max((f.evidence.grade for f in findings), key=GRADES.index)
    if GRADES.index(grade) < GRADES.index("strong"):
        return Forwarding(grade=grade, evidence=tuple(f.evidence for f in findings))
    target = next((f.target for f in findings if f.target is not None), None)
    condition: Condition = next((f.condition for f in findings if f.condition != "unknown"), "unknown")
    return Forwarding(
        detected=True,
        grade=grade,
        target=target,
        target_class=classify_target(target),
        condition=condition,
        evidence=tuple(f.evidence for f in findings),
    )


def classify_target(target: str | None) -> TargetClass:
    """Tell a mobile from another line by its number alone."""
    if target is None:
        return "unknown"
    number = normalise_user(target)
    if MOBILE.fullmatch(number):
        return "mobile"
    return "other_fixed" if re.fullmatch(r"0?\d{5,12}", number) else "unknown"


def _findings(wanted: str, sign: RoutingSign) -> list[_Finding]:
    found = []
    if sign.status == 181:
        evidence = Evidence("sip_181", "definitive", sign.t_ms, "181 Call Is Being Forwarded")
        found.append(_Finding(evidence, None, "unknown"))
    if 300 <= sign.status < 400:
        found += _redirects(wanted, sign)
    found += _histories(wanted, sign)
    found += _diversions(wanted, sign)
    return found


def _redirects(wanted: str, sign: RoutingSign) -> list[_Finding]:
    for contact in sign.contacts:
        user = user_of(contact)
        if user and not same_number(user, wanted):
            detail = f"{sign.status} with Contact {contact.strip()}"
            return [_Finding(Evidence("redirect", "definitive", sign.t_ms, detail), user, "unknown")]
    return []


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
