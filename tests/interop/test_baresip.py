"""Calls to baresip: a phone with a timing, a media engine and a taste in headers of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.interop.baresip import TONE_HZ, start_baresip
from tests.interop.calls import check_record, check_two_ways, prompt_file
from tests.interop.conftest import Dial
from tests.interop.foreign import Foreigners

pytestmark = pytest.mark.peer("baresip")


@pytest.mark.interop("baresip", "udp", "answer", "media")
def test_rings_and_answers_with_sound_both_ways(foreigners: Foreigners, dial: Dial, tmp_path: Path) -> None:
    phone = start_baresip(foreigners)
    options = ("--max-talk", "1.5", "--record", "call.wav", "--say", str(prompt_file(tmp_path)))
    running = dial(f"sip:62@127.0.0.1:{phone.port}", *options)
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    phone.wait_event("CALL_ESTABLISHED")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["sip_reason"] == "Answering"
    assert (call.record["answer_source"], call.record["ended_by"]) == ("signalling", "us")
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]
    check_two_ways(call, tmp_path / "call.wav", TONE_HZ, phone.heard(), 1.5)


@pytest.mark.interop("baresip", "far-hang-up")
def test_far_end_hangs_up(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_baresip(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}")
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    phone.wait_event("CALL_ESTABLISHED")
    phone.command("hangup")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "them"
    assert call.timeline("received", method="BYE")


@pytest.mark.interop("baresip", "refused")
def test_declined_after_ringing(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_baresip(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}")
    phone.wait_event("CALL_INCOMING")
    phone.command("hangup")
    call = running.finish()
    check_record(call, "rejected")
    assert call.record["sip_status"] == 486
    assert call.record["ring_started_ms"] is not None


@pytest.mark.interop("baresip", "cancel")
def test_nobody_takes_the_call(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_baresip(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}", "--max-ring", "1")
    phone.wait_event("CALL_INCOMING")
    phone.wait_event("CALL_CLOSED")
    call = running.finish()
    check_record(call, "no_answer")
    assert call.record["ended_by"] == "us"
    assert call.timeline("received", status=487)


@pytest.mark.interop("baresip", "early-media")
def test_early_media_is_opened_by_a_183(foreigners: Foreigners, dial: Dial) -> None:
    """baresip 1.0 describes itself in the 183 and takes our packets, but plays nothing before the answer."""
    phone = start_baresip(foreigners, answers="early")
    running = dial(f"sip:62@127.0.0.1:{phone.port}", "--max-talk", "1")
    phone.wait_event("CALL_RTPESTAB")
    phone.command("accept")
    call = running.finish()
    check_record(call, "answered")
    (early,) = call.timeline("received", status=183)
    assert early["sdp"] is True
    assert call.record["answered_ms"] > early["t_ms"]
    assert call.record["media"]["received"] > 30


@pytest.mark.interop("baresip", "hold")
def test_far_end_holds_and_resumes(foreigners: Foreigners, dial: Dial) -> None:
    """While it holds us it gets no sound of ours, and the call goes on after it."""
    phone = start_baresip(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}", "--max-talk", "3")
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    phone.wait_event("CALL_ESTABLISHED")
    phone.command("hold")
    phone.process.wait_for("a=recvonly")
    phone.command("resume")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "us"
    offers = re.findall(r"a=(send\w+|recv\w+|inactive)", phone.process.text())
    # Our offer, their answer, their hold and our answer to it, their resumption and ours.
    assert offers[:6] == ["sendrecv", "sendrecv", "sendonly", "recvonly", "sendrecv", "sendrecv"]


@pytest.mark.interop("baresip", "dtmf-sent")
def test_digits_that_we_send_are_heard(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_baresip(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}", "--send-digits", "w62#", "--max-ring", "2")
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    heard = [phone.wait_event("CALL_DTMF_START")["param"] for _ in range(3)]
    running.finish()
    assert heard == ["6", "2", "#"]


@pytest.mark.interop("baresip", "dtmf-received")
def test_digits_that_it_sends_are_heard(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_baresip(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}", "--max-talk", "2")
    phone.wait_event("CALL_INCOMING")
    phone.command("accept")
    phone.wait_event("CALL_ESTABLISHED")
    phone.command("sndcode", "5")
    call = running.finish()
    check_record(call, "answered")
    assert [entry["digit"] for entry in call.record["dtmf"]] == ["5"]
