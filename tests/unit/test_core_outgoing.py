"""Outgoing calls against far ends written byte by byte."""

from __future__ import annotations

import json
from typing import TypeVar

import pytest

from sip.core import (
    Address,
    Answered,
    Datagram,
    Ended,
    Endpoint,
    Event,
    ForkAnswered,
    LocalProtocolError,
    Malformed,
    Message,
    MessageReceived,
    Provisional,
    Refused,
    Rejected,
    Request,
    RequestReceived,
    Stray,
    TimedOut,
    parse_message,
    parse_sdp,
)
from tests.unit.test_core_network import LINE, OFFER, PHONE, find, invite, make_endpoint

E = TypeVar("E", bound=Event)
SDP = OFFER.replace(b"192.0.2.1", b"192.0.2.2").replace(b"40000", b"50000")


class Bench:
    """One phone; the test itself is the network and the far end."""

    def __init__(self, **options: object) -> None:
        self.phone = make_endpoint(PHONE, **options)
        self.now = 50.0
        self.events: list[Event] = []
        self.sent: list[Datagram] = []
        self.call = self.phone.place_call(invite(), self.now)
        self.invite = self.out("INVITE")[0]

    def out(self, *expected: str) -> list[Message]:
        """Take what the phone sends; it must be these methods (a retransmission has a `+`)."""
        taken = self.phone.take_datagrams()
        self.sent += taken
        words = [
            (f"{d.status}/" if d.status else "") + d.method + ("+" if d.retransmission else "") for d in taken
        ]
        assert words == list(expected)
        return [parse_message(d.data) for d in taken]

    def respond(
        self,
        request: Message,
        status: int | str,
        tag: str = "t1",
        body: bytes = b"",
        headers: str = "",
        contact: str = "",
    ) -> None:
        self.receive(make_response(request, status, tag, body, headers, contact))

    def receive(self, data: bytes) -> None:
        self.phone.receive(data, LINE, self.now)
        self.events += self.phone.take_events()

    def request(
        self, method: str, cseq: int = 900, body: bytes = b"", tag: str = "t1", headers: str = ""
    ) -> None:
        """Send a request of the far side within the dialog."""
        self.receive(
            f"{method} sip:dutyring@{PHONE} SIP/2.0\r\nVia: SIP/2.0/UDP {LINE};branch=z9hG4bK{method}{cseq}\r\n"
            f"From: <sip:62@{LINE}>;tag={tag}\r\nTo: <sip:dutyring@192.0.2.1>;tag={self.call.local_tag}\r\n"
            f"Call-ID: {self.call.call_id}\r\nCSeq: {cseq} {method}\r\n{headers}".encode()
            + (b"Content-Type: application/sdp\r\n\r\n" + body if body else b"\r\n")
        )

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.phone.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self.phone.advance(self.now)
        self.now = end
        self.events += self.phone.take_events()

    def find(self, kind: type[E]) -> list[E]:
        return find(self.events, kind)

    def answer(self) -> None:
        """Bring the call to Confirmed."""
        self.respond(self.invite, 200, body=SDP)
        self.call.acknowledge(self.now)
        self.out("ACK")

    def must_be_left_with_nothing(self) -> None:
        self.wait(100.0)
        self.phone.take_datagrams()
        assert self.phone.idle


