"""Incoming calls from callers written byte by byte."""

from __future__ import annotations

import pytest

from sip.core import (
    Acknowledged,
    AckTimedOut,
    Address,
    Cancelled,
    Datagram,
    Ended,
    Event,
    IncomingCall,
    IncomingInvite,
    LocalProtocolError,
    Message,
    MessageReceived,
    RequestReceived,
    Response,
    Stray,
    parse_message,
)
from tests.unit.test_core_network import LINE, OFFER, PHONE, find, make_endpoint

VIA = f"SIP/2.0/UDP {PHONE};branch=z9hG4bKin1"


class Caller:
    """A caller in bytes; `line` is the endpoint under test."""

    def __init__(self, **options: object) -> None:
        self.line = make_endpoint(LINE, **options)
        self.now = 10.0
        self.events: list[Event] = []
        self.sent: list[Datagram] = []

    def send(
        self,
        method: str,
        cseq: int = 1,
        *,
        via: str = VIA,
        to_tag: str = "",
        body: bytes = b"",
        headers: str = "",
        call_id: str = "in1",
    ) -> None:
        number = f"{cseq} {method}"
        self.receive(
            f"{method} sip:62@{LINE} SIP/2.0\r\n"
            f"Via: {via}\r\nMax-Forwards: 70\r\nFrom: <sip:a@192.0.2.1>;tag=caller\r\n"
            f"To: <sip:62@{LINE}>{to_tag and ';tag=' + to_tag}\r\nCall-ID: {call_id}\r\nCSeq: {number}\r\n"
            f"Contact: <sip:a@{PHONE}>\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )

    def receive(self, data: bytes, source: Address = PHONE) -> None:
        self.line.receive(data, source, self.now)
        self.events += self.line.take_events()

    def out(self, *expected: str) -> list[Response]:
        self.events += self.line.take_events()
        taken = self.line.take_datagrams()
        self.sent += taken
        words = [
            (f"{d.status}/" if d.status else "") + d.method + ("+" if d.retransmission else "") for d in taken
        ]
        assert words == list(expected)
        return [message for d in taken if isinstance(message := parse_message(d.data), Response)]

    def call(self, **changes: object) -> IncomingCall:
        """Place the call; returns the far side of it."""
        self.send("INVITE", body=OFFER, **changes)  # type: ignore[arg-type]
        self.out("100/INVITE")
        return find(self.events, IncomingInvite)[-1].call

    def answered(self) -> IncomingCall:
        call = self.call()
        call.answer(self.now, OFFER)
        self.out("200/INVITE")
        self.send("ACK", to_tag=call.local_tag, via=VIA + "ack")
        return call

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.line.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self.line.advance(self.now)
        self.now = end
        self.events += self.line.take_events()

    def ended(self) -> list[tuple[str, str]]:
        self.events += self.line.take_events()
        return [(e.by, e.reason) for e in find(self.events, Ended)]

    def must_be_left_with_nothing(self) -> None:
        self.wait(100.0)
        self.line.take_datagrams()
        assert self.line.idle


@pytest.fixture
def caller() -> Caller:
    return Caller()


def test_progress_and_answer_carry_what_they_are_given(caller: Caller) -> None:
    call = caller.call(headers="Record-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n")
    told = find(caller.events, IncomingInvite)[0]
    assert told.sdp is not None
    assert told.sdp.address == Address("192.0.2.1", 40000)
    call.progress(180, caller.now)
    call.progress(181, caller.now, "转移中", headers=(("History-Info", "<sip:139@h>;index=1"),))
    call.progress(183, caller.now, body=OFFER)
    call.answer(caller.now, OFFER, (("X-Line", "62"),))
    ringing, forwarded, media, answer = caller.out("180/INVITE", "181/INVITE", "183/INVITE", "200/INVITE")
    assert {r.to.tag for r in (ringing, forwarded, media, answer)} == {call.local_tag}
    assert (forwarded.reason, forwarded.header("history-info")) == ("转移中", "<sip:139@h>;index=1")
    assert (ringing.sdp_body, media.sdp_body, answer.sdp_body) == (None, OFFER, OFFER)
    assert answer.header("x-line") == "62"
    assert [c.uri for c in answer.contacts] == [f"sip:62@{LINE}"]
    assert [a.uri for a in answer.addresses("record-route")] == ["sip:p1;lr", "sip:p2;lr"]
    assert answer.headers("via") == [VIA]


def test_the_trying_has_no_tag_and_can_be_left_out(caller: Caller) -> None:
    caller.send("INVITE")
    (trying,) = caller.out("100/INVITE")
    assert trying.to.tag == ""
    silent = Caller(auto_trying=False)
    silent.send("INVITE")
    silent.send("INVITE")
    silent.out()
    assert len(find(silent.events, IncomingInvite)) == 1


@pytest.mark.parametrize(
    ("via", "destination", "received"),
    [
        (VIA, PHONE, None),
        (VIA + ";rport", PHONE, "5060"),
        ("SIP/2.0/UDP 192.0.2.1:7777;branch=z9hG4bKx", Address("192.0.2.1", 7777), None),
        ("SIP/2.0/UDP 192.0.2.1:7777;rport;branch=z9hG4bKx", PHONE, "5060"),
        ("SIP/2.0/UDP host.example;branch=z9hG4bKx", PHONE, None),
    ],
)
def test_responses_go_back_where_via_says(
    caller: Caller, via: str, destination: Address, received: str | None
) -> None:
    caller.send("INVITE", via=via)
    (trying,) = caller.out("100/INVITE")
    assert caller.sent[-1].destination == destination
    assert trying.via.parameters.get("rport") == received
    assert trying.via.branch == parse_via_branch(via)
    if "rport" in via or "example" in via:
        assert trying.via.parameters["received"] == "192.0.2.1"


def parse_via_branch(via: str) -> str:
    return via.split("branch=")[1].split(";")[0]


def test_a_repeated_invite_gets_the_last_answer_again(caller: Caller) -> None:
    call = caller.call()
    caller.send("INVITE", body=OFFER)
    caller.out("100/INVITE+")
    call.progress(180, caller.now)
    caller.send("INVITE", body=OFFER)
    caller.out("180/INVITE", "180/INVITE+")
    assert len(find(caller.events, IncomingInvite)) == 1
    assert [m.retransmission for m in find(caller.events, MessageReceived)] == [False, True, True]


def test_the_answer_is_repeated_until_its_ack(caller: Caller) -> None:
    call = caller.call()
    call.answer(caller.now, OFFER)
    caller.wait(4.0)
    caller.out("200/INVITE", "200/INVITE+", "200/INVITE+", "200/INVITE+")
    caller.send(
        "ACK", to_tag=call.local_tag, via=VIA + "ack", body=OFFER, headers="Content-Type: application/sdp\r\n"
    )
    acknowledged = find(caller.events, Acknowledged)
    assert acknowledged[0].sdp is not None
    caller.send("ACK", to_tag=call.local_tag, via=VIA + "ack")
    assert len(find(caller.events, Acknowledged)) == 1
    caller.wait(20.0)
    caller.out()
    caller.send("BYE", 2, to_tag=call.local_tag, via=VIA + "bye")
    caller.out("200/BYE")
    assert caller.ended() == [("them", "BYE")]
    caller.must_be_left_with_nothing()


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_refusals_are_repeated_until_their_ack(caller: Caller, status: int) -> None:
    call = caller.call()
    call.reject(status, caller.now, headers=(("Contact", "<sip:139@h>"), ("Reason", "Q.850;cause=17")))
    (reply,) = caller.out(f"{status}/INVITE")
    assert [c.uri for c in reply.contacts] == ["sip:139@h"]
    assert reply.header("reason") == "Q.850;cause=17"
    assert reply.to.tag == call.local_tag
    caller.wait(0.6)
    caller.out(f"{status}/INVITE+")
    caller.send("ACK", to_tag=call.local_tag)
    caller.send("ACK", to_tag=call.local_tag)
    caller.wait(10.0)
    caller.out()
    assert caller.ended() == [("us", f"{status} {reply.reason}")]
    caller.must_be_left_with_nothing()


def test_a_refusal_without_ack_is_given_up(caller: Caller) -> None:
    caller.call().reject(486, caller.now)
    caller.wait(33.0)
    assert caller.ended() == [("us", "486 Busy Here")]
    assert len(caller.line.take_datagrams()) == 11
    caller.must_be_left_with_nothing()


def test_cancel(caller: Caller) -> None:
    call = caller.call()
    call.progress(180, caller.now)
    caller.out("180/INVITE")
    caller.send("CANCEL")
    caller.send("CANCEL")
    caller.out("200/CANCEL", "487/INVITE", "200/CANCEL+")
    assert len(find(caller.events, Cancelled)) == 1
    assert caller.ended() == [("them", "CANCEL")]
    with pytest.raises(LocalProtocolError):
        call.answer(caller.now)
    caller.send("ACK", to_tag=call.local_tag)
    caller.must_be_left_with_nothing()


def test_a_line_that_answers_although_it_was_cancelled(caller: Caller) -> None:
    call = caller.call()
    call.ignore_cancel = True
    caller.send("CANCEL")
    caller.out("200/CANCEL")
    assert call.cancelled
    assert caller.ended() == []
    call.answer(caller.now, OFFER)
    caller.out("200/INVITE")


def test_cancel_after_the_answer_changes_nothing(caller: Caller) -> None:
    caller.answered()
    caller.send("CANCEL")
    caller.out("200/CANCEL")
    assert find(caller.events, Cancelled) == []
    assert caller.ended() == []


def test_hanging_up_waits_for_the_ack(caller: Caller) -> None:
    call = caller.call()
    call.answer(caller.now, OFFER)
    call.hang_up(caller.now, (("Reason", "SIP;cause=200"),))
    caller.out("200/INVITE")
    caller.send("ACK", to_tag=call.local_tag, via=VIA + "ack")
    caller.out("BYE")
    bye = parse_message(caller.sent[-1].data)
    assert (bye.from_.tag, bye.to.tag, bye.header("reason")) == (call.local_tag, "caller", "SIP;cause=200")
    assert caller.sent[-1].destination == PHONE
    caller.receive(reply_to(bye, 200))
    assert caller.ended() == [("us", "BYE")]
    caller.must_be_left_with_nothing()


def reply_to(request: Message, status: int) -> bytes:
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    return "\r\n".join(
        [f"SIP/2.0 {status} x", *[f"{n}: {request.header(n)}" for n in names], "", ""]
    ).encode()


def test_hanging_up_unanswered_is_480(caller: Caller) -> None:
    caller.call().hang_up(caller.now)
    caller.out("480/INVITE")
    assert caller.ended() == [("us", "480 Temporarily Unavailable")]


def test_no_ack_ends_with_bye(caller: Caller) -> None:
    call = caller.call()
    call.answer(caller.now, OFFER)
    caller.wait(32.1)
    assert len(find(caller.events, AckTimedOut)) == 1
    assert caller.line.take_datagrams()[-1].method == "BYE"
    caller.must_be_left_with_nothing()
    assert caller.ended() == [("us", "BYE: BYE was not answered")]


@pytest.mark.parametrize("answered", [False, True])
def test_bye_before_the_ack_or_before_the_answer(caller: Caller, answered: bool) -> None:
    call = caller.call()
    if answered:
        call.answer(caller.now, OFFER)
        caller.out("200/INVITE")
    caller.send("BYE", 2, to_tag=call.local_tag, via=VIA + "bye")
    caller.out("200/BYE", *["487/INVITE"] * (not answered))
    caller.wait(5.0)
    assert [e[0] for e in caller.ended()] == ["them"]
    caller.must_be_left_with_nothing()


def test_what_we_refuse_to_do(caller: Caller) -> None:
    call = caller.call()
    for action in (
        lambda: call.progress(200, caller.now),
        lambda: call.reject(200, caller.now),
        lambda: call.reject(486, caller.now, "a\r\nb: c"),
        lambda: call.progress(180, caller.now, headers=(("X", "a\nb"),)),
    ):
        with pytest.raises(LocalProtocolError):
            action()
    caller.out()
    call.reject(486, caller.now)
    for late in (lambda: call.progress(180, caller.now), lambda: call.reject(486, caller.now)):
        with pytest.raises(LocalProtocolError):
            late()


def test_demands_that_nobody_here_knows_are_420(caller: Caller) -> None:
    caller.send("INVITE", headers="Require: 100rel, precondition, replaces\r\n")
    (reply,) = caller.out("420/INVITE")
    assert reply.values("unsupported") == ["precondition", "replaces"]
    assert find(caller.events, IncomingInvite) == []
    caller.send("ACK", to_tag=reply.to.tag)
    caller.must_be_left_with_nothing()


def test_a_merged_request_is_482(caller: Caller) -> None:
    caller.call()
    caller.send("INVITE", via=VIA + "fork")
    caller.out("482/INVITE")
    assert len(find(caller.events, IncomingInvite)) == 1


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("BYE", 481),
        ("CANCEL", 481),
        ("INFO", 481),
        ("MESSAGE", 405),
        ("REGISTER", 405),
        ("XYZ", 501),
    ],
)
def test_requests_outside_of_calls(caller: Caller, method: str, status: int) -> None:
    caller.send(method)
    (reply,) = caller.out(f"{status}/{method}")
    assert reply.to.tag
    if method == "OPTIONS":
        assert "INVITE" in reply.values("allow")
        assert reply.header("accept") == "application/sdp"
        assert {"100rel", "timer"} <= set(reply.values("supported"))
    assert [type(e) for e in caller.events] == [Stray]
    # Nothing is kept of it: not even while its repetition may come, which is answered alike.
    assert caller.line.idle
    caller.send(method)
    (again,) = caller.out(f"{status}/{method}")
    assert again.raw == reply.raw


