"""The generator behind the draw: HMAC-SHA256 under the seed over `epoch|counter`, read as 64-bit words.

Everything that decides is whole-number arithmetic, so that the same seed gives the same moments on every machine and
with every version of every library. Choices reject what would favour small numbers; nothing is taken modulo.
"""

from __future__ import annotations

import hmac
import struct
from functools import lru_cache

SEED_BYTES = 32
_WORD = 1 << 64
_FIXED = 96
"""Bits behind the point of probabilities."""
_ONE = 1 << _FIXED
_STEP = 8 << _FIXED
"""A Poisson number of a larger mean is the sum of several: so small a mean's probabilities need no more bits."""
_MOST_EVENTS = 200


class Dice:
    """A stream of chance, the same for the same seed and epoch."""

    def __init__(self, seed: bytes, epoch: int) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"the seed has {len(seed)} bytes; it takes {SEED_BYTES}")
        self._seed = seed
        self._epoch = epoch
        self._counter = 0
        self._words: list[int] = []

    def word(self) -> int:
        """Return the next 64 bits."""
        if not self._words:
            block = hmac.digest(self._seed, f"{self._epoch}|{self._counter}".encode(), "sha256")
            self._counter += 1
            self._words = [*struct.unpack(">4Q", block)][::-1]
        return self._words.pop()

    def below(self, count: int) -> int:
        """Return a whole number from 0 to `count` - 1, each as likely as any other; `count` is at most 2^64."""
        limit = _WORD - _WORD % count
        while (found := self.word()) >= limit:
            pass
        return found % count

    def poisson(self, mean_num: int, mean_den: int) -> int:
        """Return a Poisson number of mean `mean_num / mean_den`."""
        mean = (mean_num << _FIXED) // mean_den
        found = 0
        while mean > 0:
            part = min(mean, _STEP)
            mean -= part
            found += self._small_poisson(part)
        return found

    def _small_poisson(self, mean: int) -> int:
        """Invert the distribution function at a number of 96 bits; the mean is at most 8, in units of 2^-96."""
        chance = ((self.word() << 64) | self.word()) >> (128 - _FIXED)
        term = reached = _exp_minus(mean)
        events = 0
        while chance >= reached and events < _MOST_EVENTS:
            events += 1
            term = (term * mean >> _FIXED) // events
            reached += term
        return events


@lru_cache(maxsize=4096)
def _exp_minus(mean: int) -> int:
    """Return e^-x in units of 2^-96, x in the same, by the series of e^x: all its terms are positive."""
    total = term = _ONE
    events = 0
    while term:
        events += 1
        term = (term * mean >> _FIXED) // events
        total += term
    return (_ONE << _FIXED) // total