def make_response(
    request: Message,
    status: int | str,
    tag: str = "t1",
    body: bytes = b"",
    headers: str = "",
    contact: str = "",
) -> bytes:
    to = request.header("to") or ""
    tagged = f";tag={tag}" if tag and "tag=" not in to else ""
    target = contact or f"<sip:62@{LINE}>"
    kind = "Content-Type: application/sdp\r\n" if body else ""
    vias = "".join(f"Via: {value}\r\n" for value in request.headers("via"))
    return (
        f"SIP/2.0 {status}\r\n{vias}"
        f"From: {request.header('from')}\r\nTo: {to}{tagged}\r\nCall-ID: {request.call_id}\r\n"
        f"CSeq: {request.header('cseq')}\r\nContact: {target}\r\n{headers}{kind}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_invite_says_what_we_are(bench: Bench) -> None:
    request = bench.invite
    assert isinstance(request, Request)
    assert request.uri == f"sip:62@{LINE}"
    assert request.via.branch.startswith("z9hG4bK")
    assert "rport" in request.via.parameters
    assert request.header("max-forwards") == "70"
    assert [c.uri for c in request.contacts] == ["sip:dutyring@192.0.2.1:5060"]
    assert request.header("content-type") == "application/sdp"
    assert request.body == OFFER
    allowed, supported = request.values("allow"), request.values("supported")
    assert set(allowed) == {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE"}
    assert set(supported) == {"100rel", "199", "from-change", "histinfo", "timer"}
    assert request.header("p-early-media") == "supported"
    assert request.header("session-expires") is None
    label = bench.sent[0]
    assert (label.call_id, label.destination, label.is_request) == (bench.call.call_id, LINE, True)


def test_display_name_route_and_headers_of_the_invite() -> None:
    phone = make_endpoint(Address("2001:db8::1", 5060))
    phone.place_call(
        invite(
            display_name='督查 "A"', route=("sip:proxy.example;lr",), headers=(("X-Check", "1"),), offer=None
        ),
        0.0,
    )
    request = parse_message(phone.take_datagrams()[0].data)
    assert request.from_.name == '督查 "A"'
    assert [a.uri for a in request.addresses("route")] == ["sip:proxy.example;lr"]
    assert request.header("x-check") == "1"
    assert request.body == b""
    assert request.header("content-type") is None
    assert (request.via.host, request.via.port) == ("2001:db8::1", 5060)


@pytest.mark.parametrize(
    "changes",
    [
        {"target": "sip:6 2@h"},
        {"target": ""},
        {"headers": (("X", "a\r\nBad: b"),)},
        {"display_name": "a\nb"},
    ],
)
def test_nothing_is_sent_for_a_bad_order(changes: dict[str, object]) -> None:
    phone = make_endpoint()
    with pytest.raises(LocalProtocolError):
        phone.place_call(invite(**changes), 0.0)
    assert phone.take_datagrams() == []
    assert phone.idle


def test_every_provisional_is_told_with_its_message(bench: Bench) -> None:
    bench.respond(bench.invite, "100 Trying", tag="")
    bench.respond(bench.invite, "181 Forwarded", headers="History-Info: <sip:13900000000@h>;index=1\r\n")
    bench.respond(bench.invite, "183 Session Progress", body=SDP)
    bench.respond(bench.invite, "183 Session Progress", tag="", body=SDP)
    told = bench.find(Provisional)
    assert [(p.status, p.dialog_key) for p in told] == [(100, ""), (181, "t1"), (183, "t1"), (183, "")]
    assert told[1].response.addresses("history-info")[0].uri == "sip:13900000000@h"
    assert told[2].sdp is not None
    assert told[2].sdp.address == Address("192.0.2.2", 50000)
    assert [type(e) for e in bench.events[:2]] == [MessageReceived, Provisional]
    bench.respond(bench.invite, "183 Session Progress", body=SDP)
    assert len(bench.find(Provisional)) == 4
    assert bench.find(MessageReceived)[-1].retransmission


@pytest.mark.parametrize("status", [302, 404, 408, 480, 486, 503, 603])
def test_every_refusal_is_acknowledged_as_often_as_it_comes(bench: Bench, status: int) -> None:
    bench.respond(bench.invite, 180)
    for again in range(3):
        bench.respond(bench.invite, f"{status} No", contact="<sip:139@h1>, <sip:138@h2>")
        (ack,) = bench.out("ACK+" if again else "ACK")
        assert isinstance(ack, Request)
        assert ack.via.branch == bench.invite.via.branch
        assert ack.uri == f"sip:62@{LINE}"
        assert (ack.to.tag, ack.cseq.number) == ("t1", 1)
    told = bench.find(Rejected)
    assert [(r.status, r.reason) for r in told] == [(status, "No")]
    assert told[0].contacts == ("sip:139@h1", "sip:138@h2")
    bench.call.hang_up(bench.now)
    bench.call.acknowledge(bench.now)
    bench.out()
    bench.must_be_left_with_nothing()


def test_a_200_without_provisional_and_its_repetitions(bench: Bench) -> None:
    bench.respond(bench.invite, 200, body=SDP)
    bench.respond(bench.invite, 200, body=SDP)
    bench.out()
    bench.call.acknowledge(bench.now)
    (ack,) = bench.out("ACK")
    assert isinstance(ack, Request)
    assert ack.via.branch != bench.invite.via.branch
    assert (ack.cseq.number, ack.to.tag, ack.uri) == (1, "t1", f"sip:62@{LINE}")
    for _ in range(3):
        bench.respond(bench.invite, 200, body=SDP)
        bench.out("ACK+")
    assert len(bench.find(Answered)) == 1
    assert [m.retransmission for m in bench.find(MessageReceived)] == [False, True, True, True, True]
    bench.wait(40.0)
    bench.respond(bench.invite, 200, body=SDP)
    bench.out("ACK+")
    bench.call.hang_up(bench.now)
    (bye,) = bench.out("BYE")
    assert bye.cseq.number == 2
    bench.respond(bye, 200)
    assert [(e.by, e.reason) for e in bench.find(Ended)] == [("us", "BYE")]
    bench.must_be_left_with_nothing()


def test_a_2xx_after_the_refusal_is_hung_up(bench: Bench) -> None:
    """A forking proxy refuses too early: the telephone that answers all the same must not stay off hook."""
    bench.respond(bench.invite, 180, tag="t2")
    bench.respond(bench.invite, 486, tag="t1")
    bench.out("ACK")
    assert len(bench.find(Rejected)) == 1
    bench.respond(bench.invite, 200, tag="t2", contact=f"<sip:two@{LINE}>")
    ack, bye = bench.out("ACK", "BYE")
    assert (ack.to.tag, bye.to.tag) == ("t2", "t2")
    assert bye.uri == f"sip:two@{LINE}"
    bench.respond(bench.invite, 200, tag="t2", contact=f"<sip:two@{LINE}>")
    bench.out("ACK+")
    bench.respond(bye, 200)
    assert [e.status for e in bench.find(Rejected)] == [486]


def test_a_2xx_without_to_tag_is_a_call_too(bench: Bench) -> None:
    bench.respond(bench.invite, 200, tag="")
    bench.call.acknowledge(bench.now)
    bench.out("ACK")
    bench.request("BYE", tag="x")
    bench.out("481/BYE")
    bench.call.hang_up(bench.now)
    (bye,) = bench.out("BYE")
    assert bye.to.tag == ""
    bench.respond(bye, 200)
    assert len(bench.find(Ended)) == 1


def test_the_answer_can_go_into_the_ack() -> None:
    phone = make_endpoint()
    call = phone.place_call(invite(offer=None), 0.0)
    request = parse_message(phone.take_datagrams()[0].data)
    phone.receive(make_response(request, 200, body=SDP), LINE, 1.0)
    call.acknowledge(1.0, OFFER)
    ack = parse_message(phone.take_datagrams()[0].data)
    assert ack.sdp_body == OFFER


def test_acknowledging_what_was_not_answered_is_our_mistake(bench: Bench) -> None:
    with pytest.raises(LocalProtocolError):
        bench.call.acknowledge(bench.now)


def test_two_early_dialogs_and_two_answers(bench: Bench) -> None:
    bench.respond(bench.invite, 180, tag="a", contact="<sip:a@198.51.100.1:5070>")
    bench.respond(bench.invite, 183, tag="b", body=SDP, contact="<sip:b@198.51.100.2:5070>")
    assert {p.dialog_key for p in bench.find(Provisional)} == {"a", "b"}
    bench.respond(bench.invite, 200, tag="b", body=SDP, contact="<sip:b@198.51.100.2:5070>")
    bench.respond(bench.invite, 200, tag="a", body=SDP, contact="<sip:a@198.51.100.1:5070>")
    ack, bye = bench.out("ACK", "BYE")
    assert (ack.to.tag, bye.to.tag) == ("a", "a")
    assert {d.destination for d in bench.sent[-2:]} == {Address("198.51.100.1", 5070)}
    bench.call.acknowledge(bench.now)
    (mine,) = bench.out("ACK")
    assert mine.to.tag == "b"
    assert bench.sent[-1].destination == Address("198.51.100.2", 5070)
    bench.respond(bench.invite, 200, tag="a", body=SDP)
    assert bench.out("ACK+")[0].to.tag == "a"
    bench.respond(bye, 200)
    assert [f.dialog_key for f in bench.find(ForkAnswered)] == ["a"]
    assert [a.dialog_key for a in bench.find(Answered)] == ["b"]
    assert bench.find(Ended) == []


def test_nobody_answers_the_cancel(bench: Bench) -> None:
    bench.respond(bench.invite, 180)
    bench.call.cancel(bench.now, (("Reason", "SIP;cause=480"),))
    (cancel,) = bench.out("CANCEL")
    assert isinstance(cancel, Request)
    assert (cancel.via.branch, cancel.uri) == (bench.invite.via.branch, f"sip:62@{LINE}")
    assert (cancel.cseq.number, cancel.to.tag) == (1, "")
    assert cancel.header("reason") == "SIP;cause=480"
    bench.wait(32.5)
    assert [e.by for e in bench.find(Ended)] == ["network"]
    bench.phone.take_datagrams()
    bench.respond(bench.invite, 200, body=SDP)
    bench.out("ACK", "BYE")
    assert len(bench.find(Answered)) == 0
    bench.must_be_left_with_nothing()


def test_cancel_before_any_response_waits_and_may_end_with_timer_b(bench: Bench) -> None:
    bench.call.cancel(bench.now)
    bench.wait(33.0)
    assert {d.method for d in bench.phone.take_datagrams()} == {"INVITE"}
    assert len(bench.find(TimedOut)) == 1
    bench.must_be_left_with_nothing()


@pytest.mark.parametrize("provisional", [True, False])
def test_the_200_that_crosses_a_cancel(bench: Bench, provisional: bool) -> None:
    if provisional:
        bench.respond(bench.invite, 180)
    bench.call.cancel(bench.now)
    bench.out(*["CANCEL"] * provisional)
    bench.respond(bench.invite, 200, body=SDP)
    _, bye = bench.out("ACK", "BYE")
    assert [a.after_cancel for a in bench.find(Answered)] == [True]
    bench.call.acknowledge(bench.now)
    bench.out()
    bench.respond(bench.invite, 200, body=SDP)
    bench.out("ACK+")
    bench.respond(bye, 200)
    assert [e.by for e in bench.find(Ended)] == ["us"]
    bench.must_be_left_with_nothing()


@pytest.mark.parametrize("way", ["cancel", "hang_up"])
def test_giving_up_between_200_and_ack(bench: Bench, way: str) -> None:
    bench.respond(bench.invite, 200, body=SDP)
    getattr(bench.call, way)(bench.now)
    bench.out("ACK", "BYE")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(481, "BYE: 481 Gone"), (500, "BYE: 500 Gone"), (None, "BYE: BYE was not answered")],
)
def test_a_bye_that_goes_wrong_still_ends_the_call(bench: Bench, status: int | None, reason: str) -> None:
    bench.answer()
    bench.call.hang_up(bench.now)
    (bye,) = bench.out("BYE")
    if status is None:
        bench.wait(33.0)
        assert len(bench.phone.take_datagrams()) == 10
    else:
        bench.respond(bye, f"{status} Gone")
    assert [(e.by, e.reason) for e in bench.find(Ended)] == [("us", reason)]
    bench.must_be_left_with_nothing()


