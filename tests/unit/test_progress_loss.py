"""Exchange tones of which one packet in five was lost: rings are counted, tones named, pauses kept."""

from __future__ import annotations

import pytest

from benchmarks.lost_packets import hear, right
from sip.progress.heard import Heard

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
