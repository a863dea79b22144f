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
SHIFT = 57
"""Samples between the beginnings of packets and of columns: a lost packet lies in two of them."""
_SILENCE = np.float32(8 / 32768)


def hear(name: str, seconds: float, seed: int, cut: int = 10) -> Heard:
    """Listen to a sound over and over, without the packets that were lost."""
    rng = np.random.default_rng(seed)
    once = np.asarray(sound(name), np.float32) / np.float32(32768)
    count = int(seconds * f.RATE_HZ)
    whole = np.tile(once, count // len(once) + 1)[:count]
    packets = rng.random(count // f.COLUMN_SAMPLES + 1) < LOSS
    lost = np.repeat(packets, f.COLUMN_SAMPLES)[f.COLUMN_SAMPLES - SHIFT :][:count]
    columns = np.where(lost, _SILENCE, whole).reshape(-1, f.COLUMN_SAMPLES)
    present = (~lost).reshape(-1, f.COLUMN_SAMPLES).sum(axis=1) >= f.COLUMN_SAMPLES // 2
    bank, listener = FeatureBank(len(columns)), LineListener()
    for first in range(0, len(columns), cut):
        some = columns[first : first + cut]
        features = bank.push(np.arange(len(some)), some)
        listener.push(first * f.COLUMN_MS, features, present[first : first + cut])
        listener.heard()
    return listener.finish(seconds * 1000)


def test_rings_are_counted() -> None:
    heard = [hear("ringback", 25.0, seed) for seed in range(SEEDS)]
    counts = [len(line.bursts) for line in heard]
    # Rarely a hole of more than 100 ms tears one.
    assert sum(counts) >= 5 * SEEDS - 1
    assert max(counts) == 5
    assert not any(line.recognised for line in heard)


@pytest.mark.parametrize(("name", "seconds"), [("busy", 5.0), ("congestion", 8.0), ("unobtainable", 8.0)])
def test_a_tone_is_named_and_is_no_ring(name: str, seconds: float) -> None:
    for seed in range(SEEDS):
        line = hear(name, seconds, seed)
        assert {tone.kind for tone in line.recognised} == {name}
        assert line.bursts == ()


@pytest.mark.parametrize(("name", "seconds"), [("ringback", 16.0), ("busy", 5.0)])
def test_rings_and_tones_are_the_same_however_seldom_they_are_listened_to(name: str, seconds: float) -> None:
    for seed in range(3):
        lines = [hear(name, seconds, seed, cut) for cut in (10, 30, 50, 250)]
        assert len({_edges(line) for line in lines}) == 1


def _edges(line: Heard) -> tuple[tuple[object, ...], ...]:
    """Return what rings and when, and which tones were named and from when on, to the millisecond."""
    rings = tuple((round(burst.start_ms), round(burst.end_ms)) for burst in line.bursts)
    return rings, tuple((tone.kind, round(tone.start_ms)) for tone in line.recognised)


def test_a_pause_is_no_hole() -> None:
    """Three packets of the five of a pause of 100 ms are lost: what came of it tells."""
    heard = [hear("unobtainable", 4.0, seed) for seed in range(SEEDS)]
    assert all(segment.kind != "ringback" for line in heard for segment in line.segments)