def test_the_far_side_hangs_up(bench: Bench) -> None:
    bench.answer()
    bench.request("BYE")
    bench.request("BYE")
    bench.out("200/BYE", "200/BYE+")
    assert [(e.by, e.reason) for e in bench.find(Ended)] == [("them", "BYE")]
    bench.call.hang_up(bench.now)
    bench.out()
    bench.must_be_left_with_nothing()


def test_bye_before_our_ack(bench: Bench) -> None:
    bench.respond(bench.invite, 200, body=SDP)
    bench.request("BYE")
    bench.out("200/BYE", "ACK")
    bench.call.acknowledge(bench.now)
    bench.out()
    assert [e.by for e in bench.find(Ended)] == ["them"]


def test_both_hang_up_at_once(bench: Bench) -> None:
    bench.answer()
    bench.call.hang_up(bench.now)
    (bye,) = bench.out("BYE")
    bench.request("BYE")
    bench.respond(bye, 481)
    bench.out("200/BYE")
    assert len(bench.find(Ended)) == 1
    bench.must_be_left_with_nothing()


@pytest.mark.parametrize("final", [200, 487, None])
def test_bye_in_an_early_dialog(bench: Bench, final: int | None) -> None:
    bench.respond(bench.invite, 180)
    bench.request("BYE")
    bench.out("200/BYE", "CANCEL")
    assert [e.by for e in bench.find(Ended)] == ["them"]
    if final:
        bench.respond(bench.invite, final)
        bench.out(*(["ACK", "BYE"] if final == 200 else ["ACK"]))
    assert len(bench.find(Ended)) == 1
    assert bench.find(Rejected) == []
    bench.must_be_left_with_nothing()


