"""Opens a sound file that is read through the archive, so that nothing that goes wrong in reading stays unseen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import soundfile

from recordings.errors import RecordingError


class _Watched:
    """A file for libsndfile, which swallows what its callbacks raise: the first error is kept."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: Exception | None = None

    def read(self, length: int = -1) -> bytes:
        """Read on; nothing once something went wrong."""
        if self.error is not None:
            return b""
        try:
            return self._file.read(length)
        except Exception as error:
            self.error = error
            return b""

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """The place."""
        return self._file.tell()


@contextmanager
def decoding(file: BinaryIO) -> Iterator[soundfile.SoundFile]:
    """Decode a sound file. Raises what reading it raised, or `RecordingError` for what is no sound file."""
    watched = _Watched(file)
    try:
        with soundfile.SoundFile(watched) as sound:
            yield sound
    except soundfile.LibsndfileError as error:
        raise watched.error or RecordingError("recording", "is not a sound file") from error
    if watched.error is not None:
        raise watched.error
