"""Exchange tones of which one packet in five was lost: rings are counted, tones named, pauses kept."""

from __future__ import annotations

import numpy as np
import pytest

from sip.progress import features as f
from sip.progress.features import FeatureBank
from sip.progress.heard import Heard
from sip.progress.listener import LineListener
from sip.simulator import sound

LOSS = 0.2
SEEDS = 12
SHIFTS = (0, 57, 80, 120)
"""Samples between the beginnings of packets and of columns: a lost packet lies in two of them, at 80 half in each."""
_SILENCE = np.float32(8 / 32768)


def hear(
    name: str, seconds: float, seed: int, cut: int = 10, *, shift: int = 57, loss: float = LOSS
) -> Heard:
    """Listen to a sound over and over, without the packets that were lost."""
    rng = np.random.default_rng(seed)
    once = np.asarray(sound(name), np.float32) / np.float32(32768)
    count = int(seconds * f.RATE_HZ)
    whole = np.tile(once, count // len(once) + 1)[:count]
    packets = rng.random(count // f.COLUMN_SAMPLES + 2) < loss
    lost = np.repeat(packets, f.COLUMN_SAMPLES)[f.COLUMN_SAMPLES - shift :][:count]
    columns = np.where(lost, _SILENCE, whole).reshape(-1, f.COLUMN_SAMPLES)
    present = lost.reshape(-1, f.QUARTERS, f.COLUMN_SAMPLES // f.QUARTERS).sum(axis=2) <= 4
    bank, listener = FeatureBank(len(columns)), LineListener()
    for first in range(0, len(columns), cut):
        some = columns[first : first + cut]
        features = bank.push(np.arange(len(some)), some)
        listener.push(first * f.COLUMN_MS, features, present[first : first + cut])
        listener.heard()
    return listener.finish(seconds * 1000)


@pytest.mark.parametrize("shift", SHIFTS)
def test_rings_are_counted(shift: int) -> None:
    for seed in range(SEEDS):
        line = hear("ringback", 25.0, seed, shift=shift)
        starts = [burst.start_ms for burst in line.bursts]
        assert len(starts) == 5
        assert starts == pytest.approx([0.0, 5_000.0, 10_000.0, 15_000.0, 20_000.0], abs=150)
        assert line.recognised == ()


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize(("name", "seconds"), [("busy", 5.0), ("congestion", 8.0)])
def test_a_tone_is_named_and_is_no_ring(name: str, seconds: float, shift: int) -> None:
    for seed in range(SEEDS):
        line = hear(name, seconds, seed, shift=shift)
        assert {tone.kind for tone in line.recognised} == {name}
        assert line.bursts == ()
        assert {segment.kind for segment in line.segments} <= {name, "noise", "silence"}


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_tone_of_short_bursts_is_named(shift: int) -> None:
    """Of bursts of 100 ms many are lost whole: two periods that follow each other have to come."""
    rare = [hear("unobtainable", 8.0, seed, shift=shift, loss=0.05) for seed in range(SEEDS)]
    assert [{tone.kind for tone in line.recognised} for line in rare] == [{"unobtainable"}] * SEEDS
    often = [hear("unobtainable", 11.0, seed, shift=shift) for seed in range(SEEDS)]
    assert {tone.kind for line in often for tone in line.recognised} == {"unobtainable"}
    assert sum(bool(line.recognised) for line in often) >= SEEDS - 1
    assert all(line.bursts == () for line in [*rare, *often])


@pytest.mark.parametrize(("name", "seconds"), [("ringback", 16.0), ("busy", 5.0)])
def test_rings_and_tones_are_the_same_however_seldom_they_are_listened_to(name: str, seconds: float) -> None:
    for seed in range(3):
        lines = [hear(name, seconds, seed, cut) for cut in (1, 10, 30, 50, 250)]
        assert len({_edges(line) for line in lines}) == 1


def _edges(line: Heard) -> tuple[tuple[object, ...], ...]:
    """Return what rings and when, and which tones were named and from when on, to the millisecond."""
    rings = tuple((round(burst.start_ms), round(burst.end_ms)) for burst in line.bursts)
    return rings, tuple((tone.kind, round(tone.start_ms)) for tone in line.recognised)


def test_a_pause_is_no_hole() -> None:
    """Three packets of the five of a pause of 100 ms are lost: what came of it tells."""
    heard = [hear("unobtainable", 4.0, seed) for seed in range(SEEDS)]
    assert all(segment.kind != "ringback" for line in heard for segment in line.segments)