def test_a_refused_port(bench: Bench) -> None:
    bench.phone.refused(Address("192.0.2.9", 1), bench.now, "Connection refused")
    bench.phone.refused(LINE, bench.now, "Connection refused")
    bench.phone.refused(LINE, bench.now, "Connection refused")
    bench.wait(0.0)
    assert [r.reason for r in bench.find(Refused)] == ["Connection refused"]
    bench.out()
    bench.must_be_left_with_nothing()


def test_a_refusal_after_ringing_does_not_end_the_call(bench: Bench) -> None:
    bench.respond(bench.invite, 180)
    bench.phone.refused(LINE, bench.now, "Connection refused")
    bench.wait(0.0)
    assert bench.find(Refused) == []
    bench.answer()
    bench.call.hang_up(bench.now)
    bench.out("BYE")
    bench.phone.refused(LINE, bench.now, "Connection refused")
    bench.wait(0.0)
    assert [(e.by, e.reason) for e in bench.find(Ended)] == [("us", "BYE: Connection refused")]


ROUTES = "Record-Route: <sip:198.51.100.9;lr>, <sip:198.51.100.8:5080;lr>\r\nRecord-Route: <sip:edge.example;lr>\r\n"


def test_loose_routing_takes_the_record_route_backwards(bench: Bench) -> None:
    bench.respond(
        bench.invite,
        200,
        headers=ROUTES.replace("sip:edge.example", "sip:203.0.113.1:5090"),
        contact="<sip:62@h>",
    )
    bench.call.acknowledge(bench.now)
    (ack,) = bench.out("ACK")
    assert isinstance(ack, Request)
    assert ack.uri == "sip:62@h"
    routes = [a.uri for a in ack.addresses("route")]
    assert routes == ["sip:203.0.113.1:5090;lr", "sip:198.51.100.8:5080;lr", "sip:198.51.100.9;lr"]
    assert bench.sent[-1].destination == Address("203.0.113.1", 5090)


