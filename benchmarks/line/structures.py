"""How calls are put together: one function to each structure, adding sound after sound to a builder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.line import tones
from benchmarks.line.degrade import Degradation, at_level
from benchmarks.line.material import SoundLibrary
from benchmarks.line.tones import RATE_HZ, Sound, Truth
from sip.progress import power_dbm0
from sip.record import SegmentKind

Floats = npt.NDArray[np.float32]

NOISE_FLOOR_DBM0: Final = -45.0
"""Louder than this the line's own noise is `noise`, quieter it is `silence`."""
_SHORTEST_SOUND: Final = 3
"""Columns; less sound within 0.2 s on either side is a click."""
_CLOSE: Final = 10
_LONGEST_PAUSE: Final = 30
"""Columns, 0.6 s."""


class Builder:
    """A call under construction: sounds are added one after the other, tones off as the degradation says."""

    def __init__(self, library: SoundLibrary, rng: np.random.Generator, what: Degradation) -> None:
        """Begin with nothing."""
        self.library = library
        self.rng = rng
        self.what = what
        self.segments: list[Truth] = []
        self.bursts: list[tuple[float, float]] = []
        self.sources: list[str] = []
        self.answer_ms: float | None = None
        self._answered = False
        self._parts: list[Floats] = []
        self._samples = 0
        self._said: set[Path] = set()

    @property
    def now_ms(self) -> float:
        """Return where the next sound will begin."""
        return self._samples * 1000.0 / RATE_HZ

    def samples(self) -> Floats:
        """Return everything added."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)

    def between(self, least: float, most: float) -> float:
        """Return a random number."""
        return float(self.rng.uniform(least, most))

    def add(self, sound: Sound) -> None:
        """Add a sound with its truth."""
        at = self.now_ms
        if self._answered and self.answer_ms is None and sound.segments:
            self.answer_ms = at + sound.segments[0].start_ms
        self.segments += [Truth(t.kind, at + t.start_ms, at + t.end_ms) for t in sound.segments]
        self.bursts += [(at + first, at + after) for first, after in sound.bursts]
        self._parts.append(sound.samples)
        self._samples += len(sound.samples)

    def silence(self, least_s: float, most_s: float) -> None:
        """Add silence."""
        self._parts.append(np.zeros(round(self.between(least_s, most_s) * RATE_HZ), np.float32))
        self._samples += len(self._parts[-1])

    def tone(self, kind: SegmentKind, cycles: float) -> None:
        """Add a cadenced tone."""
        self.add(tones.cadenced(kind, cycles, self.what.level_dbm0, self.what.deviation))

    def answered(self) -> None:
        """Note that the next sound is the answer's first: the answer is where it can be heard."""
        self._answered = True

    def voice(self, sound: Floats, kind: SegmentKind = "speech") -> None:
        """Add samples of a voice, of music or of noise at the call's level."""
        samples = at_level(sound, self.what.level_dbm0)
        self.add(Sound(samples, audible(samples, kind, self.what)))

    def talk(self, turns: int) -> None:
        """Add turns of one speaker, with the silence between in which we are asked something."""
        sound, who = self.library.speech(self.between(1.5, 6.0), self.rng, said=self._said)
        self.sources.append(who)
        self.voice(sound)
        for _ in range(turns - 1):
            self.silence(0.9, 2.5)
            sound, _ = self.library.speech(self.between(1.5, 6.0), self.rng, who, self._said)
            if len(sound):
                self.voice(sound)

    def music(self, least_s: float, most_s: float) -> None:
        """Add an excerpt of a track."""
        sound, track = self.library.music(self.between(least_s, most_s), self.rng)
        self.sources.append(track)
        self.voice(sound, "music")

    def noise(self, least_s: float, most_s: float) -> None:
        """Add noise, never louder than a room at a handset would be."""
        sound, source = self.library.noise(self.between(least_s, most_s), self.rng)
        self.sources.append(source)
        samples = at_level(sound, min(self.what.level_dbm0, self.between(-38.0, -18.0)))
        self.add(Sound(samples, audible(samples, "noise", self.what)))


