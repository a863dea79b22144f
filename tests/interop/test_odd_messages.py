"""Messages as old exchanges and cheap gateways send them: a phone that refuses one leaves a handset off hook."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_answered, check_not_answered
from tests.interop.conftest import Place
from tests.interop.far_media import session_description

pytestmark = pytest.mark.peer("sipp")

TALK = ("--max-talk", "1")


@pytest.mark.interop("sipp", "odd-messages")
def test_compact_and_folded_headers_without_a_reason_phrase(place: Place) -> None:
    call = place("odd-compact", *TALK, keys={"fold": "\r\n "})
    check_answered(call)
    assert call.timeline("received", status=180)[0]["reason"] in ("", None)
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)


@pytest.mark.interop("sipp", "odd-messages")
def test_no_tag_before_the_answer(place: Place) -> None:
    call = place("odd-no-tag", *TALK)
    check_answered(call)
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]


@pytest.mark.interop("sipp", "odd-messages")
def test_empty_lines_before_the_status_line(place: Place) -> None:
    call = place("answer", *TALK, outward=lambda datagram: (b"\r\n\r\n" + datagram,))
    check_answered(call)
    assert call.timeline("received", status=180)


def test_keepalives_and_rubbish_between_the_messages(place: Place) -> None:
    call = place(
        "answer", *TALK, outward=lambda datagram: (b"\r\n\r\n", b"\x00", b"SIP/2.0 \xff\r\n\r\n", datagram)
    )
    check_answered(call)


def test_each_response_comes_twice(place: Place) -> None:
    call = place(
        "ring-then-refuse", keys={"final": "486 Busy Here"}, outward=lambda datagram: (datagram, datagram)
    )
    check_not_answered(call, "rejected")


@pytest.mark.interop("sipp", "odd-messages")
def test_display_name_in_gbk(place: Place) -> None:
    """Old exchanges write 值班室 in GBK, which is not UTF-8."""
    name = 'P-Asserted-Identity: "值班室" <sip:62@127.0.0.1>'.encode("gbk")
    call = place("ringing-with-header", *TALK, keys={"header": name})
    check_answered(call)
    assert call.record["sip_status"] == 200


def test_reason_phrase_in_gbk(place: Place) -> None:
    call = place("refuse", keys={"final": "486 用户忙".encode("gbk")})
    check_not_answered(call, "busy")


def test_unreadable_headers_do_not_matter(place: Place) -> None:
    lines = "\r\n".join(
        (
            "Date: yesterday",
            "Allow: ,,,",
            "History-Info: <<>>;;cause=",
            "Reason: Q.850;cause=x",
            "Diversion: \x01",
        )
    )
    call = place("ringing-with-header", *TALK, keys={"header": lines})
    check_answered(call)
    assert call.record["forwarding"]["detected"] is False
    assert call.record["q850"] is None


@pytest.mark.interop("sipp", "odd-messages")
def test_header_names_in_any_case_and_blanks_anywhere(place: Place) -> None:
    """RFC 3261 section 7.3.1."""
    call = place("odd-headers", *TALK)
    check_answered(call)
    assert len(call.heard) > 30


@pytest.mark.interop("sipp", "odd-messages", "early-media")
def test_183_without_a_tag(place: Place) -> None:
    call = place("progress-no-tag", *TALK)
    check_answered(call)
    (early,) = call.timeline("received", status=183)
    assert early["sdp"] is True
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]


@pytest.mark.interop("sipp", "odd-messages", "early-media")
def test_wrong_address_in_the_183_and_the_right_one_in_the_200(place: Place) -> None:
    call = place("wrong-sdp-then-right", *TALK, keys={"wrong": session_description("@moved@")})
    check_answered(call)
    assert len(call.moved) > 50
    assert len(call.heard) > 30
    assert call.heard[0].at_s > call.moved[-1].at_s - 0.1


@pytest.mark.interop("sipp", "early-media")
def test_183_and_then_180_with_the_same_description(place: Place) -> None:
    call = place("progress-then-ringing-with-sdp", *TALK)
    check_answered(call)
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]
    steps = {(b.sequence - a.sequence) % 2**16 for a, b in zip(call.heard, call.heard[1:], strict=False)}
    assert steps == {1}


@pytest.mark.interop("sipp", "odd-messages")
def test_waits_in_a_queue(place: Place) -> None:
    call = place("queued", *TALK, wait_ms=500)
    check_answered(call)
    assert [entry["reason"] for entry in call.timeline("received", status=182)] == [
        "Queued, 2 ahead",
        "Queued, 1 ahead",
    ]
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]


@pytest.mark.interop("sipp", "odd-messages")
def test_a_provisional_response_comes_after_the_answer(place: Place) -> None:
    call = place("late-provisional", *TALK)
    check_answered(call)
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)
    assert call.record["ended_ms"] - call.record["answered_ms"] == pytest.approx(1000, abs=250)


CONTACTS = [
    "<sip:62@[local_ip]:[local_port];transport=UDP>",
    '<SIP:62@[local_ip]:[local_port];Transport=udp>;q=0.7;+g.3gpp.icsi-ref="urn"',
    "sip:62@[local_ip]:[local_port]",
    '"值班, 室" <sip:6%32@[local_ip]:[local_port];user=phone>',
]


@pytest.mark.interop("sipp", "odd-messages")
@pytest.mark.parametrize("contact", CONTACTS)
def test_a_contact_in_any_writing(place: Place, contact: str) -> None:
    keys = {"contact": contact, "type": "application/sdp", "more": "Server: far end"}
    keys["body"] = session_description("@port@")
    call = place("answer-with-body", *TALK, keys=keys)
    check_answered(call)


ATTRIBUTES = (
    "a=rtcp-mux",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:0123456789012345678901",
    "a=candidate:1 1 UDP 2130706431 127.0.0.1 @port@ typ host",
    "a=setup:active",
    "a=mid:0",
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=silenceSupp:on - - - -",
    "a=X-unheard-of",
    "m=video 0 RTP/AVP 99",
)


@pytest.mark.interop("sipp", "odd-messages")
def test_a_description_full_of_attributes(place: Place) -> None:
    body = "\r\n".join((session_description("@port@"), *ATTRIBUTES))
    keys = {"contact": CONTACTS[0], "type": "application/sdp", "body": body, "more": "Server: far end"}
    call = place("answer-with-body", *TALK, keys=keys)
    check_answered(call)
    assert len(call.heard) > 30


ISUP = "\r\n".join(
    (
        "--edge",
        "Content-Type: application/sdp",
        "",
        session_description("@port@"),
        "--edge",
        "Content-Type: application/isup;version=itu-t92+",
        "Content-Disposition: signal;handling=optional",
        "",
        "acm",
        "--edge--",
    )
)


@pytest.mark.interop("sipp", "multipart")
@pytest.mark.parametrize("scenario", ["progress-with-body", "answer-with-body"])
def test_a_body_of_several_parts(place: Place, scenario: str) -> None:
    """SIP-I (ITU-T Q.1912.5): the description is one part, the exchange's own message another."""
    keys = {
        "contact": CONTACTS[0],
        "type": "multipart/mixed;boundary=edge",
        "body": ISUP,
        "more": "MIME-Version: 1.0",
    }
    call = place(scenario, *TALK, keys=keys)
    check_answered(call)
    status = 183 if scenario.startswith("progress") else 200
    assert call.timeline("received", status=status)[0]["sdp"] is True
    assert len(call.heard) > 30