def test_strict_routing_puts_the_target_last(bench: Bench) -> None:
    bench.respond(
        bench.invite, 200, headers="Record-Route: <sip:p2@198.51.100.2;lr>,<sip:p1@198.51.100.1>\r\n"
    )
    bench.call.acknowledge(bench.now)
    (ack,) = bench.out("ACK")
    assert isinstance(ack, Request)
    assert ack.uri == "sip:p1@198.51.100.1"
    assert [a.uri for a in ack.addresses("route")] == ["sip:p2@198.51.100.2;lr", f"sip:62@{LINE}"]
    assert bench.sent[-1].destination == Address("198.51.100.1", 5060)


@pytest.mark.parametrize(
    "contact", ["<sip:62@gateway.example>", "<>", "<sip:62@[2001:db8::7]>", "<mailto:a@b>", "*"]
)
def test_a_contact_that_is_no_address_of_ours_is_reached_by_the_old_way(bench: Bench, contact: str) -> None:
    bench.respond(bench.invite, 200, contact=contact)
    bench.call.acknowledge(bench.now)
    bench.out("ACK")
    assert bench.sent[-1].destination == LINE


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("INFO", 200),
        ("UPDATE", 200),
        ("REFER", 603),
        ("NOTIFY", 405),
        ("MESSAGE", 405),
        ("FROBNICATE", 501),
    ],
)
def test_requests_within_the_call(bench: Bench, method: str, status: int) -> None:
    bench.answer()
    bench.request(method)
    (reply,) = bench.out(f"{status}/{method}")
    if status != 603:
        assert "BYE" in reply.values("allow")
    assert [(r.request.method, r.status) for r in bench.find(RequestReceived)] == [(method, status)]
    bench.request(method)
    bench.out(f"{status}/{method}+")
    assert bench.find(MessageReceived)[-1].retransmission
    bench.request(method, cseq=5)
    bench.out(f"500/{method}")