def audible(samples: Floats, kind: SegmentKind, what: Degradation) -> tuple[Truth, ...]:
    """Return where samples of a kind are heard: what stays below the floor for more than 0.6 s, or is a click, is not.

    The floor is -45 dBm0, the contract's silence, or the line's noise where that is louder.
    """
    count = len(samples) // 160
    if not count:
        return ()
    power = np.mean(np.square(samples[: count * 160].reshape(count, 160), dtype=np.float64), axis=1)
    floor = max(NOISE_FLOOR_DBM0, what.noise_dbm0)
    above = power_dbm0(power) > floor
    near = np.convolve(above, np.ones(2 * _CLOSE + 1), "full")[_CLOSE : _CLOSE + count]
    loud = np.flatnonzero(above & (near >= _SHORTEST_SOUND))
    if not len(loud):
        return ()
    breaks = np.flatnonzero(np.diff(loud) > _LONGEST_PAUSE)
    firsts = [loud[0], *loud[breaks + 1]]
    lasts = [*loud[breaks], loud[-1]]
    return tuple(
        Truth(kind, first * 20.0, last * 20.0 + 20.0) for first, last in zip(firsts, lasts, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Structure:
    """A kind of call and how often it is made."""

    build: Callable[[Builder], None]
    weight: float = 1.0


def _answered(call: Builder) -> None:
    call.silence(0.1, 1.5)
    call.tone("ringback", int(call.rng.integers(1, 5)))
    call.answered()
    call.talk(int(call.rng.integers(2, 4)))
    call.silence(0.5, 2.0)


def _gateway(call: Builder) -> None:
    """The answer falls anywhere in the ringback's cadence, and sometimes into a burst."""
    call.silence(0.1, 1.0)
    # A burst cut off within a fifth of a second is one that nobody would count.
    call.tone("ringback", int(call.rng.integers(1, 4)) + call.between(0.05, 1.0))
    call.answered()
    call.talk(2)


def _colour_ring(call: Builder) -> None:
    call.silence(0.1, 1.0)
    if call.rng.random() < 0.3:
        call.tone("ringback", 1.0)
    call.music(6.0, 20.0)
    call.silence(0.2, 1.0)
    call.answered()
    call.talk(int(call.rng.integers(1, 3)))


def _announcement(call: Builder, failure: SegmentKind | None = None) -> None:
    call.silence(0.2, 2.0)
    said, source = call.library.one_phrase(call.rng, 2.0, 12.0)
    call.sources.append(source)
    twice = failure is None or call.rng.random() < 0.5
    call.voice(said, "announcement")
    if twice:
        call.silence(0.8, 3.0)
        call.voice(said, "announcement")
    if failure is None:
        call.silence(0.5, 2.0)
    else:
        call.silence(0.2, 1.5)
        call.tone(failure, int(call.rng.integers(3, 10)))


def _announcement_busy(call: Builder) -> None:
    _announcement(call, "busy")


def _failed(kind: SegmentKind) -> Callable[[Builder], None]:
    def build(call: Builder) -> None:
        call.silence(0.1, 1.5)
        if call.rng.random() < 0.4:
            call.tone("ringback", int(call.rng.integers(1, 4)))
        call.tone(kind, int(call.rng.integers(4, 12)))

    return build


def _mailbox(call: Builder) -> None:
    call.silence(0.1, 1.0)
    call.tone("ringback", int(call.rng.integers(1, 5)))
    call.answered()
    said, source = call.library.speech(call.between(3.0, 8.0), call.rng)
    call.sources.append(source)
    call.voice(said)
    call.silence(0.2, 0.8)
    hz = float(call.rng.choice([440.0, 800.0, 1_000.0, 1_400.0]))
    # A second of 440 Hz is what a ring is: no machine of sense would beep so.
    seconds = call.between(0.3, 1.1 if hz > 500.0 else 0.7)
    call.add(tones.steady("beep", seconds, hz + call.what.deviation.hz, call.what.level_dbm0))
    call.silence(2.0, 6.0)


def _fax(call: Builder) -> None:
    call.silence(0.1, 1.0)
    call.tone("ringback", int(call.rng.integers(1, 4)))
    call.silence(0.2, 1.5)
    call.answered()
    level, off = call.what.level_dbm0, call.what.deviation.hz
    modulated = bool(call.rng.random() < 0.5)
    call.add(tones.fax_answer(call.between(2.6, 4.0), level, off, modulated))
    call.silence(0.5, 2.0)


def _fax_calls(call: Builder) -> None:
    call.silence(0.3, 2.0)
    call.answered()
    call.add(tones.fax_cng(int(call.rng.integers(2, 4)), call.what.level_dbm0, call.what.deviation.hz))


def _empty_room(call: Builder) -> None:
    call.silence(0.1, 1.0)
    call.tone("ringback", int(call.rng.integers(1, 4)))
    call.answered()
    call.noise(6.0, 15.0)


def _noise_then_voice(call: Builder) -> None:
    call.silence(0.2, 1.0)
    call.answered()
    call.noise(3.0, 8.0)
    call.silence(0.8, 2.0)
    call.talk(1)


def _silent(call: Builder) -> None:
    call.tone("ringback", int(call.rng.integers(1, 4)))
    call.silence(6.0, 10.0)


def _on_hold(call: Builder) -> None:
    call.silence(0.1, 0.6)
    call.answered()
    call.talk(1)
    call.silence(0.8, 1.6)
    call.music(6.0, 18.0)
    call.silence(0.8, 1.6)
    call.talk(1)


def _dial_tone(call: Builder) -> None:
    call.silence(0.1, 1.0)
    hz = 450.0 + call.what.deviation.hz
    call.add(tones.steady("dial_tone", call.between(4.0, 9.0), hz, call.what.level_dbm0))


def _call_waiting(call: Builder) -> None:
    call.silence(0.1, 1.0)
    call.tone("call_waiting", int(call.rng.integers(3, 5)))


def _howler(call: Builder) -> None:
    call.silence(0.1, 1.0)
    call.add(tones.howler(call.between(4.0, 9.0), call.what.level_dbm0, call.what.deviation.hz))


STRUCTURES: Final[dict[str, Structure]] = {
    "answered": Structure(_answered, 4.0),
    "gateway": Structure(_gateway, 2.0),
    "colour_ring": Structure(_colour_ring, 4.0),
    "announcement": Structure(_announcement, 2.0),
    "announcement_busy": Structure(_announcement_busy, 3.0),
    "busy": Structure(_failed("busy")),
    "congestion": Structure(_failed("congestion")),
    "unobtainable": Structure(_failed("unobtainable")),
    "mailbox": Structure(_mailbox, 2.0),
    "fax": Structure(_fax, 1.5),
    "fax_calls": Structure(_fax_calls),
    "empty_room": Structure(_empty_room, 2.0),
    "noise_then_voice": Structure(_noise_then_voice),
    "silent": Structure(_silent),
    "on_hold": Structure(_on_hold, 2.0),
    "dial_tone": Structure(_dial_tone),
    "call_waiting": Structure(_call_waiting),
    "howler": Structure(_howler),
}
"""Every kind of call that the generator makes."""
