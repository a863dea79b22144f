"""Sound files from raw captures: stereo, 8 kHz, 16 bit, left us and right them, time 0 at the first sample."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile

from recordings.errors import RecordingError, UnreadableCapture, UnwritableRecording
from sip.media import SAMPLE_RATE_HZ, Capture, CaptureError, read_capture
from sip.record import RecordingInfo

_CHANNELS: Final = 2
_FORMATS: Final = {".flac": "FLAC", ".wav": "WAV"}

Sides = npt.NDArray[np.int16]


def encode(capture_path: Path, destination: Path, duration_ms: float | None = None) -> RecordingInfo:
    """Make a FLAC or WAV file (by the suffix of `destination`) of a raw capture.

    The sound is padded with silence or cut to `duration_ms`; None takes what was captured. The file appears
    whole or not at all: it is written beside its place, flushed to the disk and renamed. The capture stays.
    Raises `UnreadableCapture` or `UnwritableRecording`, which name the path.
    """
    kind = _FORMATS.get(destination.suffix.lower())
    if kind is None:
        raise UnwritableRecording(destination, "a recording is a .flac or a .wav file")
    sides = stereo(load_capture(capture_path), duration_ms)
    try:
        _write(destination, sides, kind)
        return describe(destination)
    except (OSError, soundfile.LibsndfileError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnwritableRecording(destination, f"cannot be written: {reason}") from error


def load_capture(path: Path) -> Capture:
    """Return a capture, or raise `UnreadableCapture`."""
    try:
        return read_capture(path)
    except CaptureError as error:
        raise UnreadableCapture(error.path, error.reason) from error


def stereo(capture: Capture, duration_ms: float | None) -> Sides:
    """Return [samples, 2]: us and them from time 0, exactly `duration_ms` long."""
    captured = len(capture.left)
    wanted = captured if duration_ms is None else round(duration_ms * SAMPLE_RATE_HZ / 1000)
    length = max(1, wanted)  # libsndfile cannot read a FLAC file without any sample
    sides = np.zeros((length, _CHANNELS), np.int16)
    common = min(length, captured)
    sides[:common, 0] = capture.left[:common]
    sides[:common, 1] = capture.right[:common]
    return sides


def _write(destination: Path, sides: Sides, kind: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{destination.stem}-", suffix=".tmp", dir=destination.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            soundfile.write(file, sides, SAMPLE_RATE_HZ, format=kind, subtype="PCM_16")
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o640)
        Path(name).replace(destination)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(destination.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def describe(path: Path) -> RecordingInfo:
    """Return what a finished sound file holds, with its SHA-256. `RecordingError` when it is no sound file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        try:
            with soundfile.SoundFile(file) as sound:
                duration_ms = sound.frames * 1000 / sound.samplerate
                return RecordingInfo(str(path), digest, duration_ms, sound.channels, sound.samplerate)
        except soundfile.LibsndfileError as error:
            raise RecordingError(path, "is not a sound file") from error
