"""What the media engine asks of the system: to go before ordinary work, and to open many files."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import Final

_NICE: Final = -11
"""As desktop sound servers run, where real-time scheduling is not allowed."""


def hurry() -> None:
    """Go before ordinary work, as telephone servers do.

    Only a privileged user may; without it a busy machine makes packets late.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)


def open_many() -> None:
    """Allow as many open files as this process may have: each call takes two sockets, each capture a file."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
