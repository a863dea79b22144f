"""Whether the machine's wall clock is kept in step by somebody (NTP, PTP)."""

from __future__ import annotations

import ctypes
import functools

TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised to a reliable server."""
_TIMEX_SPACE = 512
"""More than struct timex needs on any Linux; mode 0 only reads."""


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def clock_synchronised() -> bool | None:
    """Ask the kernel (adjtimex); None where it cannot say."""
    try:
        state = _libc().adjtimex(ctypes.create_string_buffer(_TIMEX_SPACE))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR
