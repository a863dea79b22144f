"""Requests that no call can be made of: what they are answered (RFC 3261 section 8.2, RFC 4475).

Two kinds. A request that cannot be read for want of one of the values that name its transaction is answered without
one, from whatever can be read (`answer_unreadable`). One that can be read but must not be acted upon is refused like
any other (`fault_of`). Only a request outside a dialog is judged so strictly: within a call, what can be understood is
done, since a BYE refused for its Content-Length leaves a handset off hook. Responses are never judged here.
"""

from __future__ import annotations

from dataclasses import dataclass

from .compose import EXTENSIONS
from .errors import RemoteProtocolError
from .framing import Request
from .header_lines import decode, read_fields, split_body
from .types import Address, Datagram, HeaderList
from .values import Via, parse_via, split_outside

_SINGLE = ("call-id", "cseq", "from", "to", "max-forwards")
"""Fields that a request has once (RFC 3261 table 2)."""
_SCHEMES = ("sip", "sips", "tel")
_PHRASES = {400: "Bad Request", 505: "Version Not Supported"}
_MOST_VIAS = 70
"""As many hops as Max-Forwards allows."""
ACCEPTED_TYPES = "application/sdp, multipart/mixed"
_SDP_RANGES = ("application/sdp", "application/*", "*/*")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is refused."""

    status: int
    reason: str
    headers: HeaderList = ()


def fault_of(request: Request) -> Fault | None:
    """Return what is wrong with a request outside a dialog, None where it can be served."""
    return (
        _uri_fault(request.uri)
        or _length_fault(request)
        or _repeated_fault(request)
        or _required_fault(request)
        or (_body_fault(request) if request.method == "INVITE" else None)
    )


def _uri_fault(uri: str) -> Fault | None:
    if any(character.isspace() for character in uri):
        return Fault(400, "White space in the Request-URI")
    scheme, colon, _ = uri.partition(":")
    if not colon:
        return Fault(400, "The Request-URI has no scheme")
    return None if scheme.lower() in _SCHEMES else Fault(416, "Unsupported URI Scheme")


def _length_fault(request: Request) -> Fault | None:
    values = {value.lstrip(b"0") or b"0" for value in request.raw_values("content-length")}
    if len(values) > 1:
        return Fault(400, "Several values of Content-Length")
    value = next(iter(values), None)
    if value is None:
        return None
    if not value.isdigit():
        return Fault(400, "Content-Length is not a number")
    whole = len(value) < 10 and int(value) == len(request.body)
    return None if whole else Fault(400, "The body is shorter than Content-Length")


def _repeated_fault(request: Request) -> Fault | None:
    name = next((name for name in _SINGLE if len(request.raw_values(name)) > 1), None)
    return None if name is None else Fault(400, f"Several header fields {name}")


def _required_fault(request: Request) -> Fault | None:
    """Extensions for proxies (Proxy-Require) are no business of ours."""
    if request.method == "INVITE":
        # The call itself knows which extensions it can do.
        return None
    required = unsupported(request)
    return Fault(420, "Bad Extension", (("Unsupported", ", ".join(required)),)) if required else None


def unsupported(request: Request) -> list[str]:
    """Return the option tags that a request requires and that we do not know (RFC 3261 section 8.2.2.3)."""
    return [option for option in request.values("require") if option.lower() not in EXTENSIONS]


def _body_fault(request: Request) -> Fault | None:
    """A body that must be understood but cannot be (RFC 3261 section 8.2.3), or an answer that may not be an SDP."""
    encoding = (request.header("content-encoding") or "identity").strip().lower()
    if request.body and encoding not in ("identity", ""):
        return Fault(415, "Unsupported Media Type", (("Accept-Encoding", "identity"),))
    known = request.sdp_body is not None or all(part.handling == "optional" for part in request.parts)
    if not known and not all(part.content_type == "application/isup" for part in request.parts):
        return Fault(415, "Unsupported Media Type", (("Accept", ACCEPTED_TYPES),))
    ranges = [value.partition(";")[0].strip().lower() for value in request.values("accept")]
    if request.raw_values("accept") and not any(wanted in _SDP_RANGES for wanted in ranges):
        return Fault(406, "Not Acceptable: the answer is application/sdp")
    return None


def answer_unreadable(data: bytes, source: Address, error: RemoteProtocolError, tag: str) -> Datagram | None:
    """Return the refusal of a request that `parse_message` could not read, made of what is there.

    None where nobody could be told: it is no request, or an ACK, or has no Via. `tag` becomes the To-tag.
    """
    head, _ = split_body(data.lstrip(b"\r\n"))
    start, _, block = head.replace(b"\r\n", b"\n").partition(b"\n")
    method = start.split(b" ", 1)[0]
    if start[:4].upper() == b"SIP/" or method == b"ACK" or b" SIP/" not in start.upper():
        return None
    fields = read_fields(block, [])
    vias = [decode(value) for value in fields.get("via", [])][:_MOST_VIAS]
    values = split_outside(vias[0], ",") if vias else []
    via = parse_via(values[0]) if values else None
    if via is None:
        return None
    status = error.status_hint
    reason = f"{_PHRASES.get(status, 'Bad Request')}: {error}"
    lines = [f"SIP/2.0 {status} {reason}"]
    lines += [f"Via: {value}" for value in (_seen_from(values[0], via, source), *values[1:], *vias[1:])]
    for name in ("From", "To", "Call-ID", "CSeq"):
        lines += [
            f"{name}: {_tagged(name, decode(value), tag)}" for value in fields.get(name.lower(), [])[:1]
        ]
    answer = "\r\n".join(line.replace("\r", " ") for line in [*lines, "Content-Length: 0", "", ""])
    direct = source.transport != "udp" or "rport" in via.parameters
    destination = source if direct else Address(source.host, via.port or 5060)
    return Datagram(answer.encode("utf-8", "replace"), destination, None, decode(method), status, reason)


def _tagged(name: str, value: str, tag: str) -> str:
    return f"{value};tag={tag}" if name == "To" and "tag=" not in value.lower().replace(" ", "") else value


def _seen_from(value: str, via: Via, source: Address) -> str:
    """Return the topmost Via with `received` and the value of `rport` (RFC 3261 section 18.2.1, RFC 3581)."""
    kept = [
        piece
        for piece in split_outside(value, ";")
        if piece.partition("=")[0].strip().lower() not in ("rport", "received")
    ]
    port = [f"rport={source.port}"] if "rport" in via.parameters else []
    return ";".join([*kept, f"received={source.host}", *port])
