"""Sounds to make calls of: from the folder that `tools/line_sources.py` gathered, or only what the repository holds.

Set DUTYRING_LINE_SOURCES to the folder. Without it, calls are made of the simulator's own Mandarin clips and of music
and noise by formula: enough to try the generator, not enough to judge a model, and `SoundLibrary.real` is False.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from benchmarks.line.tones import RATE_HZ
from tests.line_sounds import chords

Floats = npt.NDArray[np.float32]
Kind = Literal["music", "speech", "noise", "effects"]
Split = Literal["train", "test"]

SOURCES_VARIABLE: Final = "DUTYRING_LINE_SOURCES"
OWN_CLIPS: Final = Path(__file__).resolve().parents[2] / "sip" / "simulator" / "sounds"

_COLUMN = 160
_KEPT = 400
"""Decoded sounds kept in memory, at most a minute each."""
_LONGEST_S = 60.0
_PAUSE_S = (0.12, 0.5)
_TRIES = 20
"""Between the phrases of one who speaks on: a pause of more than 0.6 s is a silence of the line."""


@dataclass(frozen=True)
class Source:
    """One file: where it is and who or what sounds in it."""

    path: Path
    source: str
    seconds: float


class SoundLibrary:
    """The sounds of one part, train or test, by kind and source; decoded when they are needed."""

    def __init__(self, split: Split, folder: Path | None = None) -> None:
        """Read the index of `folder`, by default of the environment variable's folder."""
        named = os.environ.get(SOURCES_VARIABLE)
        folder = folder or (Path(named) if named else None)
        self.split = split
        self.real = folder is not None
        """Whether these are gathered sounds, most of them real."""
        self._kinds: dict[Kind, dict[str, list[Source]]] = {
            "music": {},
            "speech": {},
            "noise": {},
            "effects": {},
        }
        self._decoded: OrderedDict[Path, Floats] = OrderedDict()
        self._folder = folder
        if folder is None:
            self._add_own()
        else:
            for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
                if entry["split"] == split:
                    self._add(
                        entry["kind"], Source(folder / entry["path"], entry["source"], entry["seconds"])
                    )

    def _add(self, kind: Kind, source: Source) -> None:
        self._kinds[kind].setdefault(source.source, []).append(source)

    def _add_own(self) -> None:
        """The simulator's clips, parted by text: no sentence is in both parts."""
        clips = sorted(OWN_CLIPS.glob("*.flac"))
        for clip in clips[::2] if self.split == "train" else clips[1::2]:
            self._add("speech", Source(clip, clip.stem, float(soundfile.info(clip).duration)))

    def sources(self, kind: Kind) -> list[str]:
        """Return the names of the sources of a kind, sorted."""
        return sorted(self._kinds[kind])

    def files(self, kind: Kind, source: str) -> list[Source]:
        """Return the files of a source."""
        return self._kinds[kind].get(source, [])

    def draw_source(self, kind: Kind, rng: np.random.Generator) -> str:
        """Return a source: each as likely, but one of a few seconds less so, or it would be heard again and again."""
        names = self.sources(kind)
        weights = np.array([min(sum(f.seconds for f in self._kinds[kind][name]), 60.0) for name in names])
        return str(rng.choice(names, p=weights / weights.sum()))

    def speech(
        self,
        seconds: float,
        rng: np.random.Generator,
        source: str | None = None,
        said: set[Path] | None = None,
    ) -> tuple[Floats, str]:
        """Return about `seconds` of one speaker, phrase after phrase with the pauses of speech, and who speaks.

        Nothing that is in `said` is said again, and what is said is added: twice the same would be a recording. A
        speaker who has nothing more to say is brief, or silent.
        """
        said = set() if said is None else said
        who = source or self._speaker(said, rng)
        files = [file for file in self.files("speech", who) if file.path not in said]
        parts: list[Floats] = [np.zeros(0, np.float32)]
        length = 0.0
        for number in rng.permutation(len(files)).tolist():
            if length >= seconds:
                break
            said.add(files[number].path)
            phrase = self._phrase(files[number].path, seconds - length, rng)
            pause = np.zeros(round(rng.uniform(*_PAUSE_S) * RATE_HZ), np.float32)
            parts += [phrase, pause]
            length += (len(phrase) + len(pause)) / RATE_HZ
        return np.concatenate(parts[:-1] if len(parts) > 1 else parts), who

    def _speaker(self, said: set[Path], rng: np.random.Generator) -> str:
        """Draw a speaker who has something left to say, as far as there is one."""
        for _ in range(_TRIES):
            who = self.draw_source("speech", rng)
            if any(file.path not in said for file in self.files("speech", who)):
                break
        return who

    def one_phrase(self, rng: np.random.Generator, least_s: float, most_s: float) -> tuple[Floats, str]:
        """Return one recording of between so many seconds: an announcement."""
        while True:
            who = self.draw_source("speech", rng)
            fitting = [file for file in self.files("speech", who) if least_s <= file.seconds <= most_s]
            if fitting:
                said = _trimmed(self.sound(fitting[int(rng.integers(len(fitting)))].path))
                # A word in a long silence is none.
                if len(said) >= least_s * RATE_HZ:
                    return said, who

    def music(self, seconds: float, rng: np.random.Generator) -> tuple[Floats, str]:
        """Return an excerpt of a track that sounds all the while, and which track."""
        if not self._kinds["music"]:
            seed = int(rng.integers(1_000)) * 2 + (self.split == "test")
            return chords(seconds, seed), f"chords {seed}"
        track = self.draw_source("music", rng)
        files = self.files("music", track)
        file = files[int(rng.integers(len(files)))]
        for _ in range(4):
            excerpt = self._excerpt(file.path, seconds, rng)
            if _sounding(excerpt) > 0.95:
                break
        return excerpt, track

    def noise(self, seconds: float, rng: np.random.Generator) -> tuple[Floats, str]:
        """Return noise: of traffic, water, machines, where there is such; else, and half the time, by formula."""
        if self._kinds["noise"] and rng.random() < 0.5:
            name = self.draw_source("noise", rng)
            files = self.files("noise", name)
            file = files[int(rng.integers(len(files)))]
            return _looped(_trimmed(self.sound(file.path)), round(seconds * RATE_HZ)), name
        made = NOISES[int(rng.integers(len(NOISES)))]
        return made(seconds, rng), f"noise: {made.__name__}"

    def sound(self, path: Path) -> Floats:
        """Return a file's first minute at 8 kHz, mono."""
        if path in self._decoded:
            self._decoded.move_to_end(path)
            return self._decoded[path]
        sound = self._stored(path)
        self._decoded[path] = sound
        if len(self._decoded) > _KEPT:
            self._decoded.popitem(last=False)
        return sound

    def _stored(self, path: Path) -> Floats:
        """Return a decoded file, from the folder's `cache` when it was decoded before: tracks take a second each."""
        if self._folder is None or not path.is_relative_to(self._folder / "tree"):
            return _decoded(path)
        name = hashlib.sha256(str(path.relative_to(self._folder)).encode()).hexdigest()[:24]
        stored = self._folder / "cache" / f"{name}.npy"
        if stored.exists():
            return np.load(stored).astype(np.float32) / np.float32(32_767.0)
        sound = _decoded(path)
        stored.parent.mkdir(exist_ok=True)
        partial = stored.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, np.round(np.clip(sound, -1.0, 1.0) * 32_767.0).astype(np.int16))
        partial.rename(stored)
        return sound

    def _phrase(self, path: Path, most_s: float, rng: np.random.Generator) -> Floats:
        sound = _trimmed(self.sound(path))
        return _pauses_shortened(sound[: round(max(most_s, 1.0) * RATE_HZ)], rng)

    def _excerpt(self, path: Path, seconds: float, rng: np.random.Generator) -> Floats:
        sound = _trimmed(self.sound(path))
        size = round(seconds * RATE_HZ)
        if len(sound) <= size:
            return _looped(sound, size)
        at = int(rng.integers(len(sound) - size))
        return sound[at : at + size]


