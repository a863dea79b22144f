"""Which models there are, and which of them the settings mean."""

from __future__ import annotations

from pathlib import Path

from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError

__all__ = ["EngineChoice", "choose"]

_VOSK_NEEDS = ("am/final.mdl",)
_WHISPER_NEEDS = ("model.bin", "config.json", "tokenizer.json")


def choose(
    transcriber: str, models_dir: Path, vosk_model: Path | None, whisper_model: Path | None
) -> EngineChoice | None:
    """Return the engine that the settings mean; None where there is none.

    Raises EngineError where a setting names a folder that holds no such model.
    """
    if transcriber == "none":
        return None
    if transcriber in ("auto", "vosk"):
        found = vosk_model or _first(models_dir, _VOSK_NEEDS)
        if found is not None:
            return EngineChoice("vosk", found)
    if transcriber in ("auto", "whisper"):
        found = whisper_model or _first(models_dir, _WHISPER_NEEDS)
        if found is not None:
            return EngineChoice("whisper", found)
    if transcriber != "auto":
        raise EngineError(f"no model of {transcriber} is in {models_dir}")
    return None


def _first(models_dir: Path, needs: tuple[str, ...]) -> Path | None:
    if not models_dir.is_dir():
        return None
    folders = sorted(folder for folder in models_dir.iterdir() if folder.is_dir())
    return next((f for f in folders if all((f / name).exists() for name in needs)), None)
