"""The folder of all recordings.

A recording has a name, which may hold folders (`2026/11/22/check-7-attempt-9`). During the call its capture
lies at `NAME.part`; afterwards its sound file lies at `NAME.flac`. A capture is removed only once the sound
file is safely on the disk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from recordings.encoding import describe, encode, sync_folder
from recordings.errors import RecordingError, RecordingMissing, UnwritableRecording
from sip.record import RecordingInfo

_CAPTURE: Final = ".part"
_SOUND: Final = ".flac"

_log = logging.getLogger(__name__)


class Archive:
    """Keeps recordings below one folder; every `RecordingInfo.path` it returns is relative to that folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def capture_path(self, name: str) -> Path:
        """Return where the writer keeps the raw sound of a call, its folder made. Raises `UnwritableRecording`."""
        path = self._inside(name + _CAPTURE)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableRecording(path.parent, error.strerror or str(error)) from error
        return path

    def store(self, capture: Path, name: str, duration_ms: float | None = None) -> RecordingInfo:
        """Make the recording `name` of a capture, `duration_ms` long (None: as captured), then remove the capture.

        A recording that is there already is kept as it is, so that a crash between the two steps changes no
        evidence. Raises `UnreadableCapture` or `UnwritableRecording`; the capture then stays.
        """
        path = self._inside(name + _SOUND)
        if path.exists():
            info = describe(path)
        else:
            self.capture_path(name)
            info = encode(capture, path, duration_ms)
        capture.unlink(missing_ok=True)
        sync_folder(capture.parent)
        return replace(info, path=path.relative_to(self.folder.absolute()).as_posix())

    def path(self, recording: str) -> Path:
        """Return the file of a recording by its relative path. Raises `RecordingMissing`."""
        path = self._inside(recording)
        if not path.is_file():
            raise RecordingMissing(path, "is not in the archive")
        return path

    def open(self, recording: str) -> BinaryIO:
        """Open a recording by its relative path. Raises `RecordingMissing`."""
        return self.path(recording).open("rb")

    def repair(self) -> dict[str, RecordingInfo]:
        """Make recordings of all captures that lie in the folder; return them by name.

        Only for captures that nobody writes any more. One that cannot be read stays where it is and is
        logged.
        """
        repaired: dict[str, RecordingInfo] = {}
        for capture in self._captures():
            name = capture.relative_to(self.folder.absolute()).as_posix().removesuffix(_CAPTURE)
            try:
                repaired[name] = self.store(capture, name)
            except (RecordingError, OSError) as error:
                _log.warning("capture %s could not be repaired: %s", capture, error)
        return repaired

    def _captures(self) -> Iterator[Path]:
        yield from sorted(path for path in self.folder.absolute().rglob(f"*{_CAPTURE}") if path.is_file())

    def _inside(self, name: str) -> Path:
        """Return the path of a name, which must not lead out of the folder."""
        root = self.folder.absolute()
        path = root / name
        if ".." in Path(name).parts or not path.is_relative_to(root):
            raise RecordingMissing(name, "leads out of the archive")
        return path
