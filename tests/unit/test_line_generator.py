"""The line benchmark's generator: its truth is what was made, and the same seed makes the same call."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from benchmarks.line.degrade import Degradation, applied, at_level
from benchmarks.line.generator import Call, Generator
from benchmarks.line.kinds import Figures, compare
from benchmarks.line.material import SOURCES_VARIABLE, SoundLibrary
from benchmarks.line.structures import STRUCTURES
from sip.progress import power_dbm0
from sip.record import SegmentKind
from tests.line_sounds import sine


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SoundLibrary:
    """The repository's own sounds, wherever the tests run."""
    monkeypatch.delenv(SOURCES_VARIABLE, raising=False)
    return SoundLibrary("test")


def level(call: Call, from_ms: float, to_ms: float) -> float:
    part = call.samples[round(from_ms * 8) : round(to_ms * 8)]
    return float(power_dbm0(np.array([np.mean(np.square(part, dtype=np.float64))]))[0])


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("degraded", [False, True], ids=["clean", "degraded"])
def test_every_structure_has_a_truth_without_gaps(
    library: SoundLibrary, structure: str, degraded: bool
) -> None:
    call = Generator(library, degraded=degraded).call(3, structure)
    assert call.segments[0].start_ms == 0.0
    assert call.segments[-1].end_ms == pytest.approx(call.duration_ms)
    for before, after in zip(call.segments, call.segments[1:], strict=False):
        assert before.end_ms == pytest.approx(after.start_ms)
    assert {segment.kind for segment in call.segments} <= set(get_args(SegmentKind))
    assert len(call.samples) == 160 * len(call.present)
    assert not call.samples.reshape(-1, 160)[~call.present].any()


def test_the_same_seed_makes_the_same_call(library: SoundLibrary) -> None:
    calls = [Generator(SoundLibrary("test"), degraded=True).call(seed) for seed in (5, 5, 6)]
    assert np.array_equal(calls[0].samples, calls[1].samples)
    assert calls[0].segments == calls[1].segments
    assert not np.array_equal(calls[0].samples, calls[2].samples)


def test_no_clip_is_in_both_parts(library: SoundLibrary) -> None:
    assert set(SoundLibrary("train").sources("speech")).isdisjoint(library.sources("speech"))


def test_rings_are_where_the_truth_says(library: SoundLibrary) -> None:
    call = Generator(library, degraded=False).call(1, "gateway")
    assert call.ring_count >= 2
    for start_ms, end_ms in call.bursts[:-1]:
        assert level(call, start_ms + 5, end_ms - 5) == pytest.approx(call.degradation.level_dbm0, abs=0.3)
        assert level(call, end_ms + 5, end_ms + 500) < -60.0
    assert call.answer_ms is not None
    assert call.answer_ms >= call.bursts[-1][1]


def test_an_announcement_is_said_twice_alike(library: SoundLibrary) -> None:
    call = Generator(library, degraded=False).call(2, "announcement")
    first, second = [s for s in call.segments if s.kind == "announcement"]
    assert second.end_ms - second.start_ms == pytest.approx(first.end_ms - first.start_ms, abs=21.0)


def test_a_line_that_hisses_is_never_silent(library: SoundLibrary) -> None:
    noisy = Degradation(level_dbm0=-12.0, snr_db=20.0)
    call = Generator(library, degraded=True).call(4, "answered", noisy)
    assert "silence" not in {segment.kind for segment in call.segments}
    assert call.segments[0].kind == "noise"
    assert level(call, 0.0, call.segments[0].end_ms) == pytest.approx(-32.0, abs=0.5)


def test_the_network_loses_what_it_is_told_to_and_the_clock_drifts() -> None:
    what = Degradation(loss=0.05, drift_ppm=200.0)
    sound, came = applied(at_level(sine(200.0), -10.0), what, np.random.default_rng(1))
    assert 0.03 < 1.0 - came.mean() < 0.07
    assert len(sound) == pytest.approx(200.04 * 8_000, abs=160)


def test_a_second_counts_as_the_kind_that_fills_most_of_it(library: SoundLibrary) -> None:
    call = Generator(library, degraded=False).call(0, "busy")
    figures = Figures()
    compare(figures, call, call.segments)
    assert figures.macro_f1() == figures.macro_f1_by_time() == 1.0
    assert not figures.mistakes()
    compare(figures, call, [])
    assert 0.6 < figures.macro_f1() < 0.7
