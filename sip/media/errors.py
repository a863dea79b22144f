"""What goes wrong with media on our own side.

```
MediaError
├── EngineLost          the engine or its writer ended without being asked
├── EngineFull          this machine cannot carry another call now
├── CaptureError        a raw capture cannot be read
├── PacketLogError      a log of packets cannot be read (see `packet_log`)
└── SoundFileError      a sound file cannot be read as a prompt
```
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The writer's process has no use for what this loads.
    from sip.media.model import CapacityEstimate


class MediaError(Exception):
    """The media of a call cannot be set up or used."""


class EngineLost(MediaError):
    """The media engine is not running any more."""


class EngineFull(MediaError):
    """This machine cannot carry another call now: nothing was opened, and nothing of that call has left."""

    def __init__(self, estimate: CapacityEstimate) -> None:
        super().__init__(estimate)
        self.estimate = estimate
        """How many it carries, and why no more."""
        self.nothing_left = True
        """False where calls to other destinations of the same attempt have left before."""


class CaptureError(MediaError):
    """A raw capture cannot be read: it is missing, or it is not a capture at all."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class SoundFileError(MediaError):
    """A sound file cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
