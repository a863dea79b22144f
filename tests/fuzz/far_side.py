"""Messages of a far side, written by hand: what the call machine and the running phone are given to read."""

from __future__ import annotations

from sip.core import Message

SDP_TYPE = "Content-Type: application/sdp\r\n"


def response_to(asked: Message, status: int, tag: str = "", body: bytes = b"", more: str = "") -> bytes:
    """Return a response to a request; `tag` becomes its To-tag unless the request has one, `more` are header lines."""
    to = (asked.header("to") or "") + (f";tag={tag}" if tag and not asked.to.tag else "")
    lines = [
        f"SIP/2.0 {status} X",
        *(f"Via: {value}" for value in asked.headers("via")),
        f"From: {asked.header('from')}",
        f"To: {to}",
        f"Call-ID: {asked.call_id}",
        f"CSeq: {asked.cseq.number} {asked.cseq.method}",
    ]
    return _message(lines, body, more)


def request_of(
    method: str,
    number: int,
    call_id: str,
    ours: str,
    theirs: str,
    branch: str,
    via: str,
    body: bytes = b"",
    more: str = "",
) -> bytes:
    """Return a request of the far side; `ours` is its To-tag ("" for none), `theirs` its From-tag."""
    to = f"<sip:x@192.0.2.1>;tag={ours}" if ours else "<sip:x@192.0.2.1>"
    lines = [
        f"{method} sip:x@192.0.2.1 SIP/2.0",
        f"Via: SIP/2.0/UDP {via};branch={branch};rport",
        f"From: <sip:62@192.0.2.2>;tag={theirs}",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {number} {method}",
        "Max-Forwards: 70",
    ]
    return _message(lines, body, more)


def _message(lines: list[str], body: bytes, more: str) -> bytes:
    kind = SDP_TYPE if body else ""
    head = "\r\n".join(lines) + f"\r\n{more}{kind}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