def hiss(seconds: float, rng: np.random.Generator) -> Floats:
    """Return steady noise: white, pink or brown."""
    return coloured_noise(seconds, float(rng.choice([0.0, 0.5, 1.0])), rng)


def street(seconds: float, rng: np.random.Generator) -> Floats:
    """Return noise that swells and fades, as traffic, wind or a room full of people far off does."""
    sound = coloured_noise(seconds, float(rng.uniform(0.3, 1.0)), rng)
    t = np.arange(len(sound)) / RATE_HZ
    swell = sum(np.sin(2 * np.pi * rng.uniform(0.05, 1.2) * t + rng.uniform(0, 6.28)) for _ in range(4))
    return (sound * 10.0 ** (rng.uniform(0.05, 0.25) * swell)).astype(np.float32)


def machine(seconds: float, rng: np.random.Generator) -> Floats:
    """Return the hum of a fan, a transformer or an engine under its hiss."""
    size = round(seconds * RATE_HZ)
    base = float(rng.choice([50.0, 100.0, rng.uniform(25.0, 180.0)]))
    wander = np.cumsum(rng.standard_normal(size)) * rng.uniform(0.0, 3e-4)
    phase = 2 * np.pi * base * np.arange(size) / RATE_HZ + wander
    order = np.arange(1, int(3_000.0 / base))
    gains = rng.uniform(0.2, 1.0, len(order)) / order ** rng.uniform(0.3, 1.2)
    sound = np.zeros(size)
    for number, gain in zip(order[:25].tolist(), gains[:25].tolist(), strict=True):
        sound += gain * np.sin(number * phase + rng.uniform(0, 6.28))
    rush = coloured_noise(seconds, 0.5, rng)
    level = float(np.sqrt(np.mean(sound**2)) / max(np.sqrt(np.mean(rush**2)), 1e-9))
    return (sound + rush * level * rng.uniform(0.5, 3.0)).astype(np.float32)


