"""Train the model that tells speech, music and noise apart: `python -m tools.train_line_model --sources FOLDER`.

Needs scikit-learn in an environment of its own; DutyRing does not. FOLDER is what `tools/line_sources.py` gathered, of
which only the sources of the training part are heard. Stretches of 0.24 to 12 s of one kind are made, degraded as lines
and packet networks do it, turned into feature columns and measured (sip/progress/texture.py) as the listener does it
while a call lasts. Deterministic for the same folder and seed. See docs/reference/line-model.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.line.degrade import Degradation, applied, at_level
from benchmarks.line.material import SoundLibrary, Split
from benchmarks.line.tones import RATE_HZ
from sip.progress import FeatureBank, power_dbm0
from sip.progress import features as f
from sip.progress.segment_model import KINDS, WEIGHTS, load_model
from sip.progress.sounds import SOUND_FLOOR_DBM0
from sip.progress.texture import MEASURES, bridged, measures
from tests.line_sounds import chords, voice

Floats = npt.NDArray[np.float32]

SHARES = (0.41, 0.37, 0.22)
"""Of speech, music and noise among the stretches."""
BY_FORMULA = 0.06
"""Share of the music and of the speech that is made by formula: drums and chords, syllables."""
FIRST_FORMULA_SEED = 10_000
"""The tests use small seeds."""


def drums(seconds: float, rng: np.random.Generator) -> Floats:
    """Return a drum pattern: a kick, a snare and a hat on a grid, with or without a bass."""
    sound = np.zeros(round(seconds * RATE_HZ), np.float32)
    step = round(60.0 / rng.uniform(80.0, 170.0) / float(rng.choice([2, 4])) * RATE_HZ)
    pattern = rng.random((4, 8)) < np.array([[0.35], [0.25], [0.5], [rng.choice([0.0, 0.5])]])
    notes = 55.0 * 2.0 ** (rng.integers(0, 24, 8) / 12.0)
    for number, first in enumerate(range(0, len(sound), step)):
        t = np.arange(min(3 * step, len(sound) - first)) / RATE_HZ
        hiss = rng.standard_normal(len(t))
        hits = (
            np.sin(2 * np.pi * 90.0 * t * np.exp(-t * 4.0)) * np.exp(-t * 18.0),
            (0.5 * hiss + np.sin(2 * np.pi * 190.0 * t)) * np.exp(-t * 25.0),
            np.diff(hiss, prepend=0.0) * np.exp(-t * 60.0) * 0.5,
            np.sin(2 * np.pi * notes[number % 8] * t) * np.exp(-t * 6.0) * 0.7,
        )
        for hit, played in zip(hits, pattern[:, number % 8], strict=True):
            if played:
                sound[first : first + len(t)] += hit.astype(np.float32)
    return sound


def stretch(kind: int, library: SoundLibrary, rng: np.random.Generator) -> Floats:
    """Return undegraded sound of a kind."""
    seconds = float(np.exp(rng.uniform(np.log(0.24), np.log(12.0))))
    formula = rng.random() < BY_FORMULA
    seed = FIRST_FORMULA_SEED + int(rng.integers(10_000))
    if kind == 0:
        return voice(seconds, seed) if formula else library.speech(seconds, rng)[0]
    if kind == 1:
        if formula:
            return chords(seconds, seed) if rng.random() < 0.4 else drums(seconds, rng)
        return library.music(seconds, rng)[0]
    return library.noise(seconds, rng)[0]


def telephone(sound: Floats, rng: np.random.Generator) -> Floats:
    """Band-limit some of it and tilt its spectrum: handsets and gateways differ."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1.0 / RATE_HZ)
    tilt = 10.0 ** (rng.uniform(-4.0, 4.0) * np.log2(np.maximum(hertz, 100.0) / 1_000.0) / 20.0)
    if rng.random() < 0.5:
        low, high = rng.uniform(150.0, 320.0), rng.uniform(2_800.0, 3_600.0)
        tilt *= (hertz > low) & (hertz < high)
    return np.fft.irfft(spectrum * tilt, len(sound)).astype(np.float32)


