"""Calls that are answered, against sipp."""

from __future__ import annotations

import pytest

from tests.interop.checks import check_answered, check_honest
from tests.interop.conftest import Place

pytestmark = pytest.mark.peer("sipp")

TALK = ("--max-talk", "1")


@pytest.mark.interop("sipp", "udp", "answer")
def test_rings_and_answers(place: Place) -> None:
    call = place("answer", *TALK)
    check_answered(call)
    record = call.record
    assert record["sip_reason"] == "OK"
    assert record["q850"] is None
    assert record["answer_source"] == "signalling"
    assert record["post_dial_delay_ms"] == record["ring_started_ms"]
    assert record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)
    assert record["ring_to_answer_min_ms"] == record["ring_to_answer_ms"]
    assert record["answered_window_ms"] == [record["answered_ms"], record["answered_ms"]]
    assert record["rings"]["count"] == 1
    assert record["rings"]["source"] == "cadence"
    assert record["three_ring"] == "within"
    assert record["near_limit"] is False
    assert record["early_media"]["kind"] == "none"
    assert record["forwarding"]["detected"] is False
    assert record["media"]["codec"] == "PCMA"
    assert record["ended_by"] == "us"
    assert record["ended_ms"] - record["answered_ms"] == pytest.approx(1000, abs=250)


def test_time_line_names_each_message_with_its_clock(place: Place) -> None:
    call = place("answer", *TALK)
    first = call.record["timeline"][0]
    assert (first["t_ms"], first["event"], first["method"]) == (0.0, "sent", "INVITE")
    for status, reason, sdp in ((100, "Trying", None), (180, "Ringing", False), (200, "OK", True)):
        (entry,) = [e for e in call.timeline("received", status=status) if "request" not in e]
        assert entry["reason"] == reason
        assert entry["clock"] == "kernel"
        assert sdp is None or entry["sdp"] is sdp
    assert call.timeline("sent", method="ACK")
    assert call.timeline("sent", method="BYE")


def test_answer_without_any_provisional(place: Place) -> None:
    call = place("answer-at-once", *TALK)
    check_answered(call)
    record = call.record
    assert record["ring_started_ms"] is None
    assert record["post_dial_delay_ms"] is None
    assert record["ring_to_answer_ms"] is None
    assert record["rings"]["count"] is None
    assert record["three_ring"] == "not_applicable"


@pytest.mark.interop("sipp", "far-hang-up")
def test_far_end_hangs_up(place: Place) -> None:
    call = place("answer-then-hangs-up", "--max-talk", "20", wait_ms=900)
    check_honest(call)
    record = call.record
    assert record["outcome"] == "answered"
    assert record["ended_by"] == "them"
    assert record["ended_ms"] - record["answered_ms"] == pytest.approx(900, abs=150)
    assert call.timeline("received", method="BYE")
    assert not call.received("BYE")


@pytest.mark.interop("sipp", "early-media")
def test_sdp_comes_with_the_180(place: Place) -> None:
    call = place("ringing-with-sdp", *TALK)
    check_answered(call)
    assert call.record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)
    assert call.timeline("received", status=180)[0]["sdp"] is True


def test_183_is_not_ringing(place: Place) -> None:
    call = place("session-progress-then-ringing", *TALK)
    check_answered(call)
    record = call.record
    ringing = call.timeline("received", status=180)[0]
    assert record["ring_started_ms"] == ringing["t_ms"]
    assert record["ring_to_answer_ms"] == pytest.approx(call.gap_ms("180", "200"), abs=80)
    assert record["ring_started_ms"] > 1900


def test_183_alone_gives_no_ring_start(place: Place) -> None:
    call = place("session-progress", *TALK)
    check_answered(call)
    assert call.record["ring_started_ms"] is None
    assert call.record["three_ring"] == "not_applicable"


@pytest.mark.interop("sipp", "early-media", "media")
def test_silence_is_sent_before_the_answer(place: Place) -> None:
    """Some IMS lines give early media only to a phone that sends."""
    call = place("session-progress", *TALK)
    early_s = next(p.at_s for p in call.heard) - call.heard[-1].at_s
    assert -early_s > 2.0  # 1.2 s of early media and 1 s of talk
    assert {packet.payload_type for packet in call.heard} == {8}
    steps = {(b.sequence - a.sequence) % 2**16 for a, b in zip(call.heard, call.heard[1:], strict=False)}
    assert steps == {1}


@pytest.mark.interop("sipp", "in-call-requests")
def test_options_in_mid_call_is_answered(place: Place) -> None:
    call = place("options-in-call", *TALK)
    check_answered(call)
    (reply,) = [m for m in call.received("200") if m.header("CSeq").endswith("OPTIONS")]
    assert "INVITE" in reply.header("Allow")


def test_the_invite_is_what_the_standard_asks_for(place: Place) -> None:
    call = place("answer", *TALK, "--from", "sip:zongzhibanshi@127.0.0.1")
    (invite,) = call.received("INVITE")
    assert invite.text.startswith("INVITE sip:62@127.0.0.1:")
    assert ";rport" in invite.header("Via")
    assert "branch=z9hG4bK" in invite.header("Via")
    assert invite.header("From").startswith("<sip:zongzhibanshi@127.0.0.1>;tag=")
    assert ";tag=" not in invite.header("To")
    assert invite.header("Call-ID") == call.record["call_id"]
    assert int(invite.header("Max-Forwards")) == 70
    assert "100rel" in invite.header("Supported")
    address = invite.audio_address
    assert address is not None
    assert address[0] == "127.0.0.1"
    assert address[1] % 2 == 0
    (ack,) = call.received("ACK")
    assert ack.header("CSeq").split()[0] == invite.header("CSeq").split()[0]
    (bye,) = call.received("BYE")
    assert int(bye.header("CSeq").split()[0]) > int(invite.header("CSeq").split()[0])
