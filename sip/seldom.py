"""Python's cyclic garbage collector, told what a process of calls is like.

A call makes thousands of objects, nearly all of which go by their reference counts. With the collector's own threshold
(700 objects) it looks at them hundreds of times a second, 0.4 ms of processor time for each set-up; what lives as long
as the process is looked at again and again. See docs/explanation/set-ups.md.
"""

from __future__ import annotations

import gc

YOUNG, MIDDLE, OLD = 10_000, 20, 20
"""Objects, then collections of the generation below (gc.set_threshold)."""


def collect_seldom() -> None:
    """Let the collector leave what is there now alone, and look at what comes less often; once per process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
