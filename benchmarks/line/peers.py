"""The same calls, heard by others: `python -m benchmarks.line.peers [--calls N] [--json FILE]`.

Run it in an environment of its own, never in DutyRing's:

    python -m venv peers && peers/bin/pip install numpy soundfile soxr onnxruntime webrtcvad-wheels scikit-learn
    peers/bin/pip install --no-deps silero-vad pyAudioAnalysis
    peers/bin/pip install pydub eyed3 tqdm hmmlearn imbalanced-learn matplotlib plotly
    PYTHONPATH=. DUTYRING_LINE_SOURCES=FOLDER peers/bin/python -m benchmarks.line.peers

- **Goertzel cadence detector**: what common switch modules do, written here: power at 450 Hz in blocks of 20 ms, on and
  off periods compared with those of ringback, busy and congestion. It needs nothing installed.
- **webrtcvad** (mode 2) and **silero** (its ONNX model through onnxruntime, threshold 0.5): speech or not.
- **pyAudioAnalysis** (`svm_rbf_sm`): speech or music for each second; it has no other answer, and what is quieter than
  -45 dBm0 is not asked about.
- inaSpeechSegmenter is not measured: it fetches its models from the network when it runs.

A peer that is not installed is named as missing. A second is speech for a voice detector when it finds voice in at
least 40 % of it: speech pauses.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from benchmarks.line.generator import Call, Generator
from benchmarks.line.kinds import Stretch, heard_by_us, most
from benchmarks.line.material import SoundLibrary
from benchmarks.line.tones import RATE_HZ, Truth
from sip.progress import power_dbm0

Floats = npt.NDArray[np.float32]
Seconds = list[str]
"""What a peer says of each second, "" where it says nothing."""

VOICE: Final = frozenset({"speech", "announcement"})
_SPEECH_SHARE: Final = 0.4
_FLOOR_DBM0: Final = -45.0


def goertzel(call: Call) -> Seconds:
    """Say ringback, busy or congestion by the periods of power at 450 Hz."""
    blocks = call.samples.reshape(-1, 160)
    turn = np.exp(-2j * np.pi * 450.0 / RATE_HZ * np.arange(160))
    tone = 2.0 * np.abs(blocks @ turn) ** 2 / 160.0**2
    power = np.mean(np.square(blocks, dtype=np.float64), axis=1)
    on = (power_dbm0(power) > -40.0) & (tone > 0.6 * power)
    edges = [0, *(np.flatnonzero(np.diff(on)) + 1).tolist(), len(on)]
    runs = [(bool(on[first]), first * 20.0, after * 20.0) for first, after in itertools.pairwise(edges)]
    found: list[Truth] = []
    for number, (tonal, start_ms, end_ms) in enumerate(runs):
        if not tonal:
            continue
        off_ms = runs[number + 1][2] - end_ms if number + 1 < len(runs) else 0.0
        lasting_ms = end_ms - start_ms
        last = number + 1 >= len(runs) - 1
        if 700.0 <= lasting_ms <= 1_300.0 and (3_000.0 <= off_ms <= 5_000.0 or last):
            found.append(Truth("ringback", start_ms, end_ms + off_ms))
        elif 250.0 <= lasting_ms <= 450.0 and (250.0 <= off_ms <= 450.0 or last):
            found.append(Truth("busy", start_ms, end_ms + off_ms))
        elif 550.0 <= lasting_ms <= 850.0 and (550.0 <= off_ms <= 850.0 or last):
            found.append(Truth("congestion", start_ms, end_ms + off_ms))
    return _by_second(found, call)


def webrtc() -> Callable[[Call], Seconds]:
    """Return WebRTC's voice detector, mode 2."""
    import webrtcvad

    def hear(call: Call) -> Seconds:
        detector = webrtcvad.Vad(2)
        pcm = np.round(np.clip(call.samples, -1.0, 1.0) * 32_767.0).astype("<i2").reshape(-1, 160)
        return _speech_seconds(np.array([detector.is_speech(frame.tobytes(), RATE_HZ) for frame in pcm]), 50)

    return hear


