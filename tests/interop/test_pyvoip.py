"""Calls to pyVoIP, whose messages are those of a phone written in an afternoon."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from tests.interop.calls import check_record, prompt_file, share_of
from tests.interop.conftest import Dial
from tests.interop.foreign import Foreigners
from tests.interop.pyvoip import TONE_HZ, start_pyvoip


@pytest.mark.interop("pyvoip", "udp", "answer", "media")
def test_rings_and_answers_with_sound_both_ways(foreigners: Foreigners, dial: Dial, tmp_path: Path) -> None:
    """Its sound has eight bits and comes in bursts, so its tone is looked for and not measured."""
    phone = start_pyvoip(foreigners, "answer")
    options = ("--max-talk", "2", "--record", "call.wav", "--say", str(prompt_file(tmp_path)))
    call = dial(f"sip:62@127.0.0.1:{phone.port}", *options).finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "us"
    assert call.record["ring_started_ms"] == call.timeline("received", status=180)[0]["t_ms"]
    assert call.record["ring_to_answer_ms"] == pytest.approx(1000, abs=300)
    assert call.record["media"]["received"] > 50
    samples, _ = soundfile.read(tmp_path / "call.wav")
    assert share_of(samples[:, 1], TONE_HZ) > 0.1
    assert phone.heard_frames() > 30
    # It sends no 100: where it is slow to ring, the INVITE comes once more.
    assert phone.received("INVITE") in (1, 2)
    # ACK and BYE went to its Contact, past the desk that stands for its registrar.
    assert call.timeline("received", status=200, request="BYE")


@pytest.mark.interop("pyvoip", "far-hang-up")
def test_far_end_hangs_up(foreigners: Foreigners, dial: Dial) -> None:
    """Its BYE carries the Via of our own INVITE, branch and all."""
    phone = start_pyvoip(foreigners, "hang-up")
    call = dial(f"sip:62@127.0.0.1:{phone.port}").finish()
    check_record(call, "answered")
    assert call.record["ended_by"] == "them"
    assert call.record["ended_ms"] - call.record["answered_ms"] == pytest.approx(1000, abs=400)
    assert phone.received("BYE") == 0


@pytest.mark.interop("pyvoip", "refused")
def test_declined(foreigners: Foreigners, dial: Dial) -> None:
    phone = start_pyvoip(foreigners, "busy")
    call = dial(f"sip:62@127.0.0.1:{phone.port}").finish()
    check_record(call, "rejected")
    assert call.record["sip_status"] == 486
    assert phone.received("ACK", 1) == 1