def degraded(rng: np.random.Generator) -> Degradation:
    """Return a degradation, somewhat worse than the benchmark's."""
    loss = float(rng.choice([0.0, 0.0, 0.02, 0.06]))
    snr = float(rng.uniform(12.0, 45.0)) if rng.random() < 0.6 else None
    law = "alaw" if rng.random() < 0.5 else "ulaw"
    return Degradation(law=law, level_dbm0=float(rng.uniform(-37.0, -8.0)), snr_db=snr, loss=loss)


def examples(count: int, split: Split, folder: Path, seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return measures [rows, MEASURES] and kinds [rows] of `count` stretches."""
    library, rng = SoundLibrary(split, folder), np.random.default_rng(seed)
    rows, kinds = [], []
    while len(rows) < count:
        kind = int(rng.choice(3, p=SHARES))
        what = degraded(rng)
        made = stretch(kind, library, rng)
        if len(made) < 480:
            continue
        sound, _ = applied(at_level(telephone(made, rng), what.level_dbm0), what, rng)
        columns = FeatureBank(len(sound) // 160).push(np.arange(len(sound) // 160), sound.reshape(-1, 160))
        levels = power_dbm0(columns[:, f.POWER].mean(axis=1))
        loud = np.flatnonzero(levels > SOUND_FLOOR_DBM0)
        if len(loud) < 3:
            continue
        part = slice(int(loud[0]), int(loud[-1]) + 1)
        measured = measures(bridged(columns[part], levels[part]))
        # A long stretch gives looks enough; every one of a short one is needed.
        chosen = rng.permutation(len(measured))[:12]
        rows.append(measured[chosen].astype(np.float32))
        kinds.append(np.full(len(chosen), kind))
    return np.concatenate(rows), np.concatenate(kinds)


def main() -> None:
    """Train, print how often it is right on the test sources, and write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", type=Path, required=True)
    parser.add_argument("--stretches", type=int, default=6_000)
    parser.add_argument("--hidden", type=int, nargs="+", default=[48, 24])
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    x, y = examples(options.stretches, "train", options.sources, options.seed)
    scaler = StandardScaler().fit(x)
    scaled = np.clip(scaler.transform(x), -6.0, 6.0)
    rng = np.random.default_rng(options.seed)
    committee = []
    for number in range(options.networks):
        # Each learns from another draw of the same examples: their mean is steadier than any of them.
        drawn = rng.integers(len(scaled), size=len(scaled))
        model = MLPClassifier(
            tuple(options.hidden), alpha=1e-3, early_stopping=True, max_iter=60, random_state=number
        )
        committee.append(model.fit(scaled[drawn], y[drawn]))
    save(options.out, scaler, committee)
    tested, truth = examples(max(options.stretches // 10, 100), "test", options.sources, options.seed + 1)
    told = load_model(options.out).log_probabilities(tested).argmax(axis=1)
    for number, kind in enumerate(KINDS):
        hits = np.bincount(told[truth == number], minlength=3)
        sys.stdout.write(
            f"{kind}: {hits.tolist()} of {KINDS}, right {hits[number] / max(hits.sum(), 1):.3f}\n"
        )


def save(path: Path, scaler: StandardScaler, committee: list[MLPClassifier]) -> None:
    """Write the weights as the listener reads them."""
    stored: dict[str, npt.NDArray[np.generic]] = {
        "measures": np.array(MEASURES),
        "kinds": np.array(KINDS),
        "networks": np.array(len(committee)),
        "layers": np.array(len(committee[0].coefs_)),
        "mean": scaler.mean_.astype(np.float32),
        "scale": np.maximum(scaler.scale_, 1e-3).astype(np.float32),
    }
    for number, model in enumerate(committee):
        stored |= {f"{number}_weight_{i}": w.astype(np.float32) for i, w in enumerate(model.coefs_)}
        stored |= {f"{number}_offset_{i}": b.astype(np.float32) for i, b in enumerate(model.intercepts_)}
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **stored)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
