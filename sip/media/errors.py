"""What goes wrong with media on our own side.

```
MediaError
├── EngineLost          the engine or its writer ended without being asked
├── CaptureError        a raw capture cannot be read
├── PacketLogError      a log of packets cannot be read (see `packet_log`)
└── SoundFileError      a sound file cannot be read as a prompt
```
"""

from __future__ import annotations

from pathlib import Path


class MediaError(Exception):
    """The media of a call cannot be set up or used."""


class EngineLost(MediaError):
    """The media engine is not running any more."""


class CaptureError(MediaError):
    """A raw capture cannot be read: it is missing, or it is not a capture at all."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class SoundFileError(MediaError):
    """A sound file cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
