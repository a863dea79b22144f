"""Makes a sample's prints of a stretch of sound that somebody marked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sip.progress import features as f
from sip.progress import fingerprint as fp
from sip.progress.clip_check import Channel
from sip.progress.features import COLUMN_MS, COLUMN_SAMPLES, RATE_HZ, FeatureBank
from sip.progress.files import Floats, read_channel
from sip.progress.listener import LineListener
from sip.progress.sample_matcher import SampleMatcher
from sip.progress.samples import LONGEST_S, SampleHeard, SampleLibrary
from sip.progress.stretches import PhasePrint
from sip.record import SegmentKind

PHASES: Final = 2
"""Prints of each stretch: with columns cut 10 ms apart, no line's columns are more than 5 ms off."""
LEAST_S: Final = 1.5
LEAST_LIVELY_S: Final = 0.7
"""How much of a stretch must be lively enough to be told from other sound; a slow voice is in half of its columns."""
LEAST_BITS: Final = 200
"""Weighted bits that a stretch must hold, about a sixth of them independent of each other: with fewer, chance would
come near `sample_matcher.MOST_WRONG`."""
_LIVELY = 5
_SLACK_S = 0.1
_SLACK_COLUMNS = 3
"""By which a print may be shorter or longer than its stretch: its last column is filled up, one cut begins later."""
_SOUNDS: frozenset[SegmentKind] = frozenset({"speech", "music", "announcement", "noise"})


class MarkError(ValueError):
    """The stretch cannot be a sample; the text says why and what would be one."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A stretch without the silence and the tones around it."""

    phases: tuple[PhasePrint, ...]
    start_ms: float
    """In the sound that it was cut from."""
    end_ms: float

    @property
    def length_ms(self) -> float:
        """How long it lasts."""
        return self.end_ms - self.start_ms


def mark_file(
    path: Path, *, channel: Channel = "right", start_s: float | None = None, end_s: float | None = None
) -> Marked:
    """Mark a stretch of a sound file, by default all of it; silence and tones at its ends are left out.

    Raises `AudioFileError` for a file that cannot be read and `MarkError` for a stretch outside of it or without
    enough sound.
    """
    start = start_s or 0.0
    # Asked this way round, no stretch holds that begins or ends at NaN.
    if not start >= 0 or not (end_s is None or end_s > start):
        until = "the end" if end_s is None else f"{end_s:g} s"
        raise MarkError(
            f"the stretch {start:g} to {until} is none; it takes a start from 0 on, before its end"
        )
    sound = read_channel(path, channel)
    length_s = len(sound) / RATE_HZ
    end = length_s if end_s is None else end_s
    if end > length_s + COLUMN_MS / 1000 or start >= length_s:
        raise MarkError(
            f"{path.name} lasts {length_s:.2f} s; the stretch {start:g} to {end:g} s is outside of it"
        )
    marked = mark(sound[round(start * RATE_HZ) : round(end * RATE_HZ)])
    return Marked(marked.phases, marked.start_ms + start * 1000, marked.end_ms + start * 1000)


