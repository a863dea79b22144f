"""Every sound that a simulated line can play, by name: the tones, the tune, and the spoken clips of `sounds/`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from sip.simulator import music, tones
from sip.simulator.tones import RATE_HZ, Samples

SOUNDS_FOLDER = Path(__file__).parent / "sounds"

FORMULAS: Mapping[str, Callable[[], Samples]] = {
    "ringback": tones.ringback,
    "ringback_far": tones.ringback_far,
    "ringback_us": tones.ringback_us,
    "busy": tones.busy,
    "congestion": tones.congestion,
    "unobtainable": tones.unobtainable,
    "beep": tones.beep,
    "ced": tones.called_fax,
    "ansam": tones.called_modem,
    "cng": tones.calling_fax,
    "fax_answer": tones.fax_answer,
    "melody": music.melody,
}


@dataclass(frozen=True, slots=True)
class Clip:
    """A spoken clip: who speaks (a voice of the synthesiser) and the words."""

    name: str
    voice: str
    text: str


@cache
def clips() -> Mapping[str, Clip]:
    """Return the spoken clips by name, from the table beside them."""
    table = tomllib.loads((SOUNDS_FOLDER / "transcripts.toml").read_text(encoding="utf-8"))
    return {name: Clip(name, entry["voice"], entry["text"]) for name, entry in table.items()}


def sound_names() -> tuple[str, ...]:
    """Return every name that `sound` knows: tones first, then clips."""
    return (*FORMULAS, *clips())


@cache
def sound(name: str) -> Samples:
    """Return a sound as read-only int16 mono at 8 kHz; `KeyError` for a name that is not there."""
    if name in FORMULAS:
        samples = FORMULAS[name]()
    else:
        samples = _read(clips()[name])
    samples.flags.writeable = False
    return samples


def load_sounds() -> None:
    """Compute and read every sound now, so that `sound` never takes time later (about 1 s)."""
    for name in sound_names():
        sound(name)


def duration_s(name: str) -> float:
    """Return how long one turn of a sound lasts."""
    return len(sound(name)) / RATE_HZ


def _read(clip: Clip) -> Samples:
    samples, rate_hz = soundfile.read(SOUNDS_FOLDER / f"{clip.name}.flac", dtype="int16")
    if rate_hz != RATE_HZ or samples.ndim != 1:
        raise ValueError(
            f"{clip.name}.flac: {rate_hz} Hz with shape {samples.shape}, must be mono at {RATE_HZ} Hz"
        )
    return np.asarray(samples, np.int16)
