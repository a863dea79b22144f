"""Call audio as evidence: sound files from raw captures, the archive folder and its repair."""

from __future__ import annotations

from recordings.archive import Archive
from recordings.encoding import encode
from recordings.errors import RecordingError, RecordingMissing, UnreadableCapture, UnwritableRecording

__all__ = [
    "Archive",
    "RecordingError",
    "RecordingMissing",
    "UnreadableCapture",
    "UnwritableRecording",
    "encode",
]
