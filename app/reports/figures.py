"""Rates with their number and a 95 % interval. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959964
"""Of the normal distribution, for 95 % on both sides."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` of `n`. Without a number there is no rate: 未核实, never 0 %."""

    count: int
    n: int

    @property
    def share(self) -> float | None:
        """From 0 to 1."""
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval (1927): right for small numbers and for shares near 0 and 1, where others are not."""
        if not self.n:
            return None
        share, squared = self.count / self.n, Z * Z
        middle = share + squared / (2 * self.n)
        spread = Z * math.sqrt(share * (1 - share) / self.n + squared / (4 * self.n * self.n))
        whole = 1 + squared / self.n
        return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)

    @property
    def text(self) -> str:
        """`87.5%（n=40，95%区间 73.9%–94.5%）`."""
        share, interval = self.share, self.interval
        if share is None or interval is None:
            return "未核实（n=0）"
        return f"{share:.1%}（n={self.n}，95%区间 {interval[0]:.1%}–{interval[1]:.1%}）"
