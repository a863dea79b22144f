"""Calls to linphone's command line phone: belle-sip and mediastreamer, the stack of many soft phones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.calls import check_record, check_two_ways, prompt_file
from tests.interop.conftest import Dial
from tests.interop.foreign import Foreigners
from tests.interop.linphone import TONE_HZ, start_linphone

pytestmark = pytest.mark.peer("linphone")


@pytest.mark.interop("linphone", "udp", "answer", "media")
def test_rings_and_answers_with_sound_both_ways(foreigners: Foreigners, dial: Dial, tmp_path: Path) -> None:
    phone = start_linphone(foreigners)
    options = ("--max-talk", "2", "--record", "call.wav", "--say", str(prompt_file(tmp_path)))
    call = dial(f"sip:62@127.0.0.1:{phone.port}", *options).finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "us"
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]
    check_two_ways(call, tmp_path / "call.wav", TONE_HZ, phone.heard(), 1.5)


@pytest.mark.interop("linphone", "far-hang-up")
def test_far_end_hangs_up(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_linphone(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}")
    phone.process.wait_for("Media streams established")
    phone.command("terminate")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "them"


@pytest.mark.interop("linphone", "refused")
def test_declined_after_ringing(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_linphone(foreigners, answers=False)
    running = dial(f"sip:62@127.0.0.1:{phone.port}")
    phone.process.wait_for("Receiving new incoming call")
    phone.command("terminate")
    call = running.finish()
    check_record(call, "rejected")
    assert call.record["sip_status"] in (486, 603)
    assert call.record["ring_started_ms"] is not None


@pytest.mark.interop("linphone", "cancel")
def test_nobody_takes_the_call(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_linphone(foreigners, answers=False)
    call = dial(f"sip:62@127.0.0.1:{phone.port}", "--max-ring", "1").finish()
    check_record(call, "no_answer")
    assert call.record["ended_by"] == "us"
    assert call.timeline("received", status=487)
    assert phone.messages("CANCEL ")


@pytest.mark.interop("linphone", "hold")
def test_far_end_holds_and_resumes(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_linphone(foreigners)
    running = dial(f"sip:62@127.0.0.1:{phone.port}", "--max-talk", "4")
    phone.process.wait_for("Media streams established")
    phone.command("pause")
    phone.process.wait_for("is now paused")
    phone.command("resume")
    call = running.finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "us"
    reinvites = [
        text for text in phone.messages("INVITE ") if "tag=" in text.partition("To:")[2].splitlines()[0]
    ]
    assert len(reinvites) == 2
    assert "a=sendonly" in reinvites[0] or "a=inactive" in reinvites[0]
