"""How well rings and exchange tones are heard where packets are lost: `python -m benchmarks.lost_packets [--lines N]`.

Packets begin anywhere in the columns of 20 ms that the analysis reads, so that a lost one is missing in parts of two.
Every share of loss is tried with packets that begin at several places of a column. A ringing line counts as right
where each of its rings is counted within 150 ms of its beginning and nothing else is named, a tone where it alone is
named and nothing rings.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from sip.media.g711 import encode
from sip.media.timeline import HeardMatrix, TimeLine
from sip.progress import features as f
from sip.progress.features import FeatureBank
from sip.progress.heard import Heard
from sip.progress.listener import LineListener
from sip.simulator import sound

SHIFTS = (0, 40, 57, 76, 80, 84, 120)
"""Samples between the beginnings of packets and of columns; at 80 a packet lies half in either."""
LOSSES = (0.01, 0.05, 0.1, 0.2, 0.3)
LINES = (("ringback", 25.0), ("busy", 5.0), ("congestion", 8.0), ("unobtainable", 8.0))
"""What is played, and for how long, in seconds: five rings, or what a call would wait for a name."""
_PERIOD_MS = 5_000.0
_NEAR_MS = 150.0
_PACKET = 160
_AHEAD = 2
"""Packets that are written before a column is read."""
_FIRST = np.zeros(1, np.intp)


def hear(name: str, seconds: float, seed: int, *, loss: float, shift: int, cut: int = 10) -> Heard:
    """Return what is heard of a simulator's sound, played over and over, without the packets that were lost.

    `cut`: columns that are listened to at once.
    """
    rng = np.random.default_rng(seed)
    once = np.asarray(sound(name), np.int16)
    count = int(seconds * f.RATE_HZ)
    whole = np.tile(once, count // len(once) + 1)[:count]
    packets = rng.random(count // _PACKET + _AHEAD + 2) < loss
    columns, present = _received(encode(whole, "PCMA"), packets, shift)
    bank, listener = FeatureBank(len(columns)), LineListener()
    for first in range(0, len(columns), cut):
        some = columns[first : first + cut]
        features = bank.push(np.arange(len(some)), some)
        listener.push(first * f.COLUMN_MS, features, present[first : first + cut])
        listener.heard()
    return listener.finish(seconds * 1000)


def _received(
    codes: bytes, packets: npt.NDArray[np.bool_], shift: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return the columns that the media engine reads of packets of which some were lost, and which quarters came."""
    parts, presents = [], []
    matrix = HeardMatrix(1)
    line = TimeLine(matrix, 0)
    for number, lost in enumerate(packets):
        start = max(number * _PACKET - (_PACKET - shift), 0)
        if not lost:
            line.write(start, codes[start : (number + 1) * _PACKET - (_PACKET - shift)])
        if number >= _AHEAD:
            pcm, came = matrix.column(_FIRST, np.array([number - _AHEAD]))
            parts.append(pcm)
            presents.append(came)
            line.take((number - _AHEAD + 1) * f.COLUMN_SAMPLES)
    count = len(codes) // f.COLUMN_SAMPLES
    return np.concatenate(parts)[:count], np.concatenate(presents)[:count]


def right(name: str, seconds: float, heard: Heard) -> bool:
    """Tell whether the line was heard as what it is."""
    if name != "ringback":
        return {tone.kind for tone in heard.recognised} == {name} and not heard.bursts
    starts = [burst.start_ms for burst in heard.bursts]
    true = [_PERIOD_MS * ring for ring in range(int(seconds * 1000 / _PERIOD_MS))]
    near = len(starts) == len(true) and all(
        abs(found - at) <= _NEAR_MS for found, at in zip(starts, true, strict=True)
    )
    return near and not heard.recognised


def _share(lines: int, asked: tuple[str, float, float, int]) -> float:
    name, seconds, loss, shift = asked
    heard = (hear(name, seconds, seed, loss=loss, shift=shift) for seed in range(lines))
    return sum(right(name, seconds, line) for line in heard) / lines


def main() -> None:
    """Print, of each sound and loss, the lines heard right: of all places of packets, and at the worst of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--lines", type=int, default=100, help="of each sound, loss and place of packets")
    lines = parser.parse_args().lines
    asked = [(*line, loss, shift) for line in LINES for loss in LOSSES for shift in SHIFTS]
    with ProcessPoolExecutor() as processes:
        shares = list(processes.map(partial(_share, lines), asked))
    print(f"{'sound':<14}{'lost':>6}{'right':>9}{'at worst':>10}")
    for at in range(0, len(asked), len(SHIFTS)):
        name, _, loss, _ = asked[at]
        some = shares[at : at + len(SHIFTS)]
        print(f"{name:<14}{loss:>6.0%}{sum(some) / len(some):>9.1%}{min(some):>10.0%}")


if __name__ == "__main__":
    main()
