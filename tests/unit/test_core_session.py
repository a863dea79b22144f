"""Offers of the far side within a call: re-INVITE and UPDATE, glare, hold, and who the far side says it is."""

from __future__ import annotations

import secrets

import pytest

from sip.core import (
    AckTimedOut,
    Address,
    Ended,
    IdentityChanged,
    IncomingInvite,
    Message,
    RequestReceived,
    Response,
    Sdes,
    SessionChanged,
    SessionDescription,
    SrtpMode,
    build_offer,
    negotiate,
    parse_sdp,
)
from sip.core.description import Direction
from tests.unit.test_core_incoming import VIA, Caller
from tests.unit.test_core_network import LINE, OFFER, find, invite, make_endpoint
from tests.unit.test_core_outgoing import SDP, Bench

SDP_TYPE = "Content-Type: application/sdp\r\n"
RELIABLE = "Require: 100rel\r\nRSeq: 1\r\n"
ULAW = SDP.replace(b"AVP 8 0 101", b"AVP 0 101")
HELD = SDP.replace(b"sendrecv", b"sendonly")
IMAGE = b"v=0\r\no=- 1 2 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=image 5000 udptl t38\r\n"


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def talking() -> Bench:
    bench = Bench()
    bench.answer()
    return bench


def described(message: Message) -> SessionDescription:
    assert message.sdp_body is not None
    return parse_sdp(message.sdp_body)


def version(message: Message) -> int:
    return int(described(message).origin.split()[2])