def mark(sound: Floats) -> Marked:
    """Make prints of a stretch of sound, 8 kHz and full scale 1.0. Raises `MarkError`."""
    first_ms, last_ms = _bounds(sound)
    length_s = (last_ms - first_ms) / 1000
    if length_s < LEAST_S - _SLACK_S:
        raise MarkError(
            f"it holds {length_s:.2f} s of sound beside silence and tones; it takes at least {LEAST_S:g} s"
        )
    if length_s > LONGEST_S:
        raise MarkError(
            f"it holds {length_s:.0f} s of sound; it takes at most {LONGEST_S:g} s: name the stretch"
        )
    part = sound[round(first_ms * RATE_HZ / 1000) : round(last_ms * RATE_HZ / 1000)]
    shifts = [number * COLUMN_SAMPLES // PHASES for number in range(PHASES)]
    whole = tuple(_phase(part[shift:]) for shift in shifts)
    _check_lively(whole)
    phases = tuple(_held(part[shift:], phase) for shift, phase in zip(shifts, whole, strict=True))
    _check_bits(phases)
    return Marked(phases, first_ms, last_ms)


def check_prints(phases: tuple[PhasePrint, ...], length_ms: float) -> None:
    """Raise `MarkError` for prints that `mark` never makes of a stretch of `length_ms`: those of a foreign file."""
    if not (LEAST_S - _SLACK_S) * 1000 <= length_ms <= LONGEST_S * 1000:
        raise MarkError(f"a stretch lasts {LEAST_S:g} to {LONGEST_S:g} s, not {length_ms / 1000:.3g} s")
    if len(phases) != PHASES:
        raise MarkError(f"the prints hold {len(phases)} cuts of the stretch; it takes {PHASES}")
    columns = length_ms / COLUMN_MS
    if any(abs(len(phase.bits) - columns) > _SLACK_COLUMNS for phase in phases):
        raise MarkError(f"the prints are not as long as the stretch, {length_ms / 1000:.2f} s")
    _check_bits(phases)


def _check_lively(phases: tuple[PhasePrint, ...]) -> None:
    """Before any trial: afterwards fewer columns are lively."""
    lively = np.bitwise_count(phases[0].strong) >= _LIVELY
    if lively.sum() * COLUMN_MS / 1000 < LEAST_LIVELY_S:
        raise MarkError(
            "its sound hardly changes; it takes speech or music, which can be told from other sound"
        )


def _check_bits(phases: tuple[PhasePrint, ...]) -> None:
    if int(np.bitwise_count(phases[0].strong).sum()) < LEAST_BITS:
        raise MarkError(
            "too little of it can be told from other sound through the noise of a line; "
            "it takes a longer stretch, or one with more speech or music"
        )


def heard_in_file(path: Path, library: SampleLibrary, *, channel: Channel = "right") -> list[SampleHeard]:
    """Return which samples are heard in a sound file, times in milliseconds from its start. Raises `AudioFileError`."""
    columns = columns_of(read_channel(path, channel))
    matcher = SampleMatcher(library)
    heard: list[SampleHeard] = []
    for at in range(0, len(columns), 50):
        block = columns[at : at + 50]
        heard += matcher.push(at * COLUMN_MS, block, np.ones(len(block), np.bool_))
    return heard + matcher.finish()


def columns_of(sound: Floats) -> fp.Columns:
    """Return the feature columns [n, F] of a sound; its last column is filled up with silence."""
    count = -(-len(sound) // COLUMN_SAMPLES)
    padded = np.zeros(count * COLUMN_SAMPLES, np.float32)
    padded[: len(sound)] = sound
    rows = padded.reshape(-1, COLUMN_SAMPLES)
    bank = FeatureBank(_BLOCK)
    blocks = [rows[at : at + _BLOCK] for at in range(0, count, _BLOCK)]
    return np.concatenate([bank.push(np.arange(len(block)), block) for block in blocks or [rows]])


_BLOCK = 500
_ACTIVE = 1e-3
_FAINT = 0.006
"""Twice what a band holds of noise at 15 dB SNR, as a share of the active power."""
_TRIAL_NOISE = 10.0 ** (-15.0 / 10.0)
"""Share of the active power: 15 dB SNR, the noisiest line on which a sample must be known again."""
_TRIALS = (0, COLUMN_SAMPLES // PHASES // 2, -COLUMN_SAMPLES // PHASES // 2, 0)
"""Samples by which the columns of each trial are cut off the print's: a line's are so far off at most."""


def _bounds(sound: Floats) -> tuple[float, float]:
    """Return where the first sound that is neither silence nor a tone begins, and where the last one ends."""
    columns = columns_of(sound)
    if not len(columns):
        raise MarkError(f"it holds no sound; it takes at least {LEAST_S:g} s")
    listener = LineListener()
    listener.push(0.0, columns, np.ones(len(columns), np.bool_))
    sounds = [s for s in listener.finish(len(columns) * COLUMN_MS).segments if s.kind in _SOUNDS]
    if not sounds:
        raise MarkError("it holds nothing but silence or tones; it takes speech or music")
    end_ms = len(sound) * 1000 / RATE_HZ
    return sounds[0].start_ms, min(sounds[-1].end_ms, end_ms)


def _phase(sound: Floats) -> PhasePrint:
    """Return the prints of a sound before any trial."""
    columns = columns_of(sound)
    prints = fp.prints_of(columns)
    # Where the stretch itself is faint, noise of the line turns its bits first: those carry no weight.
    faint = fp.prints_of(columns, empty_power=_active(sound) * _FAINT)
    strong = prints.strong & faint.strong
    # What stands around the stretch in a call is not what stood around it here.
    strong[: fp.EDGE] = 0
    strong[-fp.EDGE :] = 0
    return PhasePrint(prints.bits, strong)


def _held(sound: Floats, phase: PhasePrint) -> PhasePrint:
    """Take the weight from bits that a trial turns: the rest hold on a line, whatever the sound is like."""
    strong = phase.strong.copy()
    noise = np.float32(np.sqrt(_active(sound) * _TRIAL_NOISE))
    for seed, shift in enumerate(_TRIALS):
        strong &= ~(phase.bits ^ fp.prints_of(columns_of(_tried(sound, shift, noise, seed))).bits)
    return PhasePrint(phase.bits, strong)


def _tried(sound: Floats, shift: int, noise: np.float32, seed: int) -> Floats:
    """Return a sound from sample `shift` on in noise of this amplitude; the same for the same seed."""
    tried = np.random.default_rng(seed).standard_normal(len(sound), np.float32) * noise
    first, after = max(-shift, 0), len(sound) - max(shift, 0)
    tried[first:after] += sound[max(shift, 0) : len(sound) - first]
    return tried


def _active(sound: Floats) -> float:
    """Return the mean power of the columns that are not silent."""
    power = columns_of(sound)[:, f.BAND].sum(axis=1)
    return float(power[power > power.max() * _ACTIVE].mean())
