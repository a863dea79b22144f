"""What goes wrong with recordings.

```
RecordingError
├── UnreadableCapture     the raw sound of a call is missing or is no capture
├── UnwritableRecording   a sound file, or the manifest, cannot be written where it should be
├── RecordingMissing      the archive holds no such recording
├── RecordingLocked       it is encrypted, and none of the keys that were given opens it
├── RecordingChanged      what is stored is not what was stored
└── ManifestError         the manifest cannot be read or gone on with
```
"""

from __future__ import annotations

from pathlib import Path


class RecordingError(Exception):
    """A recording cannot be made, kept or found."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(
            str(path), reason
        )  # as they were given: another process makes the error anew of them
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class UnreadableCapture(RecordingError):
    """The raw sound of a call is missing or is no capture."""


class UnwritableRecording(RecordingError):
    """A sound file, or the manifest, cannot be written where it should be."""


class RecordingMissing(RecordingError):
    """The archive holds no such recording."""


class RecordingLocked(RecordingError):
    """It is encrypted, and none of the keys that were given opens it."""


class RecordingChanged(RecordingError):
    """What is stored is not what was stored."""


class ManifestError(RecordingError):
    """The manifest of recordings cannot be read or gone on with."""
