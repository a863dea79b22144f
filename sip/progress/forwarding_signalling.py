"""Forwarding as the signalling shows it: 181, redirection, History-Info, Diversion, ISUP, identities.

Sources: RFC 3261 (181, 3xx), RFC 7044 (History-Info), RFC 5806 (Diversion), RFC 7544 (causes of diversion), RFC 3325
(P-Asserted-Identity), RFC 4916 (connected identity), ITU-T Q.1912.5 (ISUP in SIP).

An identity proves less than a diversion: switchboards show their pilot number, gateways an extension. It is strong
only where it is a number that cannot be another way to write the dialled one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from sip.numbers import is_mobile, normalise_user, same_number
from sip.progress.forwarding_terms import Condition, Dialled, Finding
from sip.progress.isup import IsupMessage
from sip.record import Evidence

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

_RETARGETING = frozenset({300, 301, 302})
"""Statuses whose Contact is where the line is to be reached; in a 305 it is a proxy on the way there, in a 380 another
service (RFC 3261 section 21.3)."""
_URI = re.compile(r"<\s*(?P<bracketed>(?:sips?|tel):[^>]*)>|(?P<bare>(?:sips?|tel):[^;,\s]+)", re.IGNORECASE)
_USER = re.compile(r"^(?:sips?:(?P<user>[^@;?]*)@|tel:(?P<number>[^;?]*))", re.IGNORECASE)
_CAUSE = re.compile(r"\bcause\s*=\s*(\d{3})\b", re.IGNORECASE)
_Q_VALUE = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)", re.IGNORECASE)
_MAPPED = re.compile(r"[;]\s*mp\s*=", re.IGNORECASE)
_SAME_USER = re.compile(r"[;]\s*rc\s*=", re.IGNORECASE)
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
    dialog: str = ""
    """The far side's tag: which of several dialogs it belongs to."""


def user_of(value: str) -> str | None:
    """Return the user of the first URI in a header value or URI; None where there is none."""
    match = _URI.search(value)
    uri = (match["bracketed"] or match["bare"]) if match else value
    user = _USER.match(uri.strip())
    if user is None:
        return None
    return unquote(user["user"] if user["user"] is not None else user["number"]) or None


def signalled(call: Dialled, sign: RoutingSign) -> list[Finding]:
    """Return what one message says of forwarding."""
    found = []
    if sign.status == 181:
        evidence = Evidence("sip_181", "definitive", sign.t_ms, "181 Call Is Being Forwarded")
        found.append(Finding(evidence))
    if sign.status in _RETARGETING:
        found += _redirects(call, sign)
    found += _histories(call, sign)
    found += _diversions(call.wanted, sign)
    found += _exchange_messages(call.wanted, sign)
    found += _identities(call, sign)
    return found


def recalled(evidence: Evidence) -> Finding:
    """Read a piece of stored evidence back: an identity names its number in its detail."""
    user = user_of(evidence.detail) if evidence.kind == "asserted_identity" else None
    return Finding(evidence, user, switchboards_do=user is not None and not is_mobile(user))


def _exchange_messages(wanted: str, sign: RoutingSign) -> list[Finding]:
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
    return [Finding(evidence, shown, isup.condition)]


def _identities(call: Dialled, sign: RoutingSign) -> list[Finding]:
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
    evidence = Evidence("asserted_identity", "strong", sign.t_ms, detail)
    return [Finding(evidence, user, switchboards_do=not is_mobile(user))]


def _is_number(user: str) -> bool:
    return re.fullmatch(r"\d{2,}", normalise_user(user).lstrip("+")) is not None


def _may_be(call: Dialled, user: str) -> bool:
    """Whether the identity may be the dialled line or belong to it: a pilot number, an extension, a short number."""
    if is_mobile(user):
        # Even a mobile of the unit's own is another line than the wired one.
        return same_number(user, call.wanted)
    own = any(same_number(user, number) for number in call.same_unit)
    return own or call.switchboard or call.is_routed or call.may_write(user)


def _redirects(call: Dialled, sign: RoutingSign) -> list[Finding]:
    """The preferred Contact; that the line is at another address, or at its extension, is no forwarding."""
    best = max(map(_preference, sign.contacts), default=0.0)
    for contact in sign.contacts:
        user = user_of(contact)
        if user and _preference(contact) == best and not call.is_extension(user):
            detail = f"{sign.status} with Contact {contact.strip()}"
            return [Finding(Evidence("redirect", "definitive", sign.t_ms, detail), user)]
    return []


def _preference(contact: str) -> float:
    """Return the q of a Contact (RFC 3261 section 20.10); without one it stands behind those that have one."""
    found = _Q_VALUE.search(contact.rpartition(">")[2])
    return float(found[1]) if found else -1.0


def _histories(call: Dialled, sign: RoutingSign) -> list[Finding]:
    entries = sign.history_info
    if not entries:
        return []
    last = entries[-1]
    user = user_of(last)
    if user is None or same_number(user, call.wanted):
        return []
    # The cause may stand in the new target's URI (RFC 4458) or in the Reason escaped into the old entry (RFC 7044).
    # Of an entry marked `rc` only its own cause counts: it is the same user at another place, and what its forerunner
    # answered is how a proxy came to try that place.
    telling = entries[-1:] if _SAME_USER.search(last) else entries
    causes = [
        int(c) for entry in telling for c in _CAUSE.findall(unquote(entry)) if int(c) in DIVERSION_CAUSES
    ]
    # A mapping without a cause is also how a number is translated: to an extension, or from a service number.
    mapped = _MAPPED.search(last) and not call.is_extension(user) and (not call.is_routed or is_mobile(user))
    if not causes and not mapped:
        return []
    condition: Condition = DIVERSION_CAUSES[causes[-1]] if causes else "unknown"
    evidence = Evidence("history_info", "definitive", sign.t_ms, f"History-Info: {last.strip()}")
    return [Finding(evidence, user, condition)]


def _diversions(wanted: str, sign: RoutingSign) -> list[Finding]:
    # A header that names nobody proves nothing. One that names us is our own network's: it came back as it went out.
    own = user_of(sign.own) or ""
    entries = [
        entry for entry in sign.diversion if (user := user_of(entry)) and not (own and same_number(user, own))
    ]
    if not entries:
        return []
    reason = _DIVERSION_REASON.search(entries[0])
    condition: Condition = DIVERSION_REASONS.get(reason[1].lower(), "unknown") if reason else "unknown"
    # In a response the header may name the diverting line (RFC 5806) or, from many gateways, the new one.
    others = [user for entry in entries if (user := user_of(entry)) and not same_number(user, wanted)]
    evidence = Evidence("diversion", "definitive", sign.t_ms, f"Diversion: {entries[0].strip()}")
    return [Finding(evidence, others[0] if others else None, condition)]
