"""What far ends ask while a call is on, against sipp: nothing of it may end the call or move its facts."""

from __future__ import annotations

import itertools
import re

import pytest

from tests.interop.checks import check_answered, check_honest, check_record
from tests.interop.conftest import Place, PlacedCall
from tests.interop.far_media import HeardPacket, session_description
from tests.interop.foreign import udp_socket

pytestmark = pytest.mark.peer("sipp")

TALK = ("--max-talk", "2")
T38 = (
    "v=0\r\no=far 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=image @port@ udptl t38\r\na=T38FaxVersion:0"
)


def reply_to(call: PlacedCall, method: str) -> list[str]:
    """Return our final responses to the far end's requests of this method."""
    return [
        message.text
        for message in call.trace
        if not message.sent
        and message.start.isdigit()
        and int(message.start) >= 200
        and message.header("CSeq").endswith(method)
    ]


def longest_pause_s(packets: list[HeardPacket]) -> float:
    return max(b.at_s - a.at_s for a, b in itertools.pairwise(packets))


@pytest.mark.interop("sipp", "in-call-requests")
@pytest.mark.parametrize(
    ("method", "more", "type_", "expected"),
    [
        ("OPTIONS", "Accept: application/sdp", "text/plain", "200"),
        ("INFO", "Info-Package: unknown", "text/plain", "469"),
        ("MESSAGE", "Subject: hello", "text/plain", "405"),
        ("SUBSCRIBE", "Event: dialog", "text/plain", "489"),
        ("NOTIFY", "Event: refer", "text/plain", "489"),
        ("PUBLISH", "Event: presence", "text/plain", "489"),
        ("DANCE", "X-Step: 1", "text/plain", "501"),
    ],
)
def test_a_request_in_the_call_is_answered_politely(
    place: Place, method: str, more: str, type_: str, expected: str
) -> None:
    keys = {"method": method, "more": more, "type": type_, "expected": expected, "text": "Signal=5"}
    call = place("ask-in-call", *TALK, keys=keys)
    check_answered(call)
    (answer,) = reply_to(call, method)
    if expected in ("405", "501"):
        assert "\r\nAllow: " in answer
    assert call.record["ended_by"] == "us"


@pytest.mark.interop("sipp", "dtmf-received")
def test_digits_that_come_by_info_are_kept(place: Place) -> None:
    keys = {
        "method": "INFO",
        "more": "Subject: digit",
        "type": "application/dtmf-relay",
        "expected": "200",
        "text": "Signal=5\r\nDuration=160",
    }
    call = place("ask-in-call", *TALK, keys=keys)
    check_answered(call)
    assert [entry["digit"] for entry in call.record["dtmf"]] == ["5"]


@pytest.mark.interop("sipp", "refer")
def test_a_transfer_is_refused(place: Place) -> None:
    """A spot check follows nobody: REFER gets a refusal, and no second call is placed."""
    keys = {
        "method": "REFER",
        "more": "Refer-To: <sip:63@127.0.0.1>",
        "type": "text/plain",
        "expected": "603",
        "text": "-",
    }
    call = place("ask-in-call", *TALK, keys=keys)
    check_answered(call)
    assert len(call.received("INVITE")) == 1


@pytest.mark.interop("sipp", "update")
def test_an_update_without_a_description_is_accepted(place: Place) -> None:
    """Switches ask whether we still live by an empty UPDATE (RFC 4028 section 7.4)."""
    keys = {
        "method": "UPDATE",
        "more": "Supported: timer",
        "type": "text/plain",
        "expected": "200",
        "text": "",
    }
    call = place("ask-in-call", *TALK, keys=keys)
    check_answered(call)


@pytest.mark.interop("sipp", "connected-identity")
def test_an_update_says_who_really_answered(place: Place) -> None:
    """RFC 4916 and RFC 3325: the number that answered is another one than the one that was dialled."""
    keys = {
        "method": "UPDATE",
        "more": "P-Asserted-Identity: <sip:13800138000@127.0.0.1>",
        "type": "text/plain",
        "expected": "200",
        "text": "",
    }
    call = place("ask-in-call", *TALK, keys=keys)
    check_answered(call)
    kinds = {entry["kind"] for entry in call.record["forwarding"]["evidence"]}
    assert "asserted_identity" in kinds


