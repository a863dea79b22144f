"""The sounds of the simulated lines: frequencies, cadences and levels by measurement, not by their formulas."""

import itertools

import numpy as np
import pytest

from sip.simulator import RATE_HZ, clips, duration_s, level_dbm0, sound, sound_names

SPOKEN = sorted(clips())


def spectrum_peak_hz(samples):
    """The strongest frequency, to a tenth of a hertz."""
    size = 1 << 17
    window = np.hanning(len(samples))
    return float(np.argmax(np.abs(np.fft.rfft(samples * window, size))) * RATE_HZ / size)


def bursts_s(samples, floor_dbm0=-30.0):
    """(start, end) of what is louder than the floor, by the level of 2 ms frames."""
    frames = samples[: len(samples) // 16 * 16].reshape(-1, 16)
    loud = np.array([level_dbm0(frame) > floor_dbm0 for frame in frames])
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(int), [0]))))
    return [(start * 0.002, end * 0.002) for start, end in edges.reshape(-1, 2)]


@pytest.mark.parametrize(
    ("name", "frequency_hz", "on_s", "period_s"),
    [
        ("ringback", 450, [1.0], 5.0),
        ("busy", 450, [0.35], 0.7),
        ("congestion", 450, [0.7], 1.4),
        ("unobtainable", 450, [0.1, 0.1, 0.1, 0.4], 1.4),
        ("cng", 1100, [0.5], 3.5),
    ],
)
def test_cadenced_tones(name, frequency_hz, on_s, period_s):
    samples = sound(name)
    heard = bursts_s(np.concatenate([samples, samples]))[: len(on_s)]
    assert duration_s(name) == pytest.approx(period_s)
    assert [end - start for start, end in heard] == pytest.approx(on_s, abs=0.006)
    burst = samples[round(heard[0][0] * RATE_HZ) : round(heard[0][1] * RATE_HZ)]
    assert spectrum_peak_hz(burst) == pytest.approx(frequency_hz, abs=0.5)
    assert level_dbm0(burst[80:-80]) == pytest.approx(-10.0, abs=0.3)


@pytest.mark.parametrize(
    ("name", "frequency_hz", "seconds"), [("ced", 2100, 3.0), ("beep", 1000, 1.0), ("ansam", 2100, 3.0)]
)
def test_single_tones(name, frequency_hz, seconds):
    samples = sound(name)
    assert duration_s(name) == seconds
    assert level_dbm0(samples) == pytest.approx(-12.0, abs=0.3)
    if name != "ansam":
        assert spectrum_peak_hz(samples) == pytest.approx(frequency_hz, abs=0.5)


def test_ansam_turns_its_phase_each_450_ms_and_swings_at_15_hz():
    samples = sound("ansam").astype(float)
    time_s = np.arange(len(samples)) / RATE_HZ
    baseband = samples * np.exp(-2j * np.pi * 2100 * time_s)
    smooth = baseband[: len(baseband) // 80 * 80].reshape(-1, 80).mean(axis=1)
    turned = np.abs(np.angle(smooth[1:] / smooth[:-1])) > 2
    turns_ms = np.flatnonzero(turned) * 10 + 10
    assert np.diff(turns_ms) == pytest.approx(np.full(len(turns_ms) - 1, 450), abs=10)
    swing = np.abs(smooth[3:42])
    assert swing.max() / swing.min() == pytest.approx(1.2 / 0.8, rel=0.05)


def test_a_fax_answers_with_its_tone_and_then_v21_of_channel_two():
    samples = sound("fax_answer").astype(float)
    assert level_dbm0(samples[: int(0.39 * RATE_HZ)]) == -np.inf
    assert spectrum_peak_hz(samples[int(0.5 * RATE_HZ) : int(3.3 * RATE_HZ)]) == pytest.approx(2100, abs=0.5)
    preamble = samples[int(3.6 * RATE_HZ) : int(4.4 * RATE_HZ)]
    power = np.abs(np.fft.rfft(preamble)) ** 2
    hertz = np.fft.rfftfreq(len(preamble), 1 / RATE_HZ)
    assert power[(hertz > 1500) & (hertz < 2000)].sum() > 0.95 * power.sum()


def test_the_tune_is_music_and_has_no_seam():
    tune = sound("melody").astype(float)
    assert duration_s("melody") > 20
    assert level_dbm0(tune) == pytest.approx(-16.0, abs=0.5)
    assert np.abs(tune).max() < 0.85 * 32767
    # Many partials move at once: no second of it is one tone, and no two seconds sound the same.
    spectra = []
    for start in range(0, len(tune) - RATE_HZ, RATE_HZ):
        power = np.abs(np.fft.rfft(tune[start : start + RATE_HZ] * np.hanning(RATE_HZ))) ** 2
        assert power.max() / power.sum() < 0.45
        assert power[3400:].sum() / power.sum() < 0.1
        spectra.append(power / np.linalg.norm(power))
    assert np.median([a @ b for a, b in itertools.pairwise(spectra)]) < 0.9
    looped = np.concatenate([tune[-40:], tune[:40]])
    assert np.abs(np.diff(looped)).max() < np.abs(np.diff(tune)).max()


@pytest.mark.parametrize("name", SPOKEN)
def test_spoken_clips_are_telephone_speech(name):
    samples = sound(name)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(float)
    power = (frames**2).mean(axis=1)
    active = frames[power > power.max() * 10**-2.5].ravel()
    assert 2.0 < duration_s(name) < 12.0
    assert level_dbm0(active) == pytest.approx(-15.0, abs=1.0)
    assert np.abs(samples.astype(int)).max() < 32000
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    assert spectrum[(hertz < 150) | (hertz > 3600)].sum() < 0.01 * spectrum.sum()


def test_several_speakers_and_the_words_of_each_clip():
    assert len({clip.voice for clip in clips().values()}) == 5
    assert len([name for name in clips() if name.startswith("officer_")]) >= 10
    assert "空号" in clips()["empty_number"].text
    assert "滴声" in clips()["mailbox"].text
    assert all(clip.text.endswith(("。", "？")) for clip in clips().values())


def test_sounds_are_shared_and_cannot_be_changed():
    assert sound("busy") is sound("busy")
    with pytest.raises(ValueError, match="read-only"):
        sound("busy")[0] = 1
    with pytest.raises(KeyError):
        sound("no such sound")
    assert len(set(sound_names())) == len(sound_names())
