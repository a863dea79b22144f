"""What our processes cost, and what the kernel threw away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

import psutil

_INODE = 9
"""The column of /proc/net/udp; drops stand in the last one."""
PARTS = {"media": "sip.media.engine", "writer": "sip.media.writer"}


def parts_of() -> dict[str, int]:
    """Return the process ids of a phone in this process: signalling is this one, engine and writer are below it."""
    own = psutil.Process()
    parts = {"signalling": own.pid}
    for child in own.children(recursive=True):
        words = " ".join(child.cmdline())
        parts.update({part: child.pid for part, module in PARTS.items() if module in words})
    return parts


def spent_s(pid: int) -> float:
    """Return the processor time of a process so far, in seconds."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def rss_mb(pid: int) -> float:
    """Return the memory that a process holds."""
    return float(psutil.Process(pid).memory_info().rss / 1e6)


def dropped(pids: Iterable[int]) -> int:
    """Return how many datagrams the kernel has thrown away at the UDP sockets that these processes hold now."""
    ours = set().union(*(_sockets(pid) for pid in pids))
    count = 0
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            if words[_INODE] in ours:
                count += int(words[-1])
    return count


def _sockets(pid: int) -> set[str]:
    """Return the inodes of a process's sockets."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            kind, _, inode = str(entry.readlink()).partition(":[")
            if kind == "socket":
                found.add(inode.rstrip("]"))
    return found