def test_requests_of_dead_dialogs_are_481_and_their_acks_are_ignored(caller: Caller) -> None:
    caller.send("BYE", 3, to_tag="unknown")
    caller.send("INVITE", 3, to_tag="unknown")
    caller.out("481/BYE", "481/INVITE")
    caller.send("ACK", 7, to_tag="unknown", via=VIA + "x")
    caller.out()


def test_update_and_info_within_the_call(caller: Caller) -> None:
    call = caller.answered()
    caller.send("INFO", 2, to_tag=call.local_tag, via=VIA + "i")
    sdp_type = "Content-Type: application/sdp\r\n"
    caller.send("UPDATE", 3, to_tag=call.local_tag, via=VIA + "u", body=OFFER, headers=sdp_type)
    _, update = caller.out("200/INFO", "200/UPDATE")
    assert update.sdp_body is not None
    assert [(r.request.method, r.sdp is None) for r in find(caller.events, RequestReceived)] == [
        ("INFO", True),
        ("UPDATE", False),
    ]


def test_branches_of_the_old_standard(caller: Caller) -> None:
    old = f"SIP/2.0/UDP {PHONE};branch=1"
    call = caller.call(via=old)
    caller.send("INVITE", via=old, body=OFFER)
    caller.out("100/INVITE+")
    call.reject(486, caller.now)
    caller.send("ACK", to_tag=call.local_tag, via=old)
    caller.out("486/INVITE")
    caller.wait(3.0)
    caller.out()
    caller.send("INVITE", 2, via=old)
    caller.out("100/INVITE")


