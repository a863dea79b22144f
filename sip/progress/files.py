"""The same analysis of a sound file: blockwise, so that two hours need no more memory than two minutes.

A file that cannot be analysed raises AudioFileError. One that can, however badly recorded, gives what can be heard,
and `errors` names what is wrong with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from sip.progress.announced import named_by_failure_tone
from sip.progress.clip_check import FULL_SCALE, FULL_SCALES, Channel, ClipCheck
from sip.progress.features import COLUMN_MS, COLUMN_SAMPLES, RATE_HZ, FeatureBank
from sip.progress.heard import Heard
from sip.progress.listener import LineListener
from sip.progress.plan import TonePlan
from sip.progress.rings import early_media_kind, rings_heard
from sip.progress.sound_file_words import heard_state
from sip.progress.spectrogram import Spectrogram
from sip.record import AUDIO_SCHEMA

Floats = npt.NDArray[np.float32]

_BLOCK_COLUMNS = 100
_BLOCK_S = _BLOCK_COLUMNS * COLUMN_MS / 1000.0
_HIGHEST_RATE_HZ = 768_000
"""No sound card has more; a header that says so is damaged."""


class AudioFileError(Exception):
    """The file cannot be analysed at all; the message names it and says why."""


def analyse_file(
    path: str | os.PathLike[str],
    *,
    channel: Channel = "right",
    alaw: bool = False,
    plan: TonePlan | None = None,
    spectrogram: Spectrogram | None = None,
) -> dict[str, Any]:
    """Return the JSON object of schema dutyring.audio/1 for a sound file, times in ms from its start.

    Anything libsndfile reads, or raw A-law of 8 kHz with `alaw`. Of several channels `channel` is taken (of one,
    that one); any rate from 8 kHz up is resampled. A truncated file is analysed as far as it goes; that, clipping, a
    constant offset, a dead channel and sound too quiet are named in `errors`. `spectrogram` is fed what is analysed.
    Raises AudioFileError for a file that is missing, empty, no sound file or of a rate below 8 kHz, and ValueError
    for an unknown channel.
    """
    if channel not in ("left", "right", "mix"):
        raise ValueError(f"channel must be left, right or mix, not {channel!r}")
    file = Path(path)
    errors: list[str] = []
    listener = LineListener(plan)
    samples = 0
    bank = FeatureBank(_BLOCK_COLUMNS)
    blocks = _alaw_blocks(file, errors) if alaw else _sound_blocks(file, channel, errors)
    try:
        for columns, count in _columns(blocks):
            features = bank.push(np.arange(len(columns)), columns)
            listener.push(samples / COLUMN_SAMPLES * COLUMN_MS, features, np.ones(len(columns), np.bool_))
            if spectrogram is not None:
                spectrogram.push(columns)
            samples += count
    except OSError as error:
        raise AudioFileError(f"{file}: {error.strerror or error}") from None
    if not samples:
        raise AudioFileError(f"{file}: holds no sound")
    duration_ms = samples * 1000.0 / RATE_HZ
    heard = listener.finish(duration_ms)
    heard = dataclasses.replace(heard, segments=named_by_failure_tone(heard.segments))
    return _result(heard, duration_ms, errors)


def _result(heard: Heard, duration_ms: float, errors: list[str]) -> dict[str, Any]:
    segments = [_rounded(dataclasses.asdict(segment)) for segment in heard.segments]
    kind = early_media_kind(heard.segments, answered=True, alerting_ms=None)
    rings = dataclasses.asdict(rings_heard(heard))
    rings["bursts"] = [_rounded(burst) for burst in rings["bursts"]]
    return {
        "schema": AUDIO_SCHEMA,
        "duration_ms": round(duration_ms, 3),
        "segments": segments,
        "rings": rings,
        "early_media": {"kind": kind, "segments": segments},
        **heard_state(heard),
        "level": None if heard.level is None else _rounded(dataclasses.asdict(heard.level)),
        "errors": errors,
    }


def _rounded(members: dict[str, Any]) -> dict[str, Any]:
    rounded: dict[str, Any] = {}
    for name, value in members.items():
        rounded[name] = round(value, 3) if isinstance(value, float) else value
        if isinstance(value, Mapping):
            rounded[name] = _rounded(dict(value))
    return rounded


def _columns(blocks: Iterator[Floats]) -> Iterator[tuple[Floats, int]]:
    """Re-frame 8 kHz samples into [n, 160], n at most a block, and yield each with its number of samples.

    Zeros fill the last column.
    """
    size = _BLOCK_COLUMNS * COLUMN_SAMPLES
    rest = np.zeros(0, np.float32)
    for block in blocks:
        rest = np.concatenate((rest, block))
        while len(rest) >= size:
            yield rest[:size].reshape(-1, COLUMN_SAMPLES), size
            rest = rest[size:]
    if len(rest):
        padded = np.zeros(-(-len(rest) // COLUMN_SAMPLES) * COLUMN_SAMPLES, np.float32)
        padded[: len(rest)] = rest
        yield padded.reshape(-1, COLUMN_SAMPLES), len(rest)


def _sound_blocks(file: Path, channel: Channel, errors: list[str]) -> Iterator[Floats]:
    """Yield the chosen channel at 8 kHz; what is wrong with the recording goes into `errors`."""
    _refuse_unreadable(file)
    try:
        # As bytes: a name need not be text.
        sound = soundfile.SoundFile(os.fsencode(file))
    except soundfile.LibsndfileError as error:
        raise AudioFileError(f"{file}: no sound file ({error.error_string})") from None
    except TypeError:
        # soundfile wants to be told what is in a file of this name.
        raise AudioFileError(f"{file}: no sound file (its name says raw sound, without a header)") from None
    with sound:
        rate = int(sound.samplerate)
        if not RATE_HZ <= rate <= _HIGHEST_RATE_HZ:
            beyond = f"below {RATE_HZ}" if rate < RATE_HZ else f"above {_HIGHEST_RATE_HZ}"
            raise AudioFileError(f"{file}: sample rate {rate} Hz is {beyond} Hz")
        resampler = soxr.ResampleStream(rate, RATE_HZ, 1, dtype="float32") if rate != RATE_HZ else None
        check = ClipCheck(rate, FULL_SCALES.get(sound.subtype, FULL_SCALE))
        for block in _decoded(sound, file, errors):
            check.push(block)
            mono = _one_channel(block, channel)
            yield mono if resampler is None else resampler.resample_chunk(mono)
        if resampler is not None:
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        errors += check.findings(channel)


def _decoded(sound: soundfile.SoundFile, file: Path, errors: list[str]) -> Iterator[Floats]:
    """Yield blocks [n, channels] until the file's end or the first error of the decoder."""
    read = 0
    reason = _missing_of_wav(file)
    try:
        for block in _read(sound, int(sound.samplerate * _BLOCK_S)):
            read += len(block)
            yield block
    except soundfile.LibsndfileError as error:
        reason = error.error_string.removeprefix("Error : ")
        for block in _last_words(file, read):
            read += len(block)
            yield block
    # Some containers do not know their length: then libsndfile names an absurd one.
    known = 0 < sound.frames < 1 << 48
    if reason is None and known and read < sound.frames:
        reason = f"the header promises {sound.frames} frames"
    if reason is not None:
        seconds = read / sound.samplerate
        errors.append(f"{_printable(file.name)}: truncated after {seconds:.2f} s ({reason.rstrip('.')})")