@pytest.mark.interop("sipp", "hold")
@pytest.mark.parametrize(
    ("direction", "host"), [("sendonly", "127.0.0.1"), ("inactive", "127.0.0.1"), ("sendrecv", "0.0.0.0")]
)
def test_hold_and_resume(place: Place, direction: str, host: str) -> None:
    """We say that we are held, and the call goes on after it; RFC 2543 held by the address 0.0.0.0."""
    keys = {
        "hold": session_description("@port@", version=2, direction=direction, host=host),
        "resume": session_description("@port@", version=3),
    }
    call = place("hold-and-resume", "--max-talk", "3", keys=keys, wait_ms=500)
    check_answered(call)
    held, resumed = reply_to(call, "INVITE")
    if host != "0.0.0.0":
        assert f"a={'recvonly' if direction == 'sendonly' else 'inactive'}" in held
    assert "a=sendrecv" in resumed
    # Who is held hears nothing of us until the call is resumed.
    assert longest_pause_s(call.heard) > 0.5
    assert call.record["ended_ms"] - call.record["answered_ms"] == pytest.approx(3000, abs=400)


@pytest.mark.interop("sipp", "re-invite")
def test_media_moves_to_another_address(place: Place) -> None:
    keys = {"offer": session_description("@moved@", version=2)}
    call = place("reinvite", *TALK, keys=keys, wait_ms=500)
    check_answered(call)
    assert len(call.moved) > 30
    assert call.heard[-1].at_s < call.moved[-1].at_s - 0.5


@pytest.mark.interop("sipp", "codec-change")
def test_codec_changes_to_mu_law(place: Place) -> None:
    keys = {"offer": session_description("@port@", version=2, payload_type=0)}
    call = place("reinvite", *TALK, keys=keys, wait_ms=500)
    check_answered(call)
    kinds = [kind for kind, _ in itertools.groupby(packet.payload_type for packet in call.heard)]
    assert kinds == [8, 0]


@pytest.mark.interop("sipp", "t38")
def test_a_fax_is_refused_and_the_call_goes_on(place: Place) -> None:
    call = place("reinvite-refused", *TALK, keys={"offer": T38}, wait_ms=500)
    check_answered(call)
    (refusal,) = reply_to(call, "INVITE")
    assert refusal.startswith("SIP/2.0 488 ")
    assert longest_pause_s(call.heard) < 0.3


@pytest.mark.interop("sipp", "re-invite")
def test_our_offer_is_asked_for(place: Place) -> None:
    """A re-INVITE without a description: we offer in the 200, the far end answers in its ACK (RFC 3261 14.2)."""
    keys = {"moved": session_description("@moved@", version=2)}
    call = place("reinvite-no-offer", *TALK, keys=keys, wait_ms=500)
    check_answered(call)
    (offer,) = reply_to(call, "INVITE")
    assert "m=audio " in offer
    assert "RTP/AVP 8 0 101" in offer
    assert len(call.moved) > 30


@pytest.mark.interop("sipp", "glare")
def test_a_second_offer_waits_for_the_first(place: Place) -> None:
    call = place("reinvite-overlap", *TALK, keys={"expected": "491"}, wait_ms=500)
    check_answered(call)


@pytest.mark.interop("sipp", "re-invite")
def test_the_hang_up_follows_a_new_contact(place: Place) -> None:
    call = place("reinvite-new-contact", *TALK, wait_ms=500)
    check_answered(call)
    (ack, *_), (bye,) = call.received("ACK"), call.received("BYE")
    assert ack.text.startswith("ACK sip:62@")
    assert bye.text.startswith("BYE sip:moved@")


