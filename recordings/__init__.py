"""Call audio as evidence: sound files from raw captures, the archive that keeps them, its manifest and its repair."""

from __future__ import annotations

from recordings.archive import Archive
from recordings.cipher import Keyring
from recordings.encoding import encode
from recordings.errors import (
    ManifestError,
    RecordingChanged,
    RecordingError,
    RecordingLocked,
    RecordingMissing,
    UnreadableCapture,
    UnwritableRecording,
)
from recordings.manifest import Manifest
from recordings.vault import Vault

__all__ = [
    "Archive",
    "Keyring",
    "Manifest",
    "ManifestError",
    "RecordingChanged",
    "RecordingError",
    "RecordingLocked",
    "RecordingMissing",
    "UnreadableCapture",
    "UnwritableRecording",
    "Vault",
    "encode",
]