def _read(sound: soundfile.SoundFile, frames: int) -> Iterator[Floats]:
    while len(block := sound.read(frames, dtype="float32", always_2d=True)):
        # Floats may be anything. Beyond full scale they are cut off, as any player does, and named as clipping.
        yield np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0).clip(-1.0, 1.0)


def _last_words(file: Path, read: int) -> Iterator[Floats]:
    """Yield what lies between `read` and the error: a block that fails takes its good beginning with it."""
    with contextlib.suppress(soundfile.LibsndfileError), soundfile.SoundFile(os.fsencode(file)) as again:
        again.seek(read)
        yield from _read(again, int(again.samplerate * COLUMN_MS / 1000.0))


def _missing_of_wav(file: Path) -> str | None:
    """Say how much of a WAV's sound is missing: libsndfile silently takes what there is."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        while len(chunk := stream.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                missing = stream.tell() + length - size
                # 0xFFFFFFFF and its neighbours are written by programs that stream.
                return f"{missing} bytes missing" if missing > 0 and length < 0xFFFF_FF00 else None
            stream.seek(length + length % 2, os.SEEK_CUR)
    return None


def _one_channel(block: Floats, channel: Channel) -> Floats:
    if channel == "mix":
        return np.ascontiguousarray(block.mean(axis=1), dtype=np.float32)
    index = 0 if channel == "left" else min(1, block.shape[1] - 1)
    return np.ascontiguousarray(block[:, index])


def _alaw_blocks(file: Path, errors: list[str]) -> Iterator[Floats]:
    """Yield the samples of raw A-law (ITU-T G.711), one byte each, 8 kHz."""
    _refuse_unreadable(file)
    table = _alaw_table()
    check = ClipCheck(RATE_HZ, FULL_SCALES["ALAW"])
    with file.open("rb") as stream:
        while data := stream.read(int(RATE_HZ * _BLOCK_S)):
            sound = table[np.frombuffer(data, np.uint8)]
            check.push(sound[:, None])
            yield sound
    errors += check.findings("right")


def _printable(name: str) -> str:
    """Return a file's name as one line that any terminal and any JSON can hold."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name)


def _alaw_table() -> Floats:
    """Return the 256 values of A-law, full scale 1.0 (ITU-T G.711 table 1a: even bits inverted)."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    linear = (mantissa << 4) + 8
    value = np.where(exponent == 0, linear, (linear + 0x100) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, value, -value) / 32768.0).astype(np.float32)


def _refuse_unreadable(file: Path) -> None:
    try:
        if not file.is_file():
            # A pipe would block for as long as nobody writes into it.
            reason = "is a folder" if file.is_dir() else "is no file" if file.exists() else "no such file"
            raise AudioFileError(f"{file}: {reason}")
        if not file.stat().st_size:
            raise AudioFileError(f"{file}: is empty")
        with file.open("rb"):
            pass
    except OSError as error:
        raise AudioFileError(f"{file}: {error.strerror or error}") from None


def read_channel(path: str | os.PathLike[str], channel: Channel = "right") -> Floats:
    """Return one channel of a sound file at 8 kHz, full scale 1.0, as far as it can be read.

    Raises AudioFileError as `analyse_file` does.
    """
    blocks = [block for block in _sound_blocks(Path(path), channel, []) if len(block)]
    if not blocks:
        raise AudioFileError(f"{path}: holds no sound")
    return np.concatenate(blocks).astype(np.float32)
