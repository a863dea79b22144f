"""What is wrong with a clip as a recording: overdriven, offset, dead or almost silent channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from sip.progress.features import COLUMN_MS, power_dbm0

Channel = Literal["left", "right", "mix"]
Floats = npt.NDArray[np.float32]

FULL_SCALE = 1.0 - 1.0 / 32_768.0
FULL_SCALES = {
    "ALAW": 32_256.0 / 32_768.0,
    "ULAW": 32_124.0 / 32_768.0,
    "PCM_U8": 127.0 / 128.0,
    "PCM_S8": 127.0 / 128.0,
}
"""The largest value that an encoding has (libsndfile's name for it), where it is not that of 16 bits."""
_FLAT_S = 0.000_125
"""A top that stays at full scale so long is cut off: an unharmed sine of 300 Hz or more does not."""
MOST_CLIPPED = 0.001
"""Share of the samples of two seconds that may be cut off. Measured on 47 clips of speech, announcements and music:
brought to their own full scale they stay below 0.00013, driven 6 dB beyond it they reach 0.002 to 0.08."""
MOST_OFFSET = 0.01
"""Constant offset, as a share of full scale. Measured: the same clips stay below 0.0001."""
QUIET_DBM0 = -45.0
DEAD_DBM0 = -65.0
"""The idle noise of A-law and of an open analogue card lies below."""


@dataclass(slots=True)
class _Totals:
    """One channel, summed up."""

    samples: int = 0
    total: float = 0.0
    clipped: int = 0
    worst: float = 0.0
    """Largest share of clipped samples in one block."""
    clipped_s: tuple[float, float] | None = None
    """The first and the last moment at full scale."""
    loudest_dbm0: float = -126.0
    """Of all stretches of 20 ms, about their own mean."""

    @property
    def offset(self) -> float:
        return self.total / self.samples if self.samples else 0.0


@dataclass(slots=True)
class ClipCheck:
    """Looks at the blocks of a sound file as they are decoded, all channels, before anything is resampled."""

    rate_hz: int
    full_scale: float = FULL_SCALE
    _channels: list[_Totals] = field(default_factory=list)
    _mix_dbm0: float = -126.0

    def push(self, block: Floats) -> None:
        """Take the next samples [n, channels]."""
        if not len(block):
            return
        if not self._channels:
            self._channels = [_Totals() for _ in range(block.shape[1])]
        loudest = self._loudest(block)
        if block.shape[1] > 1:
            self._mix_dbm0 = max(self._mix_dbm0, self._loudest(block.mean(axis=1, keepdims=True))[0])
        for totals, level, sound in zip(self._channels, loudest, block.T, strict=True):
            totals.loudest_dbm0 = max(totals.loudest_dbm0, level)
            self._note_clipping(totals, sound)
            totals.total += float(sound.sum(dtype=np.float64))
            totals.samples += len(sound)

    def findings(self, channel: Channel) -> list[str]:
        """Say what is wrong with the channel that was analysed, one sentence each."""
        if not self._channels:
            return []
        return [
            *self._dead(channel),
            *self._quiet(channel),
            *self._overdriven(channel),
            *self._offsets(channel),
        ]

    def _loudest(self, block: Floats) -> list[float]:
        """Return the level of the loudest 20 ms of each channel, constant offsets aside."""
        size = max(min(round(self.rate_hz * COLUMN_MS / 1000.0), len(block)), 1)
        frames = block[: len(block) // size * size].reshape(-1, size, block.shape[1])
        levels: list[float] = power_dbm0(frames.var(axis=1).max(axis=0)).tolist()
        return levels

    def _note_clipping(self, totals: _Totals, sound: Floats) -> None:
        flags = np.abs(sound) >= self.full_scale
        if not flags.any():
            return
        edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False]))))
        first, after = edges[::2], edges[1::2]
        flat = after - first >= max(round(self.rate_hz * _FLAT_S), 2)
        if not flat.any():
            return
        count = int((after - first)[flat].sum())
        totals.clipped += count
        totals.worst = max(totals.worst, count / len(sound))
        begin = (totals.samples + int(first[flat][0])) / self.rate_hz
        end = (totals.samples + int(after[flat][-1])) / self.rate_hz
        totals.clipped_s = (begin if totals.clipped_s is None else totals.clipped_s[0], end)

    def _analysed(self, channel: Channel) -> Iterator[tuple[str, _Totals]]:
        """Yield name and totals of each channel that takes part."""
        several = len(self._channels) > 1
        chosen = range(len(self._channels)) if channel == "mix" else [self._index(channel)]
        for index in chosen:
            yield f"the {self._name(index)} channel" if several else "the sound", self._channels[index]

    def _index(self, channel: Channel) -> int:
        return 0 if channel == "left" else min(1, len(self._channels) - 1)

    def _name(self, index: int) -> str:
        return ("left", "right")[index] if index < 2 else f"{index + 1}th" if index > 2 else "3rd"

    def _dead(self, channel: Channel) -> Iterator[str]:
        alive = [i for i, totals in enumerate(self._channels) if totals.loudest_dbm0 >= QUIET_DBM0]
        if channel == "mix":
            if alive and self._mix_dbm0 < DEAD_DBM0:
                take = "left" if 0 in alive else "right"
                yield f"the channels cancel each other out: --channel {take} takes one of them"
            return
        index = self._index(channel)
        if self._channels[index].loudest_dbm0 >= DEAD_DBM0 or not alive:
            return
        other = alive[0]
        take = ("left", "right")[other] if other < 2 else "mix"
        yield (
            f"the {self._name(index)} channel is silent throughout;"
            f" the {self._name(other)} one holds sound: --channel {take}"
        )

    def _quiet(self, channel: Channel) -> Iterator[str]:
        loudest = max(totals.loudest_dbm0 for totals in self._channels)
        if loudest >= QUIET_DBM0:
            return
        if loudest < DEAD_DBM0:
            yield f"the sound is silent throughout: its loudest 20 ms have {loudest:.0f} dBm0"
        else:
            yield (
                f"the sound is very quiet: its loudest 20 ms have {loudest:.0f} dBm0,"
                f" {QUIET_DBM0:.0f} dBm0 is the least for a reliable analysis"
            )

    def _overdriven(self, channel: Channel) -> Iterator[str]:
        for name, totals in self._analysed(channel):
            if totals.worst > MOST_CLIPPED and totals.clipped_s is not None:
                share = 100.0 * totals.clipped / totals.samples
                begin, end = totals.clipped_s
                yield (
                    f"{name} is clipped: {share:.2f} % of its samples are cut off at full scale,"
                    f" from {begin:.2f} s to {end:.2f} s"
                )

    def _offsets(self, channel: Channel) -> Iterator[str]:
        for name, totals in self._analysed(channel):
            if abs(totals.offset) > MOST_OFFSET:
                yield f"{name} has a constant offset of {100.0 * totals.offset:.1f} % of full scale"
