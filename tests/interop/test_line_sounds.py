"""Calls whose sound matters, against sipp: ringback and tones before and after the 200, odd packets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.interop.checks import check_answered, check_not_answered
from tests.interop.conftest import Place
from tests.interop.sounds import RATE_HZ, Sound, alaw, babble, busy, ringback, silence

pytestmark = pytest.mark.peer("sipp")

VOICE = Sound(alaw(babble(4.0)))


def check_two_rings(record: dict, opened_ms: float) -> None:
    """Two bursts of a second, five seconds apart, the first soon after the sound opened."""
    assert record["rings"]["count"] == 2, (record["rings"], record["media"], record["early_media"])
    assert record["rings"]["source"] == "audio"
    first, second = record["rings"]["bursts"][:2]
    assert first["start_ms"] == pytest.approx(opened_ms, abs=150)
    for burst in (first, second):
        assert burst["end_ms"] - burst["start_ms"] == pytest.approx(1000, abs=40)
        assert burst["frequency_hz"] == pytest.approx(450, abs=3)
        assert burst["level_dbm0"] == pytest.approx(-10, abs=1)
    assert second["start_ms"] - first["start_ms"] == pytest.approx(5000, abs=40)


def test_ringback_in_early_media_is_ring_start(place: Place, tmp_path: Path) -> None:
    sounds = {183: Sound(alaw(ringback(3))), 200: VOICE}
    call = place("session-progress", "--max-talk", "2", "--record", "call.flac", wait_ms=6500, sounds=sounds)
    check_answered(call)
    record = call.record
    opened_ms = call.timeline("received", status=183)[0]["t_ms"]
    check_two_rings(record, opened_ms)
    assert record["ring_started_ms"] == pytest.approx(opened_ms, abs=150)
    assert record["ring_started_ms"] == record["rings"]["bursts"][0]["start_ms"]
    assert record["early_media"]["kind"] == "ringback"
    assert record["answer_source"] == "signalling"
    assert record["media"]["lost"] == 0
    assert record["media"]["first_packet_ms"] == pytest.approx(opened_ms, abs=150)
    check_recording(record, tmp_path)


def check_recording(record: dict, folder: Path) -> None:
    info = record["recording"]
    path = folder / info["path"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == info["sha256"]
    samples, rate = soundfile.read(path)
    assert (rate, samples.shape[1]) == (8000, 2) == (info["sample_rate"], info["channels"])
    duration_ms = len(samples) / 8
    assert duration_ms == pytest.approx(record["ended_ms"], abs=20)
    assert duration_ms == pytest.approx(info["duration_ms"], abs=1)
    ours, theirs = samples[:, 0], samples[:, 1]
    burst = record["rings"]["bursts"][0]
    inside = slice(round(burst["start_ms"] * 8) + 400, round(burst["end_ms"] * 8) - 400)
    before = slice(0, max(round(burst["start_ms"] * 8) - 160, 1))
    assert np.sqrt(np.mean(theirs[inside] ** 2)) > 0.1
    assert np.max(np.abs(theirs[before])) < 0.01
    assert np.max(np.abs(ours)) < 0.01


def test_ringback_of_sipps_own_rtp(place: Place, tmp_path: Path) -> None:
    (tmp_path / "ringback.al").write_bytes(alaw(ringback(2)))
    call = place("session-progress-own-sound", "--max-talk", "1", wait_ms=6800)
    check_answered(call)
    assert call.record["rings"]["count"] == 2
    assert call.record["rings"]["source"] == "audio"
    assert call.record["early_media"]["kind"] == "ringback"


@pytest.mark.interop("sipp", "media")
@pytest.mark.parametrize(
    ("payload_type", "ptime_ms", "suppress"),
    [(8, 30, False), (8, 40, False), (8, 10, False), (8, 20, True), (8, 60, True)],
)
def test_any_packet_size_and_silence_suppression(
    place: Place, payload_type: int, ptime_ms: int, suppress: bool
) -> None:
    sound = Sound(alaw(ringback(3)), ptime_ms=ptime_ms, suppress_silence=suppress)
    call = place(
        "session-progress",
        "--max-talk",
        "1",
        wait_ms=6500,
        sounds={183: sound},
        payload_type=payload_type,
        ptime_ms=ptime_ms,
    )
    check_answered(call)
    check_two_rings(call.record, call.timeline("received", status=183)[0]["t_ms"])
    assert call.record["media"]["lost"] == 0
    assert call.record["early_media"]["kind"] == "ringback"


def test_busy_tone_instead_of_a_status(place: Place) -> None:
    call = place("progress-until-cancelled", sounds={183: Sound(alaw(busy(20)))})
    check_not_answered(call, "busy")
    assert call.record["early_media"]["kind"] == "busy"
    assert call.record["ended_by"] == "us"
    assert call.timeline("sent", method="CANCEL")


def test_busy_tone_after_ringing_is_no_answer(place: Place) -> None:
    sound = Sound(alaw(np.concatenate([ringback(1), busy(20)])))
    call = place("progress-until-cancelled", sounds={183: sound})
    check_not_answered(call, "no_answer")
    assert call.record["rings"]["count"] == 1
    assert call.record["ring_started_ms"] is not None


def test_gateway_answers_at_once_and_rings_in_band(place: Place) -> None:
    """The answer is where another sound begins; the pick-up lies between the last burst and that moment."""
    line = np.concatenate([ringback(1), ringback(1)[: round(3.0 * RATE_HZ)], babble(6.0)])
    call = place("answer-at-once", "--max-talk", "4", sounds={200: Sound(alaw(line))})
    check_answered(call)
    record = call.record
    connected_ms = record["connected_ms"]
    told = (record["rings"], record["media"], record["after_answer"], record["timeline"])
    assert record["answer_source"] == "in_band", told
    assert record["rings"]["count"] == 2
    assert record["rings"]["source"] == "audio"
    assert record["ring_started_ms"] == pytest.approx(connected_ms, abs=150)
    assert record["answered_ms"] == pytest.approx(connected_ms + 8000, abs=500)
    begin_ms, end_ms = record["answered_window_ms"]
    assert begin_ms == pytest.approx(connected_ms + 6000, abs=200)
    assert end_ms == record["answered_ms"]
    assert record["ring_to_answer_min_ms"] == pytest.approx(begin_ms - record["ring_started_ms"], abs=0.01)
    assert record["ring_to_answer_ms"] == pytest.approx(end_ms - record["ring_started_ms"], abs=0.01)
    assert record["ended_ms"] - record["answered_ms"] == pytest.approx(4000, abs=600)


def test_ringback_that_runs_ahead_of_a_lost_answer_is_the_gateways(place: Place) -> None:
    """The first 200 is lost: half of the first burst is heard before the second one tells whose sound that is."""
    lost: list[bytes] = []

    def lose_first(datagram: bytes) -> tuple[bytes, ...]:
        if datagram.startswith(b"SIP/2.0 200") and b"INVITE" in datagram and not lost:
            lost.append(datagram)
            return ()
        return (datagram,)

    line = np.concatenate([ringback(1), ringback(1)[: round(3.0 * RATE_HZ)], babble(6.0)])
    call = place("answer-at-once", "--max-talk", "4", sounds={200: Sound(alaw(line))}, outward=lose_first)
    check_answered(call)
    record = call.record
    began_ms = record["ring_started_ms"]
    assert record["connected_ms"] - began_ms > 300, "the sound ran ahead"
    assert record["answer_source"] == "in_band"
    assert record["rings"]["count"] == 2
    assert record["answered_ms"] == pytest.approx(began_ms + 8000, abs=500)


def test_gateway_rings_in_band_and_nobody_comes(place: Place) -> None:
    call = place("answer-at-once", "--max-ring", "7", sounds={200: Sound(alaw(ringback(3)), loop=True)})
    check_not_answered(call, "no_answer")
    record = call.record
    assert record["sip_status"] == 200
    assert record["connected_ms"] is not None
    assert record["ended_by"] == "us"
    assert record["ended_ms"] - record["ring_started_ms"] == pytest.approx(7000, abs=600)
    assert call.received("BYE")


def test_silent_answer(place: Place) -> None:
    sounds = {200: Sound(alaw(silence(1.0)), loop=True)}
    call = place("answer", "--max-talk", "6", sounds=sounds)
    check_answered(call)
    assert call.record["answered_by"] == "silence"


def test_prompt_is_heard_by_the_far_end(place: Place, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "prompt.wav", babble(1.5).repeat(2), 16_000, subtype="PCM_16")
    call = place(
        "answer", "--max-talk", "3", "--say", "prompt.wav", "--record", "call.wav", sounds={200: VOICE}
    )
    check_answered(call)
    loud = [p for p in call.heard if len(set(p.payload)) > 20]
    assert 1.0 < len(loud) * 0.02 < 2.0
    samples, rate = soundfile.read(tmp_path / "call.wav")
    assert rate == 8000
    begin = round(call.record["answered_ms"] * 8)
    assert np.max(np.abs(samples[: begin - 80, 0])) < 0.01
    assert np.max(np.abs(samples[begin : begin + 16_000, 0])) > 0.05
    assert np.max(np.abs(samples[begin + 800 :, 1])) > 0.05
