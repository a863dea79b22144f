"""What goes wrong with recordings.

```
RecordingError
├── UnreadableCapture     the raw sound of a call is missing or is no capture
├── UnwritableRecording   the sound file cannot be written where it should be
└── RecordingMissing      the archive holds no such recording
```
"""

from __future__ import annotations

from pathlib import Path


class RecordingError(Exception):
    """A recording cannot be made, kept or found."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = str(path)
        self.reason = reason


class UnreadableCapture(RecordingError):
    """The raw sound of a call is missing or is no capture."""


class UnwritableRecording(RecordingError):
    """The sound file cannot be written where it should be."""


class RecordingMissing(RecordingError):
    """The archive holds no such recording."""
