"""Exchange tones of which one packet in five was lost: rings are counted, tones named, pauses kept."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.lost_packets import hear, right
from sip.progress import features as f
from sip.progress.features import FeatureBank
from sip.progress.heard import Heard
from sip.progress.listener import LineListener
from tests.line_sounds import cadence, silence

LOSS = 0.2
SEEDS = 12
SHIFTS = (0, 57, 80, 120)
"""Samples between the beginnings of packets and of columns: a lost packet lies in two of them, at 80 half in each."""


@pytest.mark.parametrize("shift", SHIFTS)
def test_rings_are_counted(shift: int) -> None:
    for seed in range(SEEDS):
        assert right("ringback", 25.0, hear("ringback", 25.0, seed, loss=LOSS, shift=shift)), seed


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize(("name", "seconds"), [("busy", 5.0), ("congestion", 8.0)])
def test_a_tone_is_named_and_is_no_ring(name: str, seconds: float, shift: int) -> None:
    for seed in range(SEEDS):
        line = hear(name, seconds, seed, loss=LOSS, shift=shift)
        assert right(name, seconds, line), seed
        assert {segment.kind for segment in line.segments} <= {name, "noise", "silence"}


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_tone_of_short_bursts_is_named(shift: int) -> None:
    """Of bursts of 100 ms many are lost whole: two periods that follow each other have to come."""
    rare = [hear("unobtainable", 8.0, seed, loss=0.05, shift=shift) for seed in range(SEEDS)]
    assert all(right("unobtainable", 8.0, line) for line in rare)
    often = [hear("unobtainable", 11.0, seed, loss=LOSS, shift=shift) for seed in range(SEEDS)]
    assert {tone.kind for line in often for tone in line.recognised} == {"unobtainable"}
    assert sum(right("unobtainable", 11.0, line) for line in often) >= SEEDS - 1
    assert all(line.bursts == () for line in often)


@pytest.mark.parametrize(("name", "seconds"), [("ringback", 16.0), ("busy", 5.0)])
def test_rings_and_tones_are_the_same_however_seldom_they_are_listened_to(name: str, seconds: float) -> None:
    for seed in range(3):
        lines = [hear(name, seconds, seed, loss=LOSS, shift=57, cut=cut) for cut in (1, 10, 30, 50, 250)]
        assert len({_edges(line) for line in lines}) == 1


def _edges(line: Heard) -> tuple[tuple[object, ...], ...]:
    """Return what rings and when, and which tones were named and from when on, to the millisecond."""
    rings = tuple((round(burst.start_ms), round(burst.end_ms)) for burst in line.bursts)
    return rings, tuple((tone.kind, round(tone.start_ms)) for tone in line.recognised)


def test_a_pause_is_no_hole() -> None:
    """Three packets of the five of a pause of 100 ms are lost: what came of it tells."""
    heard = [hear("unobtainable", 4.0, seed, loss=LOSS, shift=57) for seed in range(SEEDS)]
    assert all(segment.kind != "ringback" for line in heard for segment in line.segments)


def line_without(sound: np.ndarray, *holes_ms: tuple[float, float]) -> Heard:
    """Listen to a sound of which nothing came within the holes."""
    columns = sound[: len(sound) // f.COLUMN_SAMPLES * f.COLUMN_SAMPLES].reshape(-1, f.COLUMN_SAMPLES)
    at_ms = np.arange(columns.shape[0] * f.QUARTERS) * f.QUARTER_MS
    came = np.ones(len(at_ms), np.bool_)
    for start_ms, end_ms in holes_ms:
        came &= (at_ms < start_ms) | (at_ms >= end_ms)
    heard_of = np.where(np.repeat(came, f.COLUMN_SAMPLES // f.QUARTERS), columns.reshape(-1), 0.0).astype(
        np.float32
    )
    listener = LineListener()
    features = FeatureBank(len(columns)).push(np.arange(len(columns)), heard_of.reshape(columns.shape))
    for at in range(0, len(columns), 10):
        present = came.reshape(-1, f.QUARTERS)[at : at + 10]
        listener.push(at * f.COLUMN_MS, features[at : at + 10], present)
    return listener.finish(len(columns) * f.COLUMN_MS)


def tone(on_s: float, lead_s: float) -> np.ndarray:
    """One burst of 450 Hz, and quiet behind it."""
    return np.concatenate((silence(lead_s), cadence((on_s, 4.0), on_s)[0], silence(4.0)))


@pytest.mark.parametrize("on_s", [0.6, 0.7, 0.76])
def test_what_was_not_sent_is_no_loss_that_makes_a_tone_longer(on_s: float) -> None:
    """The stream begins with a tone that is too short for a ring, and it may end with it."""
    end_ms = 2_000.0 + on_s * 1000
    assert line_without(tone(on_s, 2.0), (0.0, 2_000.0)).bursts == ()
    assert line_without(tone(on_s, 2.0), (0.0, 2_000.0), (end_ms, end_ms + 4_000.0)).bursts == ()


def test_a_ring_whose_edges_were_lost_is_one_and_is_measured_as_heard() -> None:
    (ring,) = line_without(tone(1.0, 2.0), (1_980.0, 2_040.0), (2_950.0, 3_010.0)).bursts
    assert (ring.start_ms, ring.end_ms) == pytest.approx((2_040.0, 2_950.0), abs=6)
    (short,) = line_without(tone(0.78, 2.0), (1_960.0, 2_020.0)).bursts
    assert short.start_ms == pytest.approx(2_020.0, abs=6)


def test_a_ring_that_is_torn_twice_is_one() -> None:
    (ring,) = line_without(tone(1.0, 2.0), (2_200.0, 2_320.0), (2_520.0, 2_640.0)).bursts
    assert (ring.start_ms, ring.end_ms) == pytest.approx((2_000.0, 3_000.0), abs=6)


def test_pieces_that_make_no_whole_ring_are_none() -> None:
    assert line_without(tone(0.72, 2.0), (2_290.0, 2_430.0)).bursts == ()
    assert line_without(tone(1.0, 2.0), (2_300.0, 2_600.0)).bursts == ()
