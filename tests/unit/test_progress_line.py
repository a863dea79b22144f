"""The feature bank, the tone plan and the listener, by lines made by formula and by the shared sounds."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from sip.progress import (
    FEATURES,
    FeatureBank,
    LineListener,
    default_plan,
    load_plan,
    power_dbm0,
)
from tests.line_sounds import (
    BUSY,
    CALL_WAITING,
    CONGESTION,
    RINGBACK,
    UNOBTAINABLE,
    amplitude,
    cadence,
    chords,
    columns_of,
    listen,
    shared_sounds,
    silence,
    sine,
    through,
    voice,
    white_noise,
)


def kinds(sound: np.ndarray) -> list[str]:
    return [s.kind for s in listen(through("alaw", sound)).segments]


def column(sound: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, columns_of(sound)[1].tolist(), strict=True))


# --- features ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hz", [400.2, 450.2, 950.0, 1103.3, 2100.0])
def test_the_strongest_partial_is_found_between_the_bins(hz: float) -> None:
    found = column(sine(0.1, hz))
    assert found["peak_hz"] == pytest.approx(hz, abs=0.3)
    assert found["peak_share"] > 0.99


def test_levels_are_those_of_g711() -> None:
    full = sum(column(sine(0.1, 1000.0, 3.14))[f"power_{q}"] for q in range(4)) / 4
    assert float(power_dbm0(np.array(full))) == pytest.approx(3.14, abs=0.01)
    assert amplitude(3.14) == 1.0
    assert float(power_dbm0(np.array(0.0))) < -120.0


def test_the_tone_s_amplitude_turns_with_its_deviation() -> None:
    found = column(sine(0.1, 455.0, -10.0))
    z = [complex(found[f"tone_re_{q}"], found[f"tone_im_{q}"]) for q in range(4)]
    assert abs(z[0]) ** 2 == pytest.approx(found["power_0"], rel=0.2)
    turns = [np.angle(after / before) / (2 * np.pi * 0.005) for before, after in itertools.pairwise(z)]
    assert np.mean(turns) == pytest.approx(5.0, abs=0.5)


def test_an_offset_adds_no_power_and_rows_do_not_mix() -> None:
    bank = FeatureBank(4)
    wave = sine(0.02, 450.0)
    together = bank.push(np.array([0, 3, 1]), np.stack((wave, wave + 0.25, np.zeros(160, np.float32))))
    alone = bank.push(np.array([2]), wave[None])
    assert together[0] == pytest.approx(alone[0], abs=1e-5)
    assert together[1, :12] == pytest.approx(alone[0, :12], abs=1e-5)
    assert not together[2].any()


def test_the_bank_refuses_what_does_not_fit_and_cleans_what_is_not_finite() -> None:
    bank = FeatureBank(2)
    with pytest.raises(ValueError, match=r"pcm must be \[2, 160\]"):
        bank.push(np.arange(2), np.zeros((2, 80), np.float32))
    with pytest.raises(IndexError, match="row 2 is outside"):
        bank.reset(2)
    assert bank.push(np.arange(0), np.zeros((0, 160), np.float32)).shape == (0, len(FEATURES))
    wild = np.full((2, 160), np.nan, np.float32)
    wild[1] = np.inf
    assert np.isfinite(bank.push(np.arange(2), wild)).all()


# --- the plan ----------------------------------------------------------------------------------------------


def test_the_plan_of_china() -> None:
    plan = default_plan()
    ringback = plan.cadence("ringback")
    assert ringback is not None
    assert (plan.tone_hz, ringback.on_off_ms) == (450.0, (1000.0, 4000.0))
    assert plan.fits(800.0, 1000.0)
    assert plan.fits(1200.0, 1000.0)
    assert not plan.fits(1250.0, 1000.0)
    assert plan.cadence("speech") is None
    assert {s.kind for s in plan.signals} == {"howler", "fax_cng", "fax_ced", "beep"}


def test_another_plan_can_be_loaded(tmp_path: Path) -> None:
    shipped = Path(load_plan.__globals__["__file__"]).parent / "plans" / "cn.toml"
    path = tmp_path / "slow.toml"
    path.write_text(
        shipped.read_text(encoding="utf-8").replace("[1000, 4000]", "[2000, 4000]"), encoding="utf-8"
    )
    columns = columns_of(cadence((2.0, 4.0), 11.0)[0])
    listener = LineListener(load_plan(path))
    listener.push(0.0, columns, np.ones(len(columns), np.bool_))
    assert len(listener.finish(11_000.0).bursts) == 2
    assert listen(cadence((2.0, 4.0), 11.0)[0]).bursts == ()


# --- tones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        (cadence(RINGBACK, 10.0)[0], ["ringback"]),
        (cadence(BUSY, 4.0)[0], ["busy"]),
        (cadence(CONGESTION, 6.0)[0], ["congestion"]),
        (cadence(UNOBTAINABLE, 6.0)[0], ["unobtainable"]),
        (cadence(CALL_WAITING, 10.0)[0], ["call_waiting"]),
        (sine(5.0), ["dial_tone"]),
        (sine(4.0, 950.0), ["howler"]),
        (np.concatenate((silence(1.0), sine(3.0, 2100.0), silence(1.0))), ["silence", "fax_ced", "silence"]),
        (
            np.concatenate((sine(0.5, 1100.0), silence(3.0), sine(0.5, 1100.0))),
            ["fax_cng", "silence", "fax_cng"],
        ),
        (np.concatenate((cadence(RINGBACK, 10.0)[0], cadence(BUSY, 4.0)[0])), ["ringback", "busy"]),
        (
            np.concatenate((voice(3.0), silence(0.3), sine(0.5, 1000.0), silence(3.0))),
            ["speech", "silence", "beep", "silence"],
        ),
        (sine(4.0, 1000.0), ["noise"]),
        (white_noise(5.0, -35.0), ["noise"]),
        (white_noise(5.0, -55.0), ["silence"]),
        (chords(8.0), ["music"]),
        (voice(8.0), ["speech"]),
    ],
)
def test_every_kind_has_its_name(sound: np.ndarray, expected: list[str]) -> None:
    found = kinds(sound)
    assert [k for k in found if k != "silence" or "silence" in expected] == expected


@pytest.mark.parametrize("hz", [395.0, 403.0, 485.0, 500.0])
def test_other_frequencies_do_not_ring(hz: float) -> None:
    assert listen(through("alaw", cadence(RINGBACK, 12.0, hz)[0])).bursts == ()


@pytest.mark.parametrize(("first_hz", "second_hz"), [(425.0, 480.0), (350.0, 440.0), (440.0, 510.0)])
def test_pairs_of_no_plan_do_not_ring(first_hz: float, second_hz: float) -> None:
    sound = cadence((2.0, 4.0), 12.0, first_hz, -13.0)[0] + cadence((2.0, 4.0), 12.0, second_hz, -13.0)[0]
    assert listen(through("alaw", sound)).bursts == ()


def test_a_tone_below_the_floor_is_no_ring() -> None:
    assert listen(through("alaw", cadence(RINGBACK, 12.0, dbm0=-43.0)[0])).bursts == ()


def test_three_lost_packets_in_a_burst_are_bridged_and_more_are_told_apart() -> None:
    sound, _ = cadence(RINGBACK, 9.0, lead_s=0.5)
    sound[8_000:8_480] = 0.0
    heard = listen(sound)
    assert len(heard.bursts) == 2
    assert heard.bursts[0].end_ms - heard.bursts[0].start_ms == pytest.approx(1_000.0, abs=10.0)


def test_ringback_that_starts_again_out_of_step_is_found() -> None:
    sound = np.concatenate((cadence(RINGBACK, 8.2)[0], cadence(RINGBACK, 9.0)[0]))
    starts = [burst.start_ms for burst in listen(through("alaw", sound)).bursts]
    assert starts == pytest.approx([0.0, 5_000.0, 8_200.0, 13_200.0], abs=10.0)


def test_ringback_on_a_hissing_line_is_one_segment() -> None:
    sound = cadence(RINGBACK, 13.0)[0] + white_noise(13.0, -42.0)
    heard = listen(through("alaw", sound))
    assert len(heard.bursts) == 3
    assert [s.kind for s in heard.segments] == ["ringback"]


def test_a_burst_in_progress_is_named_when_it_is_too_long_for_busy() -> None:
    columns = columns_of(cadence(RINGBACK, 2.0)[0])
    listener = LineListener()
    named = []
    for at in range(50):
        listener.push(at * 20.0, columns[at : at + 1], np.ones(1, np.bool_))
        named.append(bool(listener.heard().bursts))
    assert not any(named[:40])
    assert named[49]


# --- the stream ---------------------------------------------------------------------------------------------


def test_nothing_pushed_is_nothing_heard() -> None:
    heard = LineListener().finish(1_000.0)
    assert (heard.segments, heard.bursts, heard.recognised, heard.first_ms) == ((), (), (), None)


def test_columns_without_packets_are_no_silence() -> None:
    columns = columns_of(silence(10.0))
    came = np.zeros(500, np.bool_)
    came[100:200] = True
    listener = LineListener()
    listener.push(0.0, columns, came)
    heard = listener.finish(10_000.0)
    assert heard.first_ms == 2_000.0
    assert [(s.kind, s.start_ms, s.end_ms) for s in heard.segments] == [("silence", 2_000.0, 4_000.0)]


def test_a_gap_in_the_columns_keeps_the_time_line() -> None:
    ring = columns_of(sine(1.0))
    listener = LineListener()
    for start_ms in (300.0, 5_300.0):
        listener.push(start_ms, ring, np.ones(len(ring), np.bool_))
    starts = [burst.start_ms for burst in listener.finish(7_000.0).bursts]
    assert starts == pytest.approx([300.0, 5_300.0], abs=5.0)


def test_a_long_busy_tone_is_recognised_once() -> None:
    heard = listen(cadence(BUSY, 120.0)[0], block=50)
    assert [tone.kind for tone in heard.recognised] == ["busy"]
    assert [(s.kind, s.start_ms, s.end_ms) for s in heard.segments] == [("busy", 0.0, 120_000.0)]


def test_finish_may_be_asked_twice() -> None:
    columns = columns_of(voice(3.0))
    listener = LineListener()
    listener.push(0.0, columns, np.ones(len(columns), np.bool_))
    assert listener.finish(3_000.0) == listener.finish(3_000.0) == listener.heard()


# --- real sounds --------------------------------------------------------------------------------------------

SHARED = pytest.mark.skipif(
    not shared_sounds("music"),
    reason="DUTYRING_TEST_AUDIO does not name the folder of the shared test sounds",
)


def as_called(path: Path) -> np.ndarray:
    sound, rate = soundfile.read(path, dtype="float32")
    if rate != 8_000:
        sound = soxr.resample(sound, rate, 8_000)
    return through("alaw", np.clip(sound * 0.1 / np.sqrt(np.mean(sound**2)), -1.0, 1.0))


def share(sound: np.ndarray, kind: str) -> float:
    heard = listen(sound)
    assert heard.bursts == ()
    assert heard.recognised == ()
    lengths = [(s.kind, s.end_ms - s.start_ms) for s in heard.segments if s.kind != "silence"]
    return sum(ms for found, ms in lengths if found == kind) / sum(ms for _, ms in lengths)


@SHARED
def test_real_speech_is_speech() -> None:
    paths = [*shared_sounds("speech-zh"), *shared_sounds("announcements")]
    assert min(share(as_called(path), "speech") for path in paths) > 0.9


@SHARED
def test_real_music_is_music() -> None:
    assert min(share(as_called(path), "music") for path in shared_sounds("music")) > 0.8


@pytest.mark.parametrize("asked", [True, False])
def test_what_follows_the_ringback_of_a_long_file_is_not_forgotten(asked: bool) -> None:
    # Levels are remembered for 60 s. A file asks what was heard only at its end, a call all the time.
    ringing = cadence(RINGBACK, 10.0, lead_s=1.0)[0]
    sound = np.concatenate((ringing, voice(70.0), silence(1.0)))
    columns, listener = columns_of(sound), LineListener()
    for at in range(0, len(columns), 100):
        block = columns[at : at + 100]
        listener.push(at * 20.0, block, np.ones(len(block), np.bool_))
        if asked:
            listener.heard()
    heard = listener.finish(len(columns) * 20.0)
    speech = [s for s in heard.segments if s.kind == "speech"]
    assert speech[0].start_ms == pytest.approx(10_000.0, abs=60.0)
    assert sum(s.end_ms - s.start_ms for s in speech) > 65_000.0