def desk(seconds: float, rng: np.random.Generator) -> Floats:
    """Return knocks, keys and rustling at odd moments over a quiet hiss."""
    sound = 0.04 * coloured_noise(seconds, 0.5, rng)
    sound = (sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9) * 0.02).astype(np.float32)
    at = 0.0
    while at < seconds:
        at += float(rng.exponential(0.35))
        length = round(rng.uniform(0.01, 0.35) * RATE_HZ)
        first = round(at * RATE_HZ)
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / (rng.uniform(0.15, 0.6) * length))
        if rng.random() < 0.5:
            burst = np.convolve(burst, np.ones(6) / 6.0, "same")
        end = min(first + length, len(sound))
        if end > first:
            sound[first:end] += (burst[: end - first] * rng.uniform(0.05, 0.6)).astype(np.float32)
    return sound


NOISES: Final = (hiss, street, machine, desk)
"""Noises by formula."""


def coloured_noise(seconds: float, slope: float, rng: np.random.Generator) -> Floats:
    """Return noise whose amplitude falls with frequency to the power `slope`: 0 white, 0.5 pink, 1 brown."""
    size = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1.0 / RATE_HZ)
    spectrum *= np.where(hertz > 60.0, (np.maximum(hertz, 60.0) / 1_000.0) ** -slope, 0.0)
    return np.fft.irfft(spectrum, size).astype(np.float32)


def active_columns(sound: Floats, below_db: float = 30.0) -> npt.NDArray[np.bool_]:
    """Return for each 20 ms whether it is within `below_db` of the loudest."""
    count = max(len(sound) // _COLUMN, 1)
    power = np.mean(np.square(np.resize(sound, count * _COLUMN).reshape(count, -1)), axis=1)
    return np.asarray(power > max(float(power.max()), 1e-9) * 10.0 ** (-below_db / 10.0))


def _decoded(path: Path) -> Floats:
    if path.suffix.lower() == ".gsm":
        with soundfile.SoundFile(
            path, format="RAW", subtype="GSM610", samplerate=RATE_HZ, channels=1
        ) as file:
            # Frames of 33 bytes and 160 samples; libsndfile does not count them.
            return np.asarray(file.read(path.stat().st_size // 33 * 160, dtype="float32"), np.float32)
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        # What a track begins with is often a fade: one long enough is taken from further on.
        if file.frames > 2.5 * _LONGEST_S * rate and file.seekable():
            file.seek(round(0.25 * _LONGEST_S * rate))
        sound = file.read(round(_LONGEST_S * rate), dtype="float32", always_2d=True).mean(axis=1)
    if rate != RATE_HZ:
        sound = soxr.resample(sound, rate, RATE_HZ)
    return np.asarray(sound, np.float32)


def _trimmed(sound: Floats) -> Floats:
    active = np.flatnonzero(active_columns(sound))
    return sound[active[0] * _COLUMN : (active[-1] + 1) * _COLUMN] if len(active) else sound


def _pauses_shortened(sound: Floats, rng: np.random.Generator) -> Floats:
    """Cut pauses of more than half a second: a speaker who says nothing for longer is silence."""
    quiet = ~active_columns(sound)
    keep = np.ones(len(quiet), np.bool_)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    for first, after in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if after - first > 25:
            keep[first + int(rng.integers(8, 25)) : after] = False
    return (
        sound[: len(quiet) * _COLUMN].reshape(-1, _COLUMN)[keep].reshape(-1)
        if len(sound) >= _COLUMN
        else sound
    )


def _sounding(sound: Floats) -> float:
    """Return the share of half seconds that are within 25 dB of the loudest."""
    half = RATE_HZ // 2
    count = max(len(sound) // half, 1)
    power = np.mean(np.square(np.resize(sound, count * half).reshape(count, -1)), axis=1)
    return float(np.mean(power > max(float(power.max()), 1e-9) * 10.0**-2.5))


def _looped(sound: Floats, size: int) -> Floats:
    return np.resize(sound, size) if len(sound) else np.zeros(size, np.float32)