def test_hold_by_reinvite_is_mirrored(bench: Bench) -> None:
    bench.answer()
    bench.request("INVITE", body=SDP.replace(b"sendrecv", b"sendonly"))
    (reply,) = bench.out("200/INVITE")
    answer = parse_sdp(reply.sdp_body or b"")
    assert answer.direction == "recvonly"
    assert answer.address == Address("192.0.2.1", 40000)
    received = bench.find(RequestReceived)[0]
    assert received.sdp is not None
    assert received.sdp.on_hold
    bench.wait(0.6)
    bench.out("200/INVITE+")
    bench.request("ACK")
    bench.wait(10.0)
    bench.out()
    bench.request("INVITE", cseq=901)
    (reply,) = bench.out("200/INVITE")
    assert reply.sdp_body is not None
    bench.wait(33.0)
    assert "BYE" in [d.method for d in bench.phone.take_datagrams()]


def test_a_reinvite_without_a_common_codec_is_488(bench: Bench) -> None:
    bench.answer()
    bench.request("INVITE", body=SDP.replace(b"AVP 8 0 101", b"AVP 18"))
    bench.out("488/INVITE")
    bench.request("ACK")
    bench.request("INVITE", cseq=901, body=SDP, headers="Contact: <sip:new@198.51.100.77>\r\n")
    bench.request("INVITE", cseq=902, body=SDP)
    bench.out("200/INVITE", "491/INVITE")
    bench.request("ACK", cseq=901)
    bench.call.hang_up(bench.now)
    bench.out("BYE")
    assert bench.sent[-1].destination == Address("198.51.100.77", 5060)


def test_a_challenged_bye_is_answered_once() -> None:
    from sip.core import Credentials

    phone = make_endpoint()
    call = phone.place_call(invite(credentials=Credentials("u", "p")), 0.0)
    request = parse_message(phone.take_datagrams()[0].data)
    phone.receive(make_response(request, 200, body=SDP), LINE, 1.0)
    call.acknowledge(1.0)
    call.hang_up(2.0)
    bye = parse_message(phone.take_datagrams()[1].data)
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"\r\n'
    phone.receive(make_response(bye, "401 No", headers=challenge), LINE, 2.0)
    (retry,) = (parse_message(d.data) for d in phone.take_datagrams())
    assert retry.header("authorization")
    assert retry.cseq.number == bye.cseq.number + 1
    phone.receive(make_response(retry, "401 No", headers=challenge), LINE, 2.0)
    assert [e.reason for e in find(phone.take_events(), Ended)] == ["BYE: 401 No"]


def test_strangers_are_dropped_and_told(bench: Bench) -> None:
    foreign = make_response(bench.invite, 200).replace(bench.invite.via.branch.encode(), b"z9hG4bKother")
    bench.receive(foreign)
    bench.receive(make_response(bench.invite, 200).replace(bench.call.call_id.encode(), b"other"))
    bench.receive(make_response(bench.invite, 200).replace(b"1 INVITE", b"1 OPTIONS"))
    bench.receive(b"not sip")
    bench.receive(b"\r\n\r\n")
    bench.receive(b"")
    assert [type(e) for e in bench.events] == [Stray, Stray, Stray, Malformed]
    bench.out()
    assert bench.call.state.value == "Calling"


def test_a_reliable_transport_repeats_nothing() -> None:
    phone = make_endpoint(others=(PHONE._replace(transport="tcp"),))
    phone.place_call(invite(destination=LINE._replace(transport="tcp")), 0.0)
    (datagram,) = phone.take_datagrams()
    message = parse_message(datagram.data)
    assert datagram.destination.transport == "tcp"
    assert message.via.transport == "TCP"
    assert message.contacts[0].uri == f"sip:dutyring@{PHONE};transport=tcp"
    phone.advance(33.0)
    assert phone.take_datagrams() == []
    assert [type(event) for event in phone.take_events()] == [TimedOut]
    phone.advance(66.0)
    assert phone.idle


def test_a_snapshot_is_json_from_the_first_moment(bench: Bench) -> None:
    first = bench.call.snapshot()
    assert json.loads(json.dumps(first)) == first
    assert first["branch"] == bench.invite.via.branch
    assert first["state"] == "Calling"


def test_a_call_id_is_not_used_twice() -> None:
    phone: Endpoint = make_endpoint()
    phone.place_call(invite(call_id="mine"), 0.0)
    with pytest.raises(LocalProtocolError):
        phone.place_call(invite(call_id="mine"), 0.0)
