"""The level track and the spectrogram: bounded in size, true to the sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.progress import COLUMN_MS, FeatureBank, LineListener, Spectrogram
from sip.progress.level import MOST_STEPS, LevelMeter
from sip.progress.spectrogram import BINS, MOST_COLUMNS
from tests.line_sounds import sine


def columns(levels_dbm0: list[float]) -> np.ndarray:
    """Return the feature columns of 450 Hz, 20 ms at each level."""
    pcm = np.stack([sine(0.02, dbm0=level) for level in levels_dbm0])
    return FeatureBank(len(pcm)).push(np.arange(len(pcm)), pcm)


def test_a_step_holds_its_loudest_column() -> None:
    meter = LevelMeter()
    meter.push(40.0, columns([-30.0, -12.0, -30.0, -30.0, -30.0, -25.0, -26.0]), np.ones(7, bool))
    track = meter.track()
    assert track is not None
    assert (track.start_ms, track.step_ms) == (40.0, 100.0)
    assert track.dbm0 == (-12, -25)


def test_where_nothing_came_there_is_no_level() -> None:
    meter = LevelMeter()
    assert meter.track() is None
    meter.push(0.0, columns([-20.0] * 5), np.ones(5, bool))
    meter.push(300.0, columns([-20.0] * 10), np.array([False] * 5 + [True] * 5))
    track = meter.track()
    assert track is not None
    assert track.dbm0 == (-20, None, None, None, -20)


def test_a_call_of_hours_has_no_longer_track() -> None:
    meter = LevelMeter()
    quiet, loud = columns([-40.0] * 500), columns([-10.0] * 5)
    for n in range(800):
        meter.push(n * 10_000.0, quiet, np.ones(500, bool))
    meter.push(8_000_000.0, loud, np.ones(5, bool))
    track = meter.track()
    assert track is not None
    assert MOST_STEPS / 2 < len(track.dbm0) <= MOST_STEPS
    assert track.step_ms == 3_200.0
    assert set(track.dbm0[:-1]) == {-40}
    assert track.dbm0[-1] == -10
    assert len(track.dbm0) * track.step_ms == pytest.approx(8_000_100.0, abs=track.step_ms)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 4_000), st.integers(1, 700)), min_size=1, max_size=12))
def test_the_parts_of_a_stream_do_not_change_its_track(parts: list[tuple[int, int]]) -> None:
    meter, at, last = LevelMeter(), 0, 0
    whole: dict[int, int] = {}
    column = columns([-20.0])
    for gap, count in parts:
        at += gap
        meter.push(at * COLUMN_MS, np.repeat(column, count, axis=0), np.ones(count, bool))
        whole |= dict.fromkeys(range(at, at + count), -20)
        at = last = at + count
    track = meter.track()
    assert track is not None
    per = round(track.step_ms / COLUMN_MS)
    first = parts[0][0]
    expected = [
        -20 if any(first + n in whole for n in range(step * per, (step + 1) * per)) else None
        for step in range(-(-(last - first) // per))
    ]
    assert list(track.dbm0) == expected
    assert len(track.dbm0) <= MOST_STEPS


def test_a_listener_gives_the_track_at_the_end() -> None:
    listener = LineListener()
    listener.push(100.0, columns([-15.0] * 50), np.ones(50, bool))
    assert listener.heard().level is None
    level = listener.finish(1_100.0).level
    assert level is not None
    assert level.start_ms == 100.0
    assert level.dbm0 == (-15,) * 10


def test_a_tone_stands_at_its_frequency_and_time() -> None:
    spectrogram = Spectrogram()
    sound = np.concatenate((np.zeros(8_000), sine(1.0, hz=1_000.0, dbm0=-10.0), np.zeros(8_000)))
    for block in sound.astype(np.float32).reshape(-1, 10, 160):
        spectrogram.push(block)
    levels = spectrogram.levels()
    assert levels.shape == (BINS, 150)
    assert spectrogram.step_ms == 20.0
    assert (levels[:, 55:95].argmax(axis=0) == 32).all()
    assert levels[32, 60] == 1.0
    assert levels[:, :48].max() == 0.0
    assert levels[:, 104:].max() == 0.0


def test_hours_take_no_more_columns_than_minutes() -> None:
    spectrogram = Spectrogram()
    block = sine(10.0, hz=2_000.0, dbm0=-40.0).reshape(-1, 160)
    for _ in range(60):
        spectrogram.push(block)
    levels = spectrogram.levels()
    assert MOST_COLUMNS / 2 < levels.shape[1] <= MOST_COLUMNS
    assert levels.shape[1] * spectrogram.step_ms == pytest.approx(600_000.0, abs=spectrogram.step_ms)
    # What is put together keeps its level.
    assert np.ptp(levels[64, 1:]) < 0.01


def test_no_sound_gives_no_columns() -> None:
    assert Spectrogram().levels().shape == (BINS, 0)
