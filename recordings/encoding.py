"""Sound files from raw captures: stereo, 8 kHz, 16 bit, left us and right them, time 0 at the first sample."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import soundfile

from recordings.errors import RecordingError, UnreadableCapture, UnwritableRecording
from recordings.files import write_whole
from sip.media import SAMPLE_RATE_HZ, Capture, CaptureError, read_capture
from sip.record import Gap, RecordingInfo

_CHANNELS: Final = 2
_LEAST_GAP: Final = 20 * SAMPLE_RATE_HZ // 1000
"""Samples of one packet: what is shorter is the clock's drift, not a loss."""
_MOST_GAPS: Final = 1000
"""As many gaps are listed; further ones are summed."""
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
    return encode_as(kind, capture_path, destination, duration_ms)


def encode_as(
    kind: str, capture_path: Path, destination: Path, duration_ms: float | None = None
) -> RecordingInfo:
    """Do what `encode` does, for a file of any name; `kind` is libsndfile's name of the format."""
    capture = load_capture(capture_path)
    try:
        _write(destination, stereo(capture, duration_ms), kind)
        info = describe(destination)
        return replace(info, gaps=_gaps_in(capture, info.duration_ms))
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


def gaps_of(capture_path: Path, duration_ms: float) -> tuple[Gap, ...]:
    """Return the gaps of a capture's recording. Raises `UnreadableCapture`."""
    return _gaps_in(load_capture(capture_path), duration_ms)


def _gaps_in(capture: Capture, duration_ms: float) -> tuple[Gap, ...]:
    """Those of lost packets, and the rest of the call where the capture ended before it: the disk was full."""
    found = gaps(capture.missing, duration_ms)
    if capture.ended:
        return found
    return (*found, *_unwritten(capture, duration_ms))


def _unwritten(capture: Capture, duration_ms: float) -> Iterator[Gap]:
    """Yield what is missing at the end of each side: the disk takes them one after the other."""
    sides: tuple[Literal["us", "them"], ...] = ("us", "them")
    for channel, until in zip(sides, capture.written, strict=True):
        rest_ms = duration_ms - _ms(until)
        if rest_ms >= _ms(_LEAST_GAP):
            yield Gap(channel, _ms(until), duration_ms, "unwritten", rest_ms)


def gaps(missing: Sequence[tuple[int, int]], duration_ms: float) -> tuple[Gap, ...]:
    """Return the stretches [first sample, first after) that were lost of them, up to `duration_ms`, as gaps."""
    found: list[Gap] = []
    last = round(duration_ms * SAMPLE_RATE_HZ / 1000)
    for start, end in _joined(missing):
        length = min(end, last) - start
        if length >= _LEAST_GAP:
            found.append(Gap("them", _ms(start), _ms(start + length), "lost", _ms(length)))
    more = found[_MOST_GAPS:]
    if not more:
        return tuple(found)
    silent_ms = sum(gap.silent_ms for gap in more)
    return (*found[:_MOST_GAPS], Gap("them", more[0].start_ms, more[-1].end_ms, "more", silent_ms))


def _joined(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            start, end = joined[-1][0], max(end, joined.pop()[1])
        joined.append((start, end))
    return joined


def _ms(samples: int) -> float:
    return samples * 1000 / SAMPLE_RATE_HZ


def _write(destination: Path, sides: Sides, kind: str) -> None:
    # Encoded in memory: what a full disk refuses to libsndfile in the middle it does not tell.
    encoded = io.BytesIO()
    soundfile.write(encoded, sides, SAMPLE_RATE_HZ, format=kind, subtype="PCM_16")
    write_whole(destination, [encoded.getbuffer()], make_folder=False)


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
