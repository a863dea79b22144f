"""What the kernel says of the machine's wall clock: whether somebody keeps it in step (NTP, PTP), and how well."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass

TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised to a reliable server."""
_STA_NANO = 0x2000
"""Its offset is in nanoseconds, else in microseconds."""


class _Timex(ctypes.Structure):
    """The first members of struct timex; mode 0 only reads. The space behind is more than any Linux needs."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


@dataclass(frozen=True, slots=True)
class KernelClock:
    """The clock as the kernel sees it."""

    synchronised: bool
    offset_s: float
    """What is still to be added to it."""
    most_error_s: float
    """It is off by this at most, as far as whoever keeps it can tell."""


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def kernel_clock() -> KernelClock | None:
    """Ask the kernel (adjtimex); None where it cannot say."""
    told = _Timex()
    try:
        state = _libc().adjtimex(ctypes.byref(told))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    unit_s = 1e-9 if told.status & _STA_NANO else 1e-6
    return KernelClock(state != TIME_ERROR, told.offset * unit_s, told.maxerror * 1e-6)


def clock_synchronised() -> bool | None:
    """Whether the wall clock is kept in step; None where the kernel cannot say."""
    told = kernel_clock()
    return None if told is None else told.synchronised
