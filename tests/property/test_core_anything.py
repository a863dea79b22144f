"""Whatever the network does: no exception, no internal error, one end per call, nothing left over."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip.core import (
    Credentials,
    Ended,
    Endpoint,
    Event,
    IncomingInvite,
    LocalProtocolError,
    Malformed,
    Message,
    ProtocolError,
    Refused,
    Rejected,
    TimedOut,
    build_answer,
    negotiate,
    parse_message,
    parse_sdp,
)
from tests.unit.test_core_network import LINE, OFFER, PHONE, find, invite, make_endpoint
from tests.unit.test_core_outgoing import make_response

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SAMPLES = [
    make_endpoint().place_call(invite(), 0.0)._endpoint.take_datagrams()[0].data,
    b"SIP/2.0 183 Session Progress\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport, SIP/2.0/UDP [::1]:5\r\n"
    b'From: "\xd6\xb5" <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n'
    b'Record-Route: <sip:p;lr>,"x, y" <sip:q>\r\nContact: <sip:e@192.0.2.9:5070;transport=UDP>\r\n'
    b'Content-Type: multipart/mixed;boundary="b"\r\nContent-Length: 999\r\n\r\n'
    b"--b\r\nContent-Type: application/sdp\r\n\r\n" + OFFER + b"--b--",
    b"BYE sip:a@192.0.2.2 SIP/2.0\r\nv: SIP/2.0/UDP h\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: x\r\nCSeq: 2 BYE\r\n"
    b'Authorization: Digest username="u", realm="r", nonce="1-2", uri="x", response="0", algorithm=SHA-256\r\n\r\n',
]
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b":",
    b";",
    b",",
    b"<",
    b">",
    b'"',
    b"\\",
    b"=",
    b" ",
    b"\x00",
    b"\xff",
    b"tag=",
    b"@",
    b"[",
    b"9" * 30,
]


def read_everything(message: Message) -> None:
    """Touch every accessor."""
    for name in message.field_names:
        message.header(name)
        message.values(name)
        message.addresses(name)
    assert all(part.content_type == part.content_type.lower() for part in message.parts)
    body = message.sdp_body
    if body is not None:
        negotiate(parse_sdp(body))
    assert message.identity
    assert repr(message)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 2, 10, 60])))
        data = data[:start] + draw(st.sampled_from(PIECES) | st.binary(max_size=4)) + data[end:]
    return data


def must_not_be_our_fault(events: list[Event]) -> None:
    for event in find(events, Malformed):
        assert not event.why.startswith("internal error"), event.why


@given(st.binary(max_size=400) | mutated())
@settings(RELAXED, max_examples=250)
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    try:
        read_everything(parse_message(data))
    except ProtocolError:
        return


@given(st.lists(st.binary(max_size=200) | mutated(), max_size=6))
@settings(RELAXED, max_examples=100)
def test_an_endpoint_takes_any_bytes(packets: list[bytes]) -> None:
    endpoint = make_endpoint(LINE)
    for data in packets:
        endpoint.receive(data, PHONE, 1.0)
        for event in endpoint.take_events():
            must_not_be_our_fault([event])
            if isinstance(event, IncomingInvite):
                event.call.verify({"u": "p"}.get, 1.0)
                event.call.reject(486, 1.0)
    run(endpoint, 1.0, 200.0)
    assert endpoint.idle


@given(
    st.binary(max_size=300)
    | st.text(alphabet="vocmat=:/ \r\n0189INP4.rtpmaudio", max_size=300).map(str.encode)
)
@RELAXED
def test_any_bytes_are_a_session_description(body: bytes) -> None:
    found = parse_sdp(body)
    negotiate(found)
    answer = build_answer(found, LINE, 1)
    if answer is not None:
        assert parse_sdp(answer).media_count == found.media_count


def run(endpoint: Endpoint, now: float, seconds: float) -> list[Event]:
    end = now + seconds
    while (due := endpoint.deadline()) is not None and due <= end:
        endpoint.advance(due)
    return endpoint.take_events()


BODIES = [b"", OFFER, OFFER.replace(b"sendrecv", b"inactive"), OFFER.replace(b"AVP 8 0 101", b"AVP 18")]
TIMERS = [
    "",
    "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n",
    "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\n",
    "Allow: UPDATE\r\nSession-Expires: 5\r\nMin-SE: 200\r\n",
]
ACTIONS = st.one_of(
    st.tuples(
        st.just("respond"),
        st.sampled_from([100, 180, 183, 200, 202, 302, 401, 407, 486, 487, 503, 603]),
        st.sampled_from(["", "a", "b", "c"]),
        st.booleans(),
        st.sampled_from(TIMERS),
    ),
    st.tuples(
        st.just("reliable"),
        st.sampled_from([180, 183, 199]),
        st.sampled_from(["a", "b"]),
        st.integers(1, 4),
        st.booleans(),
    ),
    st.tuples(
        st.just("settle"), st.integers(0, 5), st.sampled_from([100, 200, 401, 405, 408, 422, 481, 491, 500])
    ),
    st.tuples(
        st.just("request"),
        st.sampled_from(["BYE", "INFO", "INVITE", "ACK", "UPDATE", "CANCEL", "PRACK"]),
        st.integers(1, 4),
        st.sampled_from(BODIES),
        st.sampled_from(TIMERS),
    ),
    st.tuples(st.sampled_from(["acknowledge", "cancel", "hang_up", "refused"])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 5.0, 33.0])),
)
CHALLENGE = (
    'WWW-Authenticate: Digest realm="r", nonce="n"\r\nProxy-Authenticate: Digest realm="p", nonce="m"\r\n'
)


class Chaos:
    """An outgoing call to which things happen in any order."""

    def __init__(self, with_credentials: bool, session_expires_s: int | None) -> None:
        self.phone = make_endpoint()
        self.now = 0.0
        credentials = Credentials("u", "p") if with_credentials else None
        order = invite(credentials=credentials, session_expires_s=session_expires_s)
        self.call = self.phone.place_call(order, 0.0)
        self.sent: list[Message] = []
        self.events: list[Event] = []
        self.collect()

    def collect(self) -> None:
        self.sent += [parse_message(d.data) for d in self.phone.take_datagrams() if d.is_request]
        self.events += self.phone.take_events()

    def do(self, action: tuple[Any, ...]) -> None:
        getattr(self, f"do_{action[0]}")(*action[1:])
        self.collect()

    def last(self, method: str, back: int = 0) -> Message | None:
        found = [m for m in self.sent if m.cseq.method == method]
        return found[-1 - back % len(found)] if found else None

    def do_respond(self, status: int, tag: str, body: bool, timer: str) -> None:
        request = self.last("INVITE")
        assert request is not None
        data = make_response(request, f"{status} X", tag, OFFER if body else b"", CHALLENGE + timer)
        self.phone.receive(data, LINE, self.now)

    def do_reliable(self, status: int, tag: str, number: int, body: bool) -> None:
        request = self.last("INVITE")
        assert request is not None
        headers = f"Require: 100rel\r\nRSeq: {number}\r\n"
        self.phone.receive(
            make_response(request, status, tag, OFFER if body else b"", headers), LINE, self.now
        )

    def do_settle(self, back: int, status: int) -> None:
        others = [m for m in self.sent if m.cseq.method not in ("ACK", "INVITE") or m.to.tag]
        if others:
            data = make_response(others[-1 - back % len(others)], f"{status} X", "z", headers=CHALLENGE)
            self.phone.receive(data, LINE, self.now)

    def do_request(self, method: str, cseq: int, body: bytes, timer: str) -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        for tag in ("a", "b"):
            self.phone.receive(
                f"{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP {LINE};branch=z9hG4bK{method}{cseq}{tag}\r\n"
                f"From: <sip:62@h>;tag={tag}\r\nTo: <sip:x@y>;tag={self.call.local_tag}\r\n"
                f"Call-ID: {self.call.call_id}\r\nCSeq: {cseq} {method}\r\n{timer}{kind}\r\n".encode()
                + body,
                LINE,
                self.now,
            )

    def do_acknowledge(self) -> None:
        try:
            self.call.acknowledge(self.now)
        except LocalProtocolError:
            assert self.call.state.value not in ("Answered", "Confirmed", "Ended")

    def do_cancel(self) -> None:
        self.call.cancel(self.now)

    def do_hang_up(self) -> None:
        self.call.hang_up(self.now)

    def do_refused(self) -> None:
        self.phone.refused(LINE, self.now, "refused")

    def do_wait(self, seconds: float) -> None:
        self.now += seconds
        while (due := self.phone.deadline()) is not None and due <= self.now:
            self.phone.advance(due)
            self.collect()


@given(st.lists(ACTIONS, max_size=25), st.booleans(), st.sampled_from([None, 90, 1800]))
@settings(RELAXED, max_examples=250)
def test_any_order_of_things_ends_once_and_leaves_nothing(
    actions: list[tuple[Any, ...]], credentials: bool, session_expires_s: int | None
) -> None:
    chaos = Chaos(credentials, session_expires_s)
    for action in actions:
        chaos.do(action)
    chaos.do(("hang_up",))
    chaos.do(("wait", 500.0))
    must_not_be_our_fault(chaos.events)
    assert chaos.call.over
    ends = [e for e in chaos.events if isinstance(e, Ended | Rejected | TimedOut | Refused)]
    assert len(ends) == 1
    assert chaos.phone.idle
    answered = {
        m.to.tag for m in chaos.sent if m.cseq.method == "ACK" and m.via.branch not in invite_branches(chaos)
    }
    hung_up = {m.to.tag for m in chaos.sent if m.cseq.method == "BYE"}
    by_them = any(isinstance(e, Ended) and e.by == "them" for e in chaos.events) or any(
        a[0] == "request" and a[1] == "BYE" for a in actions
    )
    assert by_them or answered <= hung_up


def invite_branches(chaos: Chaos) -> set[str]:
    return {m.via.branch for m in chaos.sent if m.cseq.method == "INVITE"}
