"""What is fuzzed by bytes alone: for each reader of foreign bytes a function that takes any bytes.

It returns when the reader behaved, and raises when it did not: an exception that the reader does not document, or a
result that contradicts itself (what was read is written out and read again). Nothing here knows of atheris, so that
every file of the corpus is replayed without it, too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from sip.blanking import blank_secrets
from sip.core import (
    Address,
    Credentials,
    Message,
    RemoteProtocolError,
    Request,
    build_answer,
    build_offer,
    mismatch,
    negotiate,
    parse_message,
    parse_sdp,
    parse_uri,
    uri_address,
    uri_transport,
)
from sip.core.compose import respond
from sip.core.digest import Verifier, answer, challenges, parse_parameters
from sip.core.header_lines import decode, read_fields, split_body
from sip.core.info import dtmf_of
from sip.core.multipart import read_parts
from sip.core.reason import causes
from sip.core.reliable import rseq_of
from sip.core.sanity import answer_unreadable, fault_of, unsupported
from sip.core.sdes import Sdes, parse_crypto
from sip.core.sdp import MIRROR
from sip.core.session import Session
from sip.core.session_timer import min_se_s, session_expires
from sip.core.values import (
    is_ip,
    parse_cseq,
    parse_name_address,
    parse_via,
    quote,
    split_host,
    split_outside,
    unquote,
)
from sip.core.values import parse_parameters as parse_pairs
from sip.progress.forwarding_signalling import signalled
from sip.progress.forwarding_terms import Dialled
from sip.progress.isup import read_isup
from sip.routing_signs import routing_sign
from sip.transport import KeepAlive, StreamError, StreamFramer
from tests.fuzz.targets_endpoint import endpoint
from tests.fuzz.targets_media import capture, packets, rtcp, rtp

Target = Callable[[bytes], None]
HERE = Address("192.0.2.1", 5060)
THERE = Address("192.0.2.2", 5062)
MOST_PARTS = 32
MODES = ("off", "optional", "required")
DIALLED = Dialled("9173262000", same_unit=("09173262001",))


def framing(data: bytes) -> None:
    """A datagram: every accessor answers, and an answer to a request carries what it must copy."""
    assert len(blank_secrets(data)) == len(data)
    try:
        message = parse_message(data)
    except RemoteProtocolError as error:
        refusal = answer_unreadable(data, THERE, error, "tag")
        if refusal is not None:
            assert refusal.data.startswith(b"SIP/2.0 ")
            assert refusal.data.endswith(b"\r\n\r\n")
        return
    _read_all(message)
    if isinstance(message, Request):
        _answer(message)


def _read_all(message: Message) -> None:
    """Ask for whatever the phone asks of a message."""
    for name in message.field_names:
        assert message.header(name) is not None
        assert len(message.headers(name)) == len(message.raw_values(name))
        message.values(name)
        message.addresses(name)
    assert len(message.parts) <= MOST_PARTS
    assert len(message.notes) <= 20
    causes(message)
    session_expires(message)
    min_se_s(message)
    challenges(message, 401)
    challenges(message, 407)
    sign = routing_sign(message, 1000.0)
    if sign is not None:
        signalled(DIALLED, sign)
    Verifier(b"secret").verify(message, "INVITE", {"u": "p"}.get, 1000.0)
    if isinstance(message, Request):
        fault_of(message)
        unsupported(message)
        dtmf_of(message, 1.0)
    else:
        rseq_of(message)
    assert message.identity
    assert repr(message)


def _answer(request: Request) -> None:
    """What we answer is read as an answer to this request and to no other (RFC 3261 section 8.2.6.2)."""
    data = respond(request, THERE, 486, to_tag="ours", headers=(("X-Fuzz", "1"),), body=b"body")
    reply = parse_message(data)
    assert reply.call_id == request.call_id
    assert reply.cseq == request.cseq
    if not set(request.via.branch) & set('<>"'):
        assert reply.via.branch == request.via.branch
    assert reply.from_.tag == request.from_.tag
    assert reply.body == b"body"
    assert reply.header("x-fuzz") == "1"


def stream(data: bytes) -> None:
    """A stream: however it is cut, the same messages come out, or the same error."""
    cut, data = (data[0] or 1, data[1:]) if data else (1, data)
    whole, why = _pieces([data])
    parts = [data[at : at + cut] for at in range(0, len(data), cut)]
    pieces, other_why = _pieces(parts)
    assert pieces == whole
    assert bool(why) == bool(other_why)
    assert sum(len(piece) for piece in whole if isinstance(piece, bytes)) <= len(data)


def _pieces(parts: list[bytes]) -> tuple[list[bytes | KeepAlive], str]:
    framer, found = StreamFramer(), []
    try:
        for part in parts:
            for piece in framer.feed(part):
                found.append(piece)
    except StreamError as error:
        return found, str(error)
    return found, ""


def values(data: bytes) -> None:
    """A header value: whatever it is read as can be written and read again."""
    text = decode(data)
    assert unquote(quote(text)) == text
    for separator in (",", ";"):
        pieces = split_outside(text, separator)
        assert all(piece and piece == piece.strip() for piece in pieces)
        assert sum(map(len, pieces)) <= len(text)
    parse_pairs(text)
    host, port = split_host(text)
    assert port is None or 0 < port < 65536
    is_ip(host)
    _addresses(text)
    via = parse_via(text)
    if via is not None:
        assert via.host
        assert via.port is None or 0 < via.port < 65536
    cseq = parse_cseq(text)
    if cseq is not None:
        assert parse_cseq(f"{cseq.number} {cseq.method}") == cseq
    parse_crypto(text)


def _addresses(text: str) -> None:
    found = parse_name_address(text)
    if found is not None:
        assert found.uri
        if not set(found.uri) & set('<>"'):
            again = parse_name_address(f"{quote(found.name)} <{found.uri}>")
            assert again is not None
            assert (again.name, again.uri) == (found.name, found.uri)
    for uri in {text, found.uri if found is not None else text}:
        parse_uri(uri)
        uri_transport(uri)
        at = uri_address(uri)
        if at is not None:
            assert is_ip(at.host)
            assert 0 < at.port < 65536


def sdp(data: bytes) -> None:
    """A session description: read, negotiated and answered by the mode of the first byte; our answer reads as one."""
    mode, data = (MODES[data[0] % 3], data[1:]) if data else ("off", data)
    offer = parse_sdp(data)
    assert offer.raw == data
    keys = Sdes.make(mode, bytes)  # type: ignore[arg-type]
    for answering in (False, True):
        agreed = negotiate(offer, crypto=keys, answering=answering)
        why = mismatch(offer, crypto=keys, answering=answering)
        assert agreed is None or not why
        if agreed is not None:
            assert agreed.remote.host
            assert 0 < agreed.remote.port < 65536
            assert agreed.ptime_ms > 0
    body = build_answer(offer, HERE, 1, crypto=keys)
    if body is not None:
        _check_answer(offer, body)
    session = Session(build_offer(HERE, 7))
    session.answer(data)
    assert parse_sdp(session.offer()).address == HERE


def _check_answer(offer: Any, body: bytes) -> None:
    ours = parse_sdp(body)
    assert ours.media_count == offer.media_count
    assert not ours.notes
    if not ours.rejected:
        assert ours.address is not None
        assert ours.address.host == HERE.host
        assert len(ours.payload_types) >= 1
        assert ours.direction == MIRROR[offer.direction] or offer.media_count > 1


def digest(data: bytes) -> None:
    """A challenge: what we answer to it reads as credentials for it; credentials are right, wrong or stale."""
    line = data.replace(b"\r", b" ").replace(b"\n", b" ")
    head = b"SIP/2.0 401 X\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <a:b>;tag=1\r\nTo: <a:c>\r\nCall-ID: x\r\n"
    message = parse_message(head + b"CSeq: 1 INVITE\r\nWWW-Authenticate: " + line + b"\r\n\r\n")
    for challenge in challenges(message, 401):
        value = answer(challenge, Credentials('u"\\', "p"), "INVITE", "sip:c@d", "cnonce", 3, b"body")
        scheme, given = parse_parameters(value)
        assert scheme == "digest"
        assert given["realm"] == challenge.realm
        assert given["nonce"] == challenge.nonce
        assert given.get("opaque") == challenge.opaque
        assert given["response"].isalnum()
        assert challenge.userhash or given["username"] == 'u"\\'
    verifier = Verifier(b"secret")
    request = b"INVITE sip:a@b SIP/2.0\r\n" + head.partition(b"\r\n")[2]
    asked = parse_message(request + b"CSeq: 1 INVITE\r\nAuthorization: " + line + b"\r\n\r\n")
    assert verifier.verify(asked, "INVITE", {"u": "p"}.get, 5.0) != "right"


def multipart(data: bytes) -> None:
    """A body with its header lines: parts are counted, and no larger than the whole."""
    head, body = split_body(data)
    fields = read_fields(head.replace(b"\r\n", b"\n"), [])
    notes: list[str] = []

    def header(name: str) -> str | None:
        found = fields.get(name)
        return decode(found[0]) if found else None

    parts = read_parts(body, header, notes.append)
    assert len(parts) <= MOST_PARTS
    assert all(len(part.body) <= len(body) for part in parts)
    assert sum(len(part.body) for part in parts) <= len(body)
    for part in parts:
        assert part.content_type == part.content_type.lower()


def isup(data: bytes) -> None:
    """An ISUP message: read or passed over; numbers are digits."""
    found = read_isup(data)
    if found is None:
        return
    numbers = (
        found.redirection_number,
        found.redirecting_number,
        found.original_called_number,
        found.connected_number,
    )
    for number in numbers:
        assert number is None or set(number.lstrip("+")) <= set("0123456789*#")
    assert found.cause is None or 0 <= found.cause < 128


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in itertools.chain(
        (framing, stream, values, sdp, digest, multipart, isup, endpoint),
        (rtp, rtcp, capture, packets),
    )
}
"""Every target by its name, which is also that of its folder in the corpus."""
