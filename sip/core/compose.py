"""Messages to bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .errors import LocalProtocolError
from .framing import Request
from .types import DEFAULT_PORTS, Address, HeaderList
from .values import split_outside

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    415: "Unsupported Media Type",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    469: "Bad Info Package",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}
"""The usual reason phrases (RFC 3261 section 21, RFC 8197, RFC 8688)."""

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE")
ALLOW = ", ".join(METHODS)
"""What we understand."""
EXTENSIONS = ("100rel", "199", "from-change", "histinfo", "timer")
"""The option tags that we know and that others may require of us (RFC 3262, 6228, 4916, 7044, 4028)."""
SUPPORTED = ", ".join(EXTENSIONS)
ACCEPT = ("Accept", "application/sdp")
MAX_FORWARDS = ("Max-Forwards", "70")
SDP_TYPE = ("Content-Type", "application/sdp")


@dataclass(frozen=True, slots=True)
class OutRequest:
    """A request of ours, kept in parts so that its ACK, its CANCEL and its retry can be made from it."""

    method: str
    uri: str
    via: str
    branch: str
    from_: str
    to: str
    call_id: str
    cseq: int
    route: tuple[str, ...] = ()
    """Values of Route, with angle brackets."""
    headers: HeaderList = ()
    body: bytes = b""
    otherwise: Address | None = None
    """The other end of a connection that serves where none can be made with the destination."""
    for_size: bool = False
    """It takes TCP only because it is too long for UDP."""

    def encode(self) -> bytes:
        """Return the bytes; raises `LocalProtocolError` if a value holds a line break."""
        fields: list[tuple[str, str]] = [("Via", self.via), MAX_FORWARDS]
        fields += [("Route", value) for value in self.route]
        fields += [
            ("From", self.from_),
            ("To", self.to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} {self.method}"),
            *self.headers,
        ]
        return encode(f"{self.method} {self.uri} SIP/2.0", fields, self.body)

    def ack(self, to_tag: str) -> OutRequest:
        """Return the ACK of a 3xx-6xx response (RFC 3261 section 17.1.1.3): same branch, same route."""
        return replace(self, method="ACK", to=with_tag(self.to, to_tag), headers=(), body=b"")

    def cancel(self, reason: HeaderList = ()) -> OutRequest:
        """Return the CANCEL (RFC 3261 section 9.1): same branch, same route, To without tag."""
        return replace(self, method="CANCEL", headers=reason, body=b"")


def with_tag(address: str, tag: str) -> str:
    """Return a From or To value with the tag, unchanged without one."""
    return f"{address};tag={tag}" if tag else address


def encode(start: str, fields: list[tuple[str, str]], body: bytes) -> bytes:
    """Return the bytes of a message; raises `LocalProtocolError` if a value holds a line break."""
    lines = [start, *[f"{name}: {value}" for name, value in fields], f"Content-Length: {len(body)}"]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise LocalProtocolError("a header value must not hold a line break")
    return (head + "\r\n\r\n").encode("utf-8", "replace") + body


def respond(
    request: Request,
    source: Address,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str = "",
    headers: HeaderList = (),
    body: bytes = b"",
) -> bytes:
    """Return a response to the request (RFC 3261 section 8.2.6); copied values stay byte for byte."""
    phrase = reason if reason is not None else REASONS.get(status, "")
    must_be_one_line(phrase)
    lines = [f"SIP/2.0 {status} {phrase}".encode()]
    vias = request.raw_values("via")
    lines.append(b"Via: " + _received(vias[0], request, source))
    lines += [b"Via: " + value for value in vias[1:]]
    if 100 < status < 300 and request.method == "INVITE":
        lines += [b"Record-Route: " + value for value in request.raw_values("record-route")]
    lines.append(b"From: " + request.raw_values("from")[0])
    tagged = b";tag=" + to_tag.encode() if to_tag and not request.to.tag else b""
    lines.append(b"To: " + request.raw_values("to")[0] + tagged)
    lines.append(b"Call-ID: " + request.raw_values("call-id")[0])
    lines.append(b"CSeq: " + request.raw_values("cseq")[0])
    for name, value in headers:
        must_be_one_line(name + value)
        lines.append(f"{name}: {value}".encode("utf-8", "replace"))
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def response_destination(request: Request, source: Address) -> Address:
    """Return where responses go.

    The source itself with `rport` (RFC 3581) and on a connection (RFC 3261 section 18.2.2), else its host and the
    port of Via.
    """
    if source.transport != "udp" or "rport" in request.via.parameters:
        return source
    return Address(source.host, request.via.port or 5060)


def sent_by(request: Request, source: Address) -> Address | None:
    """Return where responses go when the connection that the request came over is gone; None over UDP.

    The host it came from, at the port of Via or the transport's own (RFC 3261 section 18.2.2).
    """
    if source.transport == "udp":
        return None
    return source._replace(port=request.via.port or DEFAULT_PORTS[source.transport])


def _received(value: bytes, request: Request, source: Address) -> bytes:
    """Add `received` and the value of `rport` to the topmost Via (RFC 3261, 18.2.1; RFC 3581, 4)."""
    via = request.via
    if "rport" not in via.parameters and via.host == source.host:
        return value
    # Whatever it is written in: a far side looks for its own bytes in the answer.
    first, *others = split_outside(value.decode("ascii", "surrogateescape"), ",")
    kept = [
        piece
        for piece in split_outside(first, ";")
        if piece.partition("=")[0].strip().lower() not in ("rport", "received")
    ]
    kept.append(f"received={source.host}")
    if "rport" in via.parameters:
        kept.append(f"rport={source.port}")
    return ", ".join([";".join(kept), *others]).encode("ascii", "surrogateescape")


def must_be_one_line(*texts: str) -> None:
    """Raise `LocalProtocolError` if one of them holds a line break."""
    if any("\r" in text or "\n" in text for text in texts):
        raise LocalProtocolError("a header value must not hold a line break")
