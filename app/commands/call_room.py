"""Whether `dutyring call` has room for what it is to keep, looked at before anybody's telephone rings."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from app.commands.call_line import CallArguments

MB = 1_000_000
LEAST_FREE_MB = 50
"""An hour's call of two sides takes 58 MB as captured and less as a sound file; the usual one half a megabyte."""


def no_room(
    arguments: CallArguments, free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
) -> str | None:
    """Say which folder has no room for the recording or the packets of a call; None where there is room."""
    for option, file in (("--record", arguments.record), ("--pcap", arguments.pcap)):
        if file is None:
            continue
        try:
            left = free(file.parent)
        except OSError:
            # A folder that is not there is a wrong argument; whoever opens it says so.
            continue
        if left < LEAST_FREE_MB * MB:
            return (
                f"{option} {file}: its disk has {left // MB} MB left and the call would not be kept whole; "
                f"it takes {LEAST_FREE_MB} MB. Nothing was dialled"
            )
    return None