@pytest.mark.interop("sipp", "reason")
def test_the_reason_of_a_hang_up_is_kept(place: Place) -> None:
    keys = {"more": 'Reason: Q.850;cause=16;text="Normal call clearing"'}
    call = place("hang-up-with-header", keys=keys)
    check_honest(call)
    assert (call.record["outcome"], call.record["ended_by"]) == ("answered", "them")
    (bye,) = call.timeline("received", method="BYE")
    assert "cause=16" in str(bye)


@pytest.mark.interop("sipp", "far-hang-up")
def test_far_end_hangs_up_in_the_same_breath(place: Place) -> None:
    for _ in range(3):
        call = place("bye-before-ack")
        if any(message.sent and message.start == "BYE" for message in call.trace) and call.sipp_status == 0:
            break
        # On a crowded machine our ACK may come between sipp's 200 and its BYE: then it was no same breath, and where it
        # comes while sipp is busy with its BYE, sipp takes it for one too many.
    check_record(call)
    assert call.received("ACK")
    # Of all responses that a far end gets, this one is to its BYE.
    assert call.received("200")
    assert (call.record["outcome"], call.record["ended_by"]) == ("answered", "them")
    assert call.record["ended_ms"] - call.record["answered_ms"] < 500


@pytest.mark.interop("sipp", "far-hang-up")
def test_both_hang_up_at_once(place: Place) -> None:
    call = place("bye-crosses-bye", "--max-talk", "1", keys={"expected": "200"})
    check_answered(call)
    assert call.record["ended_by"] == "us"


@pytest.mark.interop("sipp", "far-hang-up")
def test_the_far_end_has_forgotten_the_call(place: Place) -> None:
    call = place("bye-refused", "--max-talk", "1")
    check_answered(call)
    assert call.record["ended_by"] == "us"


class Intruder:
    """Sees our call through the relay and tries to take it over from another socket, once it is answered."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self._invite = ""

    def __call__(self, datagram: bytes) -> tuple[bytes, ...]:
        text = datagram.decode("utf-8", "replace")
        if text.startswith("INVITE "):
            self._invite = text
        elif text.startswith("ACK ") and not self.answers:
            self._take_over(text)
        return (datagram,)

    def _take_over(self, ack: str) -> None:
        def found(pattern: str, text: str) -> str:
            match = re.search(pattern, text, re.IGNORECASE)
            assert match, pattern
            return match[1]

        contact = found(r"Contact: <(sip:[^>]+)>", self._invite)
        dialog = found(r"Call-ID: (\S+)", ack)
        tags = found(r"From:[^\r]*tag=(\S+)", ack), found(r"To:[^\r]*tag=(\S+)", ack)
        host, port = found(r"@([^;>]+)", contact).split(":")
        with udp_socket() as other:
            own = f"127.0.0.1:{other.getsockname()[1]}"
            lines = [
                f"INVITE {contact} SIP/2.0",
                f"Via: SIP/2.0/UDP {own};branch=z9hG4bKtakeover;rport",
                "From: <sip:intruder@127.0.0.1>;tag=intruder",
                f"To: <{contact}>",
                f"Contact: <sip:intruder@{own}>",
                "Call-ID: takeover@127.0.0.1",
                "CSeq: 1 INVITE",
                "Max-Forwards: 70",
                "Require: replaces",
                f"Replaces: {dialog};to-tag={tags[0]};from-tag={tags[1]}",
                "Content-Length: 0",
            ]
            other.settimeout(3)
            other.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), (host, int(port)))
            while not self.answers or self.answers[-1].startswith("SIP/2.0 1"):
                self.answers.append(other.recv(65_535).decode())


@pytest.mark.interop("sipp", "refer")
def test_nobody_else_takes_the_call_over(place: Place) -> None:
    """INVITE with Replaces (RFC 3891) is refused, and our call goes on."""
    intruder = Intruder()
    call = place("queued", *TALK, inward=intruder, wait_ms=300)
    check_answered(call)
    assert call.record["ended_by"] == "us"
    assert intruder.answers[-1].split()[1][0] in "456"
