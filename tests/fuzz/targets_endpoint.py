"""The target of a whole endpoint: datagrams of any content for one that has a call in some state."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from sip.core import (
    Acknowledged,
    Address,
    Answered,
    Datagram,
    Endpoint,
    Event,
    IncomingCall,
    IncomingInvite,
    Invite,
    LocalProtocolError,
    Malformed,
    OutgoingCall,
    build_answer,
    build_offer,
    parse_message,
    parse_sdp,
)

PHONE = Address("192.0.2.1", 5060)
LINE = Address("192.0.2.2", 5062)
SPLIT = b"\n=====\n"
"""Stands between two datagrams."""
MOST_DATAGRAMS = 6
END_S = 600.0
"""Longer than anything waits: 64*T1 for a BYE, the same again for its dialog, and a call once more behind it."""
OFFER = build_offer(Address("192.0.2.1", 40000), 7)
THEIRS = build_offer(Address("192.0.2.2", 50000), 8)
STATES = ("calling", "ringing", "talking", "cancelling", "called", "picked up")


def request(
    method: str, number: int, tags: tuple[str, str], branch: str, body: bytes = b"", more: str = ""
) -> bytes:
    """Return a request of the far side; `tags` are its own and ours."""
    kind = "Content-Type: application/sdp\r\n" if body else ""
    ours = f";tag={tags[1]}" if tags[1] else ""
    return (
        f"{method} sip:x@{PHONE} SIP/2.0\r\nVia: SIP/2.0/UDP {LINE};branch={branch};rport\r\n"
        f"From: <sip:62@{LINE}>;tag={tags[0]}\r\nTo: <sip:x@{PHONE}>{ours}\r\nCall-ID: call\r\n"
        f"CSeq: {number} {method}\r\nContact: <sip:62@{LINE}>\r\nMax-Forwards: 70\r\n{more}{kind}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def response(asked: bytes, status: str, tag: str, body: bytes = b"", more: str = "") -> bytes:
    """Return a response of the far side to a request of ours."""
    message = parse_message(asked)
    kind = "Content-Type: application/sdp\r\n" if body else ""
    to = (message.header("to") or "") + (f";tag={tag}" if tag and not message.to.tag else "")
    return (
        f"SIP/2.0 {status}\r\nVia: {message.header('via')}\r\nFrom: {message.header('from')}\r\nTo: {to}\r\n"
        f"Call-ID: {message.call_id}\r\nCSeq: {message.cseq.number} {message.cseq.method}\r\n"
        f"Contact: <sip:62@{LINE}>\r\n{more}{kind}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Scene:
    """An endpoint whose tokens are t1, t2, ..., so that a file of the corpus can name its call."""

    def __init__(self, state: str) -> None:
        tokens = count(1)
        self.phone = Endpoint(PHONE, token=lambda: f"t{next(tokens)}")
        self.now = 1.0
        self.sent: list[Datagram] = []
        self.calls: list[OutgoingCall | IncomingCall] = []
        self.events: list[Event] = []
        if state in ("called", "picked up"):
            self.receive(request("INVITE", 1, ("far", ""), "z9hG4bKinvite", THEIRS))
            if state == "picked up":
                self._answer()
        else:
            self._call(state)

    def _call(self, state: str) -> None:
        invite = Invite(
            f"sip:62@{LINE}", LINE, "sip:x@192.0.2.1", offer=OFFER, call_id="call", session_expires_s=1800
        )
        call = self.phone.place_call(invite, self.now)
        self.calls.append(call)
        self.collect()
        asked = self.sent[0].data
        if state != "calling":
            self.receive(response(asked, "180 Ringing", "far"))
        if state == "talking":
            self.receive(response(asked, "200 OK", "far", THEIRS, "Allow: UPDATE\r\n"))
        elif state == "cancelling":
            call.cancel(self.now)
            self.collect()

    def _answer(self) -> None:
        (call,) = self.calls
        assert isinstance(call, IncomingCall)
        call.answer(self.now, build_answer(parse_sdp(THEIRS), Address("192.0.2.1", 40000), 7))
        self.collect()
        self.receive(request("ACK", 1, ("far", call.local_tag), "z9hG4bKack"))

    def receive(self, data: bytes) -> None:
        """Let a datagram arrive."""
        self.now += 0.01
        self.phone.advance(self.now)
        self.phone.receive(data, LINE, self.now)
        self.collect()

    def collect(self) -> None:
        """Take what leaves and what happened, and do what a phone does about it."""
        self.sent += self.phone.take_datagrams()
        for event in self.phone.take_events():
            self.events.append(event)
            if isinstance(event, Malformed):
                assert not event.why.startswith("internal error"), event.why
            elif isinstance(event, IncomingInvite):
                self.calls.append(event.call)
                event.call.progress(180, self.now)
            elif isinstance(event, Answered) and not event.after_cancel:
                self._of(event).acknowledge(self.now)
            elif isinstance(event, Acknowledged):
                assert event.call_id is not None
        self.sent += self.phone.take_datagrams()

    def _of(self, event: Event) -> OutgoingCall:
        (call,) = (
            call for call in self.calls if call.call_id == event.call_id and isinstance(call, OutgoingCall)
        )
        return call

    def end(self) -> None:
        """Hang up whatever is left, and let the time pass that this takes."""
        for call in self.calls:
            call.hang_up(self.now)
        limit = self.now + END_S
        while (due := self.phone.deadline()) is not None and due <= limit:
            assert due >= self.now
            self.now = due
            self.phone.advance(due)
            self.collect()
        assert all(call.over for call in self.calls)
        assert self.phone.idle


def endpoint(data: bytes) -> None:
    """Datagrams for an endpoint with a call: none makes an error of ours, and nothing is left when it is over."""
    state, data = STATES[data[0] % len(STATES)] if data else STATES[0], data[1:]
    scene = Scene(state)
    for piece in data.split(SPLIT)[:MOST_DATAGRAMS]:
        scene.receive(piece)
    scene.end()
    for datagram in scene.sent:
        _check_sent(datagram, parse_message)


def _check_sent(datagram: Datagram, read: Callable[[bytes], object]) -> None:
    """What leaves can be read, whatever it was made of; a refusal of what cannot be read copies its faults."""
    if datagram.call_id is not None or datagram.is_request:
        try:
            read(datagram.data)
        except LocalProtocolError as error:
            raise AssertionError(f"{datagram!r}: {error}") from error
