"""A 彩铃 (color ring back tone) by formula: an invented tune of 26.7 s that loops; no recording has to be licensed.

Plucked melody over a sustained chord, a bass and a shaker, in D major pentatonic at 108 beats a minute; int16 mono at
8 kHz, all partials within the telephone band. Melody, harmony and rhythm move at once, so no 20 ms are a single tone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sip.simulator.tones import FULL_SCALE, RATE_HZ, Samples, amplitude

BEAT_S = 60 / 108
BEATS = 48
LEVEL_DBM0 = -16.0
"""RMS of the whole loop."""
BAND_EDGE_HZ = 3400.0
SEED = 20261122

Sound = NDArray[np.float64]

MELODY = (
    "D5 1, E5 .5, F#5 .5, A5 1, B5 1, A5 1.5, F#5 .5, E5 1, D5 1, B4 1, D5 .5, E5 .5, F#5 1, E5 1, D5 3, A5 1, "
    "B5 1, D6 .5, B5 .5, A5 1, F#5 1, E5 1.5, F#5 .5, A5 2, F#5 1, E5 .5, D5 .5, B4 1, D5 1, E5 3, F#5 .5, A5 .5, "
    "B5 1, A5 .5, F#5 .5, E5 1, F#5 1, D5 1.5, E5 .5, B4 1, D5 1, A5 1, F#5 .5, E5 .5, D5 .5, E5 .5, B4 1, D5 4"
)
"""Note and length in beats."""
CHORDS = ("D", "Bm", "G", "D", "D", "A", "Bm", "A", "G", "Bm", "A", "D")
"""One for each bar of four beats."""
CHORD_NOTES = {
    "D": ("D3", "F#4", "A4", "D5"),
    "Bm": ("B2", "F#4", "B4", "D5"),
    "G": ("G2", "G4", "B4", "D5"),
    "A": ("A2", "E4", "A4", "C#5"),
}
"""Bass first."""
SEMITONES = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2, "A": 0, "B": 2}


def melody() -> Samples:
    """Return one turn of the tune, int16 at 8 kHz."""
    mix = np.zeros(round(BEATS * BEAT_S * RATE_HZ))
    beat = 0.0
    for name, length in _notes(MELODY):
        _add(mix, beat, 1.0 * _plucked(_hertz(name), length * BEAT_S + 0.6))
        beat += length
    for bar, chord in enumerate(CHORDS):
        _accompany(mix, 4.0 * bar, CHORD_NOTES[chord])
    _shake(mix)
    return _levelled(mix)


def _accompany(mix: Sound, beat: float, notes: tuple[str, ...]) -> None:
    bass, *chord = (_hertz(name) for name in notes)
    for hertz in chord:
        _add(mix, beat, 0.16 * _bowed(hertz, 4 * BEAT_S + 0.2))
    for step in (0.0, 1.5, 2.0, 3.0):
        _add(mix, beat + step, 0.6 * _plucked(bass, 0.9))
    for step in range(8):
        _add(mix, beat + step / 2, 0.3 * _plucked(chord[(0, 1, 2, 1)[step % 4]] * 2, 0.5))


def _shake(mix: Sound) -> None:
    noise = np.random.default_rng(SEED)
    for step in range(2 * BEATS):
        time_s = np.arange(round(0.09 * RATE_HZ)) / RATE_HZ
        hit = np.diff(noise.standard_normal(len(time_s) + 1)) * np.exp(-time_s / 0.02)
        _add(mix, step / 2, (0.12 if step % 2 else 0.06) * hit)


def _plucked(hertz: float, seconds: float) -> Sound:
    """A plucked string: partials of falling strength that fade the sooner the higher they are."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    partials = [k for k in range(1, 13) if k * hertz < BAND_EDGE_HZ]
    strings = [
        k**-1.1
        * np.exp(-time_s * (1.8 + 1.1 * k))
        * np.sin(2 * np.pi * k * hertz * (1 + 2e-4 * k * k) * time_s)
        for k in partials
    ]
    envelope = np.minimum(1, time_s / 0.004) * np.minimum(1, (seconds - time_s) / 0.03)
    return np.asarray(envelope * np.sum(strings, axis=0), np.float64)


def _bowed(hertz: float, seconds: float) -> Sound:
    """A sustained string: slow attack, five partials, a little vibrato."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * hertz * time_s + 0.25 * np.sin(2 * np.pi * 5.2 * time_s)
    partials = [np.sin(k * phase) / k for k in range(1, 6) if k * hertz < BAND_EDGE_HZ]
    envelope = np.minimum(1, time_s / 0.25) * np.minimum(1, (seconds - time_s) / 0.2)
    return np.asarray(envelope * np.sum(partials, axis=0), np.float64)


def _add(mix: Sound, beat: float, part: Sound) -> None:
    """Add a part at a beat; what reaches over the end comes in at the beginning, so that the loop has no seam."""
    start = round(beat * BEAT_S * RATE_HZ) % len(mix)
    head = min(len(part), len(mix) - start)
    mix[start : start + head] += part[:head]
    mix[: len(part) - head] += part[head:]


def _levelled(mix: Sound) -> Samples:
    rms = amplitude(LEVEL_DBM0) / np.sqrt(2)
    soft = np.tanh(mix * (rms / np.sqrt(np.mean(mix**2))) / (0.8 * FULL_SCALE))
    return np.asarray(np.round(soft * 0.8 * FULL_SCALE), np.int16)


def _notes(score: str) -> list[tuple[str, float]]:
    pairs = (note.split() for note in score.split(","))
    return [(name, float(length)) for name, length in pairs]


def _hertz(name: str) -> float:
    """Equal temperament, A4 = 440 Hz."""
    semitones = SEMITONES[name[0]] + ("#" in name) + 12 * (int(name[-1]) - 4)
    return float(440 * 2 ** (semitones / 12))