class Offering:
    """The far side of a call that is up, sending one offer after another."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.cseq = 899

    def offer(self, body: bytes, status: int = 200, method: str = "INVITE", headers: str = "") -> Message:
        self.cseq += 1
        self.bench.request(method, cseq=self.cseq, body=body, headers=headers)
        (reply,) = self.bench.out(f"{status}/{method}")
        if method == "INVITE":
            self.bench.request("ACK", cseq=self.cseq)
            self.bench.out()
        return reply


def test_hold_and_resume(talking: Bench) -> None:
    far = Offering(talking)
    replies = [
        far.offer(HELD),
        far.offer(SDP.replace(b"sendrecv", b"inactive")),
        far.offer(SDP.replace(b"IP4 192.0.2.2\r\nt=", b"IP4 0.0.0.0\r\nt=")),
        far.offer(SDP),
    ]
    assert [described(r).direction for r in replies] == ["recvonly", "inactive", "sendrecv", "sendrecv"]
    changes = talking.find(SessionChanged)
    assert [c.remote.on_hold for c in changes] == [True, True, True, False]
    assert [(c.method, c.dialog_key) for c in changes] == [("INVITE", "t1")] * 4
    assert [c.local.direction for c in changes] == ["recvonly", "inactive", "sendrecv", "sendrecv"]


def test_our_version_counts_up_only_when_we_say_something_new(talking: Bench) -> None:
    far = Offering(talking)
    first = version(talking.invite)
    numbers = [version(far.offer(body)) for body in (SDP, SDP, HELD, HELD, SDP)]
    # The first answer names one codec where the offer named two.
    assert numbers == [first + 1, first + 1, first + 2, first + 2, first + 3]
    assert {described(talking.invite).origin.split()[1]} == {"7"}


def test_the_same_description_again_is_no_change(talking: Bench) -> None:
    far = Offering(talking)
    far.offer(SDP)
    assert talking.find(SessionChanged) == []
    assert len(talking.find(RequestReceived)) == 1


def test_another_address_codec_and_packet_length(talking: Bench) -> None:
    far = Offering(talking)
    far.offer(ULAW)
    moved = build_offer(Address("198.51.100.7", 6000), 9, codecs=("PCMA",), ptime_ms=40)
    reply = far.offer(moved)
    assert described(reply).ptime_ms == 40
    assert described(reply).address == Address("192.0.2.1", 40000)
    agreed = [negotiate(c.remote) for c in talking.find(SessionChanged)]
    assert [(a.codec, a.remote.host, a.ptime_ms) for a in agreed if a] == [
        ("PCMU", "192.0.2.2", 20),
        ("PCMA", "198.51.100.7", 40),
    ]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(
    ("body", "warning"),
    [
        (IMAGE, "304"),
        (SDP.replace(b"AVP 8 0 101", b"AVP 18"), "305"),
        (b"v=0\r\n", "304"),
        (b"\xff\xfe", "304"),
    ],
)
def test_what_we_cannot_take_leaves_the_session_as_it_was(
    talking: Bench, method: str, body: bytes, warning: str
) -> None:
    far = Offering(talking)
    contact = "Contact: <sip:elsewhere@198.51.100.1>\r\n"
    reply = far.offer(body, 488, method, contact)
    assert (reply.header("warning") or "").startswith(f"{warning} 192.0.2.1 ")
    assert talking.find(SessionChanged) == []
    far.offer(HELD)
    talking.call.hang_up(talking.now)
    talking.out("BYE")
    assert talking.sent[-1].destination == LINE


def test_further_media_are_refused_and_the_audio_kept(talking: Bench) -> None:
    video = b"m=video 6000 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n"
    fax = b"m=image 7000 udptl t38\r\na=T38FaxVersion:0\r\n"
    head, _, audio = SDP.partition(b"m=audio")
    reply = Offering(talking).offer(head + video + b"m=audio" + audio + fax)
    answer = described(reply)
    assert [line.split()[:2] for line in answer.media_lines] == [
        ["video", "0"],
        ["audio", "40000"],
        ["image", "0"],
    ]
    assert [c.remote.audio_index for c in talking.find(SessionChanged)] == [1]


def test_audio_that_was_switched_off_comes_back(talking: Bench) -> None:
    far = Offering(talking)
    off = far.offer(SDP.replace(b"m=audio 50000", b"m=audio 0"))
    assert described(off).rejected
    back = far.offer(SDP)
    assert described(back).address == Address("192.0.2.1", 40000)


def test_an_offer_of_ours_in_the_200_is_answered_in_the_ack(talking: Bench) -> None:
    Offering(talking).offer(HELD)
    talking.request("INVITE", cseq=950)
    (reply,) = talking.out("200/INVITE")
    ours = described(reply)
    assert [p.encoding for p in ours.payload_types] == ["PCMA", "PCMU", "TELEPHONE-EVENT"]
    assert ours.direction == "sendrecv"
    talking.request("UPDATE", cseq=951, body=SDP)
    talking.out("491/UPDATE")
    talking.request("ACK", cseq=950, body=ULAW)
    change = talking.find(SessionChanged)[-1]
    assert (change.method, change.remote.raw, change.local.raw) == ("ACK", ULAW, reply.sdp_body)
    Offering(talking).cseq = 951
    talking.request("UPDATE", cseq=952, body=SDP)
    talking.out("200/UPDATE")


def test_an_offer_of_ours_that_nobody_acknowledges_ends_the_call(talking: Bench) -> None:
    talking.request("INVITE", cseq=950)
    talking.wait(32.5)
    talking.phone.take_datagrams()
    assert len(talking.find(AckTimedOut)) == 1
    talking.wait(40.0)
    assert [e.by for e in talking.find(Ended)] == ["us"]


def test_two_reinvites_at_once(talking: Bench) -> None:
    talking.request("INVITE", cseq=900, body=SDP)
    talking.request("INVITE", cseq=901, body=HELD)
    talking.out("200/INVITE", "491/INVITE")
    assert talking.find(SessionChanged) == []


class TestUpdate:
    def test_in_an_early_dialog_only_once_the_first_offer_is_answered(self, bench: Bench) -> None:
        bench.respond(bench.invite, 183, tag="a", body=SDP)
        bench.request("UPDATE", cseq=900, tag="a", body=HELD)
        bench.out("491/UPDATE")
        bench.request("UPDATE", cseq=901, tag="a")
        bench.out("200/UPDATE")
        bench.respond(bench.invite, "183 Again", tag="a", body=SDP, headers=RELIABLE)
        bench.out("PRACK")
        bench.request("UPDATE", cseq=902, tag="a", body=ULAW)
        (reply,) = bench.out("200/UPDATE")
        assert [p.encoding for p in described(reply).payload_types] == ["PCMU", "TELEPHONE-EVENT"]
        assert [(c.method, c.dialog_key) for c in bench.find(SessionChanged)] == [("UPDATE", "a")]
        bench.request("INVITE", cseq=903, tag="a", body=SDP)
        bench.out("491/INVITE")

    def test_each_fork_has_its_own(self, bench: Bench) -> None:
        for tag in ("a", "b"):
            bench.respond(bench.invite, 183, tag=tag, body=SDP, headers=RELIABLE)
        bench.out("PRACK", "PRACK")
        bench.request("UPDATE", cseq=900, tag="b", body=ULAW)
        bench.request("UPDATE", cseq=901, tag="a", body=HELD)
        bench.out("200/UPDATE", "200/UPDATE")
        told = [(c.dialog_key, c.remote.direction) for c in bench.find(SessionChanged)]
        assert told == [("b", "sendrecv"), ("a", "sendonly")]

    def test_within_a_call(self, talking: Bench) -> None:
        reply = Offering(talking).offer(HELD, method="UPDATE", headers="Contact: <sip:new@198.51.100.9>\r\n")
        assert described(reply).direction == "recvonly"
        assert reply.contacts
        talking.call.hang_up(talking.now)
        talking.out("BYE")
        assert talking.sent[-1].destination == Address("198.51.100.9", 5060)

    def test_before_we_have_answered_their_offer(self) -> None:
        caller = Caller()
        call = caller.call(headers="Supported: 100rel\r\n" + SDP_TYPE)
        caller.send("UPDATE", 2, to_tag=call.local_tag, via=VIA + "u2", body=OFFER, headers=SDP_TYPE)
        (reply,) = caller.out("500/UPDATE")
        assert 0 <= int(reply.header("retry-after") or "-1") <= 10
        call.progress(183, caller.now, body=SDP, reliable=True)
        caller.out("183/INVITE")
        caller.send("UPDATE", 3, to_tag=call.local_tag, via=VIA + "u3", body=OFFER, headers=SDP_TYPE)
        caller.out("200/UPDATE")

    def test_while_our_offer_waits_for_an_answer(self) -> None:
        caller = Caller()
        caller.send("INVITE")
        tag = self.take_call(caller)
        caller.send("UPDATE", 2, to_tag=tag, via=VIA + "u2", body=OFFER, headers=SDP_TYPE)
        caller.out("491/UPDATE")
        caller.send("ACK", 1, to_tag=tag, via=VIA + "ack", body=OFFER, headers=SDP_TYPE)
        caller.send("UPDATE", 3, to_tag=tag, via=VIA + "u3", body=OFFER, headers=SDP_TYPE)
        caller.out("200/UPDATE")
        assert [c.method for c in find(caller.events, SessionChanged)] == ["ACK"]

    def take_call(self, caller: Caller) -> str:

        call = find(caller.events, IncomingInvite)[0].call
        call.answer(caller.now, SDP)
        caller.out("100/INVITE", "200/INVITE")
        return call.local_tag


def test_a_called_line_takes_codecs_that_it_did_not_choose_at_first() -> None:
    caller = Caller()
    call = caller.call(headers=SDP_TYPE)
    call.answer(caller.now, SDP.replace(b"AVP 8 0 101", b"AVP 8"))
    caller.out("200/INVITE")
    caller.send("ACK", to_tag=call.local_tag, via=VIA + "ack")
    ulaw = OFFER.replace(b"AVP 8 0 101", b"AVP 0")
    caller.send("INVITE", 2, to_tag=call.local_tag, via=VIA + "re", body=ulaw, headers=SDP_TYPE)
    (reply,) = caller.out("200/INVITE")
    assert [p.encoding for p in described(reply).payload_types] == ["PCMU"]


def test_answers_can_be_made_elsewhere() -> None:
    bench = Bench.__new__(Bench)
    bench.phone, bench.now, bench.events, bench.sent = make_endpoint(), 50.0, [], []
    answers = {SDP: OFFER, HELD: None}
    bench.call = bench.phone.place_call(invite(answerer=answers.get), bench.now)
    bench.invite = bench.out("INVITE")[0]
    bench.answer()
    far = Offering(bench)
    assert far.offer(SDP).sdp_body == OFFER
    far.offer(HELD, 488)


class TestKeys:
    """A call with SRTP keeps the key that it has."""

    def talk(self, mode: SrtpMode) -> tuple[Bench, Sdes]:
        ours, theirs = Sdes.make(mode, secrets.token_bytes), Sdes.make("required", secrets.token_bytes)
        bench = Bench.__new__(Bench)
        bench.phone, bench.now, bench.events, bench.sent = make_endpoint(), 50.0, [], []
        offer = build_offer(Address("192.0.2.1", 40000), 7, crypto=ours)
        bench.call = bench.phone.place_call(invite(offer=offer), bench.now)
        bench.invite = bench.out("INVITE")[0]
        bench.respond(bench.invite, 200, body=self.described(theirs))
        bench.call.acknowledge(bench.now)
        bench.out("ACK")
        return bench, theirs

    def described(self, keys: Sdes, version: int = 1, direction: Direction = "sendrecv") -> bytes:
        return build_offer(Address("192.0.2.2", 50000), 3, version, direction=direction, crypto=keys)

    def test_a_hold_is_answered_with_our_old_key(self) -> None:
        bench, theirs = self.talk("required")
        reply = Offering(bench).offer(self.described(theirs, 2, "sendonly"))
        first, now = parse_sdp(bench.invite.sdp_body or b""), described(reply)
        assert now.profile == "RTP/SAVP"
        assert [line.key for line in now.crypto] == [first.crypto[0].key]

    def test_an_offer_without_keys_is_refused_where_they_are_required(self) -> None:
        bench, _ = self.talk("required")
        Offering(bench).offer(SDP, 488)
        lenient, _ = self.talk("optional")
        assert described(Offering(lenient).offer(SDP)).crypto == ()


class TestIdentity:
    """Connected identity (RFC 4916)."""

    def update(self, bench: Bench, cseq: int, uri: str, supported: str = "from-change") -> Response:
        data = (
            f"UPDATE sip:dutyring@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {LINE};branch=z9hG4bKid{cseq}\r\n"
            f'From: "值班" <{uri}>;tag=t1\r\nTo: <sip:dutyring@192.0.2.1>;tag={bench.call.local_tag}\r\n'
            f"Call-ID: {bench.call.call_id}\r\nCSeq: {cseq} UPDATE\r\nSupported: {supported}\r\n\r\n"
        )
        bench.receive(data.encode())
        (reply,) = bench.out("200/UPDATE")
        assert isinstance(reply, Response)
        return reply

    def test_a_new_from_is_taken_over_where_it_was_agreed(self, talking: Bench) -> None:
        self.update(talking, 900, f"sip:62@{LINE}")
        self.update(talking, 903, f"sip:62@{LINE.host};user=phone")
        assert talking.find(IdentityChanged) == []
        reply = self.update(talking, 904, "sip:13900000000@mobile.example")
        assert "from-change" in reply.values("supported")
        self.update(talking, 905, "sip:13900000000@mobile.example")
        told = talking.find(IdentityChanged)
        assert [(t.uri, t.name, t.negotiated) for t in told] == [
            ("sip:13900000000@mobile.example", "值班", True)
        ]
        talking.call.hang_up(talking.now)
        (bye,) = talking.out("BYE")
        assert (bye.to.uri, bye.to.tag) == ("sip:13900000000@mobile.example", "t1")

    def test_it_is_told_but_not_taken_over_without_agreement(self, talking: Bench) -> None:
        self.update(talking, 901, "sip:13900000000@mobile.example", "timer")
        assert [t.negotiated for t in talking.find(IdentityChanged)] == [False]
        talking.call.hang_up(talking.now)
        assert talking.out("BYE")[0].to.uri == f"sip:62@{LINE}"