@pytest.mark.interop("sipp", "odd-messages")
def test_an_answer_without_a_description(place: Place) -> None:
    """The handset is off hook, so ACK and BYE must come, whatever the record says of the sound."""
    call = place("answer-without-sdp", *TALK)
    assert call.sipp_status == 0
    assert (call.record["outcome"], call.record["sip_status"]) == ("answered", 200)
    assert call.received("ACK")
    assert call.received("BYE")
    assert call.heard == []


@pytest.mark.interop("sipp", "record-route")
@pytest.mark.parametrize("loose", [True, False])
def test_requests_follow_the_route(place: Place, loose: bool) -> None:
    """Loose as of RFC 3261 section 16.12, strict as of RFC 2543: then the route is the request-URI."""
    hop = "<sip:[local_ip]:[local_port]" + (";lr>" if loose else ">")
    contact = "<sip:62@192.0.2.9:5099>"
    keys = {"route": hop, "contact": contact}
    call = place("route", *TALK, keys=keys)
    check_answered(call)
    (bye,) = call.received("BYE")
    where = bye.text.split()[1]
    if loose:
        assert where == "sip:62@192.0.2.9:5099"
        assert ";lr" in bye.header("Route")
    else:
        assert where.startswith("sip:127.0.0.1:")
        assert bye.header("Route") == contact


@pytest.mark.interop("sipp", "ipv6")
def test_over_ipv6(place: Place) -> None:
    call = place("answer", *TALK, host="::1")
    check_answered(call)
    assert len(call.heard) > 30
    (invite,) = call.received("INVITE")
    assert "c=IN IP6 ::1" in invite.text