def silero() -> Callable[[Call], Seconds]:
    """Return silero's model, fed 256 samples at a time after 32 of what came before."""
    import onnxruntime

    found = importlib.util.find_spec("silero_vad")
    if found is None or found.origin is None:
        raise ImportError("silero_vad is not installed")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = Path(found.origin).parent / "data" / "silero_vad.onnx"
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def hear(call: Call) -> Seconds:
        state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 32), np.float32)
        chances = []
        whole = call.samples[: len(call.samples) // 256 * 256].reshape(-1, 1, 256)
        for chunk in whole:
            feeds = {
                "input": np.concatenate((context, chunk), axis=1),
                "state": state,
                "sr": np.array(RATE_HZ),
            }
            chance, state = session.run(None, feeds)
            context = chunk[:, -32:]
            chances.append(float(chance.ravel()[0]))
        return _speech_seconds(np.array(chances) > 0.5, RATE_HZ / 256)

    return hear


def py_audio_analysis() -> Callable[[Call], Seconds]:
    """Return pyAudioAnalysis's classifier of speech and music, a support vector machine."""
    from pyAudioAnalysis import MidTermFeatures, audioTrainTest

    found = importlib.util.find_spec("pyAudioAnalysis")
    if found is None or found.origin is None:
        raise ImportError("pyAudioAnalysis is not installed")
    path = Path(found.origin).parent / "data" / "models" / "svm_rbf_sm"
    model, mean, scale, names, *_ = audioTrainTest.load_model(str(path))

    def hear(call: Call) -> Seconds:
        said: Seconds = []
        for second in _seconds(call):
            if power_dbm0(np.array([np.mean(np.square(second))]))[0] < _FLOOR_DBM0:
                said.append("")
                continue
            sound = second.astype(np.float64) * 32_767.0
            mid, _, _ = MidTermFeatures.mid_feature_extraction(
                sound, RATE_HZ, RATE_HZ, RATE_HZ, round(0.05 * RATE_HZ), round(0.05 * RATE_HZ)
            )
            measured = (mid.mean(axis=1) - mean) / scale
            said.append(names[int(model.predict(measured.reshape(1, -1))[0])])
        return said

    return hear


PEERS: Final[dict[str, Callable[[], Callable[[Call], Seconds]]]] = {
    "goertzel": lambda: goertzel,
    "webrtcvad": webrtc,
    "silero": silero,
    "pyAudioAnalysis": py_audio_analysis,
}


def measure(calls: int) -> dict[str, Any]:
    """Return, for DutyRing and each peer, precision, recall and F1 of what the peer can say, clean and degraded."""
    hearing: dict[str, Callable[[Call], Seconds]] = {"dutyring": _ours}
    missing = {}
    for name, make in PEERS.items():
        try:
            hearing[name] = make()
        except (ImportError, OSError) as error:
            missing[name] = str(error)
    found: dict[str, Any] = {"calls": calls, "missing": missing}
    library = SoundLibrary("test")
    for degraded in (False, True):
        tables: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in hearing}
        for call in Generator(library, degraded=degraded).calls(calls):
            truth = _by_second(call.segments, call)
            for name, hear in hearing.items():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tables[name].update(zip(truth, hear(call), strict=False))
        found["degraded" if degraded else "clean"] = {name: _scores(table) for name, table in tables.items()}
    return found


def _ours(call: Call) -> Seconds:
    return _by_second(heard_by_us(call), call)


def _scores(table: Counter[tuple[str, str]]) -> dict[str, dict[str, float]]:
    """Return the scores of the tones, of speech against all else, and of speech and music where it is one of them."""
    scores = {kind: _score(table, frozenset({kind})) for kind in ("ringback", "busy", "congestion")}
    scores["speech"] = _score(table, VOICE)
    scores["music"] = _score(table, frozenset({"music"}))
    among = Counter({(t, h): n for (t, h), n in table.items() if t in VOICE or t == "music"})
    scores["speech, of speech and music"] = _score(among, VOICE)
    scores["music, of speech and music"] = _score(among, frozenset({"music"}))
    return scores


def _score(table: Counter[tuple[str, str]], kinds: frozenset[str]) -> dict[str, float]:
    both = sum(n for (truth, heard), n in table.items() if truth in kinds and heard in kinds)
    true = sum(n for (truth, _), n in table.items() if truth in kinds)
    said = sum(n for (_, heard), n in table.items() if heard in kinds)
    precision, recall = both / max(said, 1), both / max(true, 1)
    f1 = 2.0 * both / max(true + said, 1)
    return {"precision": round(precision, 3), "recall": round(recall, 3), "f1": round(f1, 3)}


def _seconds(call: Call) -> Floats:
    count = len(call.samples) // RATE_HZ
    return call.samples[: count * RATE_HZ].reshape(count, RATE_HZ)


def _by_second(stretches: Sequence[Stretch], call: Call) -> Seconds:
    return [
        most(stretches, second * 1000.0, second * 1000.0 + 1000.0) for second in range(len(_seconds(call)))
    ]


def _speech_seconds(voiced: npt.NDArray[np.bool_], per_second: float) -> Seconds:
    count = int(len(voiced) / per_second)
    parts = (voiced[round(at * per_second) : round((at + 1) * per_second)] for at in range(count))
    return ["speech" if part.mean() >= _SPEECH_SHARE else "" for part in parts]


def show(found: dict[str, Any]) -> None:
    """Print F1 side by side; a dash where a peer has no such answer."""
    for part in ("clean", "degraded"):
        scores = found[part]
        kinds = list(scores["dutyring"])
        print(f"{part}: F1 by whole seconds, {found['calls']} calls")
        print(f"{'':30}" + "".join(f"{name:>17}" for name in scores))
        for kind in kinds:
            cells = (
                f"{scores[name][kind]['f1']:.3f}" if scores[name][kind]["f1"] else "-" for name in scores
            )
            print(f"{kind:30}" + "".join(f"{cell:>17}" for cell in cells))
    for name, why in found["missing"].items():
        print(f"missing: {name} ({why})")


def main() -> None:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.calls)
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
