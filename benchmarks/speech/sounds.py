"""Sounds as a telephone line brings them, the spoken references, and what is no speech at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from benchmarks.line.degrade import at_level
from benchmarks.speech.corpus import answers
from sip.media import decode, encode
from tests.line_sounds import BUSY, RINGBACK, cadence, chords, silence, sine, white_noise

RATE_HZ: Final = 8_000
BAND_HZ: Final = (300.0, 3400.0)
LEVEL_DBM0: Final = -18.0
AROUND_S: Final = 0.5
"""Of the line, before and behind each answer."""

Sound = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sound and what is said in it."""

    name: str
    sound: Floats
    text: str


def load(path: Path) -> Floats:
    """Return a sound file as mono samples at 8 kHz."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = np.ascontiguousarray(samples.mean(axis=1, dtype=np.float32))
    return np.asarray(soxr.resample(mono, rate, RATE_HZ), np.float32)


def telephone(sound: Floats, snr_db: float | None = None, seed: int = 0) -> Sound:
    """Return a sound in the telephone band, at a usual level, with the noise of the line, after A-law."""
    quiet = np.zeros(round(AROUND_S * RATE_HZ), np.float32)
    whole = np.concatenate([quiet, at_level(_in_band(sound), LEVEL_DBM0), quiet])
    if snr_db is not None:
        hiss = _in_band(white_noise(len(whole) / RATE_HZ, 0.0, seed)[: len(whole)])
        whole = whole + at_level(hiss, LEVEL_DBM0 - snr_db)
    codes = encode((np.clip(whole, -1.0, 1.0) * 32_000).astype(np.int16), "PCMA")
    return decode(codes, "PCMA")


def _in_band(sound: Floats) -> Floats:
    spectrum = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    spectrum[(hz < BAND_HZ[0]) | (hz > BAND_HZ[1])] = 0
    return np.fft.irfft(spectrum, len(sound)).astype(np.float32)


def real_voices() -> list[Spoken]:
    """Return the sentences of `DUTYRING_TEST_AUDIO` by real speakers; nothing where it is not set."""
    folder = Path(os.environ.get("DUTYRING_TEST_AUDIO", ""), "speech-zh")
    table = folder / "transcripts.tsv"
    if not os.environ.get("DUTYRING_TEST_AUDIO") or not table.is_file():
        return []
    rows = [line.split("\t") for line in table.read_text("utf-8").splitlines() if line]
    return [Spoken(name, load(folder / name), text) for name, text, *_ in rows]


def made_voices(corpus: Path | None, most: int) -> list[Spoken]:
    """Return the first answers that were synthesised into a folder, see `benchmarks.speech.synthesis`."""
    if corpus is None:
        return []
    there = [answer for answer in answers() if (corpus / f"{answer.key}.flac").is_file()][:most]
    return [Spoken(answer.key, load(corpus / f"{answer.key}.flac"), answer.text) for answer in there]


def not_speech() -> dict[str, Floats]:
    """Return sounds that nobody speaks in: tones, music, silence, noise, a fax."""
    found = {
        "ringback": cadence(RINGBACK, 15.0)[0],
        "busy": cadence(BUSY, 10.0)[0],
        "dial tone": sine(8.0),
        "fax": np.concatenate([sine(3.0, 2100.0), silence(1.0), sine(3.0, 1100.0), silence(1.0)]),
        "silence": silence(15.0),
        "noise -30 dBm0": white_noise(15.0, -30.0),
        "noise -45 dBm0": white_noise(15.0, -45.0),
        "chords": chords(15.0),
    }
    folder = Path(os.environ.get("DUTYRING_TEST_AUDIO", ""), "music")
    if os.environ.get("DUTYRING_TEST_AUDIO") and folder.is_dir():
        for path in sorted(folder.glob("*.flac")):
            whole = load(path)
            for start in (10, 50, 90):
                found[f"{path.stem} from {start} s"] = whole[start * RATE_HZ : (start + 20) * RATE_HZ]
    return found