def test_names_in_other_encodings_come_back_as_they_were(caller: Caller) -> None:
    name = "值班".encode("gbk")
    caller.send("OPTIONS")
    data = caller.sent[-1].data if caller.sent else b""
    assert data == b""
    caller.out("200/OPTIONS")
    raw = (
        b"OPTIONS sip:62@h SIP/2.0\r\nv:SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKgbk\r\nf:"
        + name
        + b" <sip:a@b>;tag=1\r\n"
        b"t:<sip:c@d>\r\ni:x\r\nCSeq:1 OPTIONS\r\n\r\n"
    )
    caller.receive(raw)
    caller.out("200/OPTIONS")
    assert b"From: " + name + b" <sip:a@b>;tag=1" in caller.sent[-1].data


def test_thousands_of_calls_at_once(caller: Caller) -> None:
    calls = []
    for n in range(2000):
        caller.send(
            "INVITE", call_id=f"many{n}", via=f"SIP/2.0/UDP {PHONE};branch=z9hG4bKmany{n}", body=OFFER
        )
        calls.append(find(caller.events[-2:], IncomingInvite)[0].call)
    for call in calls:
        call.answer(caller.now, OFFER)
    for n, call in enumerate(calls):
        caller.send("ACK", call_id=f"many{n}", to_tag=call.local_tag, via=VIA + f"ack{n}")
        caller.send("BYE", 2, call_id=f"many{n}", to_tag=call.local_tag, via=VIA + f"bye{n}")
    assert len(caller.ended()) == 2000
    caller.must_be_left_with_nothing()
