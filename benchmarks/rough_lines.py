"""Telephone lines by formula, rough ones: any level, hiss, wrong frequency and cadence, loss, drift; with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.line_sounds import RATE_HZ, amplitude, through, voice

Sound = npt.NDArray[np.float32]
Rng = np.random.Generator

DRIFT_PPM = 200.0
"""Most that two clocks of telephone equipment run apart."""
QUIET_HZ = 60.0


@dataclass(frozen=True, slots=True)
class Roughness:
    """What a line does to its sound."""

    law: str = "alaw"
    snr_db: float | None = None
    loss: float = 0.0
    drift_ppm: float = 0.0


@dataclass(frozen=True, slots=True)
class RoughLine:
    """A sound as it arrives, with what it is."""

    sound: Sound
    came: npt.NDArray[np.bool_]
    """For each 20 ms whether its packet arrived."""
    bursts_ms: tuple[tuple[float, float], ...] = ()
    onset_ms: float | None = None
    """Where the first lasting sound of the other end begins."""
    pick_up_ms: float | None = None
    traits: tuple[str, ...] = ()
    parts: dict[str, float] = field(default_factory=dict)


def any_roughness(rng: Rng, *, loss: float = 0.05, drift: bool = True) -> Roughness:
    """Return a line within what the service must bear."""
    return Roughness(
        law=str(rng.choice(["alaw", "ulaw"])),
        snr_db=None if rng.random() < 0.2 else float(rng.uniform(15.0, 40.0)),
        loss=float(rng.uniform(0.0, loss)),
        drift_ppm=float(rng.uniform(-DRIFT_PPM, DRIFT_PPM)) if drift else 0.0,
    )


def tone_of(seconds: float, frequencies_hz: Sequence[float], dbm0: float, rng: Rng) -> Sound:
    """Return one or more sines of this level together."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    each = amplitude(dbm0) / np.sqrt(len(frequencies_hz))
    waves = [each * np.sin(2.0 * np.pi * hz * t + rng.uniform(0.0, 6.28)) for hz in frequencies_hz]
    return np.sum(waves, axis=0).astype(np.float32)


def gated(
    on_off_s: Sequence[float],
    seconds: float,
    frequencies_hz: Sequence[float],
    dbm0: float,
    lead_s: float,
    rng: Rng,
) -> tuple[Sound, list[tuple[float, float]]]:
    """Return a tone with a cadence, and its bursts in milliseconds, the last cut off by the end."""
    sound = np.zeros(round(seconds * RATE_HZ), np.float32)
    wave = tone_of(seconds, frequencies_hz, dbm0, rng)
    bursts, at_s, index = [], lead_s, 0
    while at_s < seconds:
        length_s = on_off_s[index % len(on_off_s)]
        if index % 2 == 0:
            first, after = round(at_s * RATE_HZ), min(round((at_s + length_s) * RATE_HZ), len(sound))
            sound[first:after] = wave[first:after]
            bursts.append((first * 1000.0 / RATE_HZ, after * 1000.0 / RATE_HZ))
        at_s += length_s
        index += 1
    return sound, bursts


def hiss(samples: int, dbm0: float, rng: Rng) -> Sound:
    """Return noise of this level, flat or falling towards the top as old lines have it."""
    noise = rng.normal(size=samples)
    tilt = rng.uniform(0.0, 0.7)
    noise[1:] += tilt * noise[:-1]
    noise *= amplitude(dbm0) / np.sqrt(2.0) / max(float(np.sqrt(np.mean(noise**2))), 1e-12)
    return noise.astype(np.float32)


