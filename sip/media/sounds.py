"""Prompts: sound files of any kind as 8 kHz samples.

WAV, FLAC, OGG and MP3 are read by libsndfile; everything else goes through pydub with the ffmpeg that the
imageio-ffmpeg wheel brings.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sip.media.errors import SoundFileError
from sip.media.model import SAMPLE_RATE_HZ

_LONGEST_S: Final = 3600
"""A longer file is no prompt."""

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


def load_prompt(path: Path) -> Samples:
    """Return a sound file as 8 kHz mono samples: [n] int16, channels mixed, any rate resampled.

    `SoundFileError` names the file and why it cannot be played.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise SoundFileError(path, error.strerror or str(error)) from error
    if size == 0:
        raise SoundFileError(path, "the file is empty")
    sound, rate_hz = _read_with_libsndfile(path) or _read_with_ffmpeg(path)
    if not len(sound):
        raise SoundFileError(path, "the file holds no sound")
    return _to_telephone(sound, rate_hz)


def _to_telephone(sound: Floats, rate_hz: int) -> Samples:
    import soxr

    mono = sound.mean(axis=1, dtype=np.float32)
    if rate_hz != SAMPLE_RATE_HZ:
        mono = soxr.resample(mono, rate_hz, SAMPLE_RATE_HZ)
    samples: Samples = np.rint(np.clip(np.nan_to_num(mono), -1.0, 1.0) * 32767).astype(np.int16)
    return samples


def _read_with_libsndfile(path: Path) -> tuple[Floats, int] | None:
    """Return ([n, channels] in full scale, rate), or None when libsndfile does not know the format."""
    import soundfile

    try:
        with path.open("rb") as opened, soundfile.SoundFile(opened) as file:
            _check_length(path, file.frames / file.samplerate)
            return file.read(dtype="float32", always_2d=True), file.samplerate
    except soundfile.LibsndfileError:
        return None


def _check_length(path: Path, seconds: float) -> None:
    if seconds > _LONGEST_S:
        raise SoundFileError(path, f"lasts {seconds:.0f} s; a prompt may last {_LONGEST_S} s at most")


def _read_with_ffmpeg(path: Path) -> tuple[Floats, int]:
    pydub: Any = _pydub()
    try:
        segment = pydub.AudioSegment.from_file_using_temporary_files(str(path))
    except (pydub.exceptions.CouldntDecodeError, OSError, IndexError, KeyError, ValueError) as error:
        raise SoundFileError(path, "is not a sound file, or of a kind that cannot be decoded") from error
    _check_length(path, segment.duration_seconds)
    full_scale = float(1 << (8 * segment.sample_width - 1))
    samples = np.array(segment.get_array_of_samples(), np.float32) / np.float32(full_scale)
    return samples.reshape(-1, segment.channels), segment.frame_rate


def _pydub() -> Any:
    """Import pydub late and quietly: it warns about escapes of its own and about an ffmpeg that it does not need."""
    import imageio_ffmpeg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pydub
        import pydub.exceptions
    pydub.AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()
    return pydub
