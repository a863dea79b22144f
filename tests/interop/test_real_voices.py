"""Real speech, music and announcements as early media and after the answer, sent by sipp's far end.

The recordings are too large for this repository: `DUTYRING_TEST_AUDIO` names their folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.interop.checks import check_answered, check_not_answered
from tests.interop.conftest import Place
from tests.interop.sounds import RATE_HZ, Sound, alaw, silence

AUDIO = Path(os.environ.get("DUTYRING_TEST_AUDIO", "/nonexistent"))

pytestmark = [
    pytest.mark.peer("sipp"),
    pytest.mark.skipif(not AUDIO.is_dir(), reason="DUTYRING_TEST_AUDIO names no folder of recordings"),
]


def recording(pattern: str, *, seconds: float, lead_s: float = 0.3, peak: float = 0.35) -> Sound:
    """Return the first recording that matches, as a line sends it, after a breath of silence."""
    samples, rate = soundfile.read(sorted(AUDIO.glob(pattern))[0], always_2d=True)
    mono = soxr.resample(samples[:, 0], rate, RATE_HZ)[: round(seconds * RATE_HZ)]
    return Sound(alaw(np.concatenate([silence(lead_s), mono * peak / np.max(np.abs(mono))])))


def test_a_person_answers(place: Place) -> None:
    call = place("answer", "--max-talk", "6", sounds={200: recording("speech-zh/*.wav", seconds=5)})
    check_answered(call)
    assert call.record["answered_by"] == "human"
    assert "speech" in {segment["kind"] for segment in call.record["after_answer"]["segments"]}


@pytest.mark.parametrize("piece", ["cold_day", "robot_dity"])
def test_colour_ring(place: Place, piece: str) -> None:
    """Music before the answer is 彩铃: ring start is its onset or the 180, and rings cannot be counted."""
    music = recording(f"music/*{piece}*", seconds=9, lead_s=0.0)
    call = place("ringing-with-sdp", "--max-talk", "2", wait_ms=7000, sounds={180: music})
    check_answered(call)
    assert call.record["early_media"]["kind"] == "crbt"
    assert call.record["rings"]["count"] is None
    assert call.record["ring_started_ms"] is not None
    assert call.record["forwarding"]["detected"] is False


def test_announcement_before_a_refusal(place: Place) -> None:
    sound = recording("announcements/off2*.wav", seconds=8)
    keys = {"final": "480 Temporarily Unavailable"}
    call = place("progress-then-refuse", wait_ms=6000, sounds={183: sound}, keys=keys)
    check_not_answered(call, "unreachable")
    assert call.record["early_media"]["kind"] == "announcement"
    assert call.record["ring_started_ms"] is None