def arrive(sound: Sound, rough: Roughness, rng: Rng, noise_dbm0: float | None = None) -> RoughLine:
    """Return the sound as it arrives: noise, drift, G.711, lost packets."""
    if noise_dbm0 is not None:
        sound = sound + hiss(len(sound), noise_dbm0, rng)
    if rough.drift_ppm:
        at = np.arange(len(sound)) * (1.0 + rough.drift_ppm * 1e-6)
        sound = np.interp(at, np.arange(len(sound)), sound).astype(np.float32)
    coded = through(rough.law, np.clip(sound, -1.0, 1.0))
    columns = -(-len(coded) // 160)
    came = rng.random(columns) >= rough.loss
    return RoughLine(coded, came)


def ringing_line(rng: Rng, rings: int | None = None) -> RoughLine:
    """Return national ringback within its tolerances, up to six rings, the last perhaps cut off."""
    rough = any_roughness(rng)
    rings = rings or int(rng.integers(1, 7))
    on_s, off_s = 1.0 + rng.uniform(-0.08, 0.08), 4.0 * (1.0 + rng.uniform(-0.08, 0.08))
    lead_s, dbm0 = float(rng.uniform(0.1, 2.0)), float(rng.uniform(-35.0, -10.0))
    tail_s = float(rng.uniform(1.6, off_s))
    seconds = lead_s + rings * on_s + (rings - 1) * off_s + tail_s
    sound, bursts = gated((on_s, off_s), seconds, (450.0 + rng.uniform(-15.0, 15.0),), dbm0, lead_s, rng)
    line = arrive(sound, rough, rng, None if rough.snr_db is None else dbm0 - rough.snr_db)
    scale = 1.0 / (1.0 + rough.drift_ppm * 1e-6)
    return RoughLine(line.sound, line.came, tuple((s * scale, e * scale) for s, e in bursts))


def answered_line(rng: Rng, voices: Sequence[Sound] = ()) -> RoughLine:
    """Return a gateway's line: ringback under hiss, then somebody who answers in one of the ways people do."""
    rough = any_roughness(rng, loss=0.02, drift=False)
    hiss_dbm0 = float(rng.uniform(-62.0, -43.0))
    dbm0, lead_s = float(rng.uniform(-30.0, -10.0)), float(rng.uniform(0.2, 1.5))
    rings, in_burst = int(rng.integers(1, 5)), rng.random() < 0.2
    after_s = float(rng.uniform(0.25, 0.95) if in_burst else rng.uniform(1.05, 4.9))
    pick_up = round((lead_s + (rings - 1) * 5.0 + after_s) * RATE_HZ)
    ring, bursts = gated((1.0, 4.0), pick_up / RATE_HZ, (450.0 + rng.uniform(-5.0, 5.0),), dbm0, lead_s, rng)
    traits = ["in a burst" if in_burst else "in a pause"]
    theirs, onset = _somebody(rng, hiss_dbm0, voices, traits)
    sound = np.concatenate((ring, theirs))
    line = arrive(sound, rough, rng, hiss_dbm0)
    return RoughLine(
        line.sound,
        line.came,
        tuple(bursts),
        (pick_up + onset) * 1000.0 / RATE_HZ,
        pick_up * 1000.0 / RATE_HZ,
        tuple(traits),
        {"hiss_dbm0": hiss_dbm0, "ring_dbm0": dbm0, "rings": rings},
    )


def _somebody(rng: Rng, hiss_dbm0: float, voices: Sequence[Sound], traits: list[str]) -> tuple[Sound, int]:
    """Return what is heard from the pick-up on, and the sample at which it can be heard above the hiss."""
    loud_dbm0 = float(rng.uniform(-32.0, -12.0))
    loud_dbm0 = max(loud_dbm0, hiss_dbm0 + 12.0)
    wait = round(rng.uniform(0.02, 1.2) * RATE_HZ)
    spoken = voices[int(rng.integers(len(voices)))] if len(voices) else voice(3.0, int(rng.integers(1 << 30)))
    spoken = _levelled(spoken[: 4 * RATE_HZ], loud_dbm0)
    sound = np.concatenate((np.zeros(wait, np.float32), spoken, np.zeros(RATE_HZ, np.float32)))
    traits.append("loud" if loud_dbm0 > -22.0 else "quiet")
    if rng.random() < 0.4:
        traits.append("room")
        # Sensibly louder than the line, and there from the pick-up on.
        room_dbm0 = max(hiss_dbm0 + rng.uniform(8.0, 16.0), -46.0)
        sound = sound + hiss(len(sound), min(room_dbm0, -28.0), rng)
    if rng.random() < 0.25 and wait > 0.5 * RATE_HZ:
        traits.append("breath")
        length = round(rng.uniform(0.2, 0.4) * RATE_HZ)
        breath = hiss(length, max(hiss_dbm0 + 9.0, -42.0), rng) * np.hanning(length).astype(np.float32) * 1.6
        sound[wait - length - 800 : wait - 800] += breath
    onset = _audible(sound, hiss_dbm0)
    if rng.random() < 0.5:
        traits.append("click")
        length = round(rng.uniform(0.003, 0.012) * RATE_HZ)
        decay = np.exp(-np.arange(length) / (0.3 * length))
        sound[:length] += (amplitude(rng.uniform(-20.0, -8.0)) * decay * rng.choice([-1, 1], length)).astype(
            np.float32
        )
    return sound.astype(np.float32), onset


def _levelled(sound: Sound, dbm0: float) -> Sound:
    power = np.square(sound)
    loud = power[power > 0.01 * power.max()]
    scaled = sound * amplitude(dbm0) / np.sqrt(2.0) / max(float(np.sqrt(loud.mean())), 1e-9)
    return np.clip(scaled, -1.0, 1.0).astype(np.float32)


def _audible(sound: Sound, hiss_dbm0: float) -> int:
    """Return the first sample from which 60 ms lie mostly 3 dB above the line's hiss."""
    frames = np.square(sound[: len(sound) // 80 * 80]).reshape(-1, 80).mean(axis=1)
    floor = amplitude(max(hiss_dbm0 + 3.0, -50.0)) ** 2 / 2.0
    over = (frames > floor).astype(float)
    lasting = np.convolve(over, np.ones(6), "valid") >= 4.0
    found = np.flatnonzero(lasting & (over[: len(lasting)] > 0))
    return int(found[0]) * 80 if len(found) else len(sound)
