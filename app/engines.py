"""The engine that recognises speech, as the settings mean it."""

from __future__ import annotations

import os
from pathlib import Path

from app.settings import Settings
from recordings.transcription.choice import EngineChoice
from recordings.transcription.models import advice, choose
from recordings.transcription.pool import Transcriber


def models_folder(settings: Settings) -> Path:
    """Return the folder of installed models."""
    return settings.models_dir or settings.data_dir / "models"


def engine_of(settings: Settings) -> EngineChoice | None:
    """Return the engine of the settings; None where there is none.

    Raises EngineError where a setting names a folder that holds no such model, or an engine that is not there.
    """
    return choose(settings.transcriber, models_folder(settings), settings.vosk_model, settings.whisper_model)


def advice_of(settings: Settings) -> str:
    """Say in one line why no speech is recognised, and what to do for it to be."""
    if settings.transcriber == "none":
        return "DUTYRING_TRANSCRIBER is none"
    return advice(models_folder(settings))


def transcriber_of(settings: Settings) -> Transcriber:
    """Return a transcriber with the engine of the settings; to be entered. Raises as `engine_of`."""
    workers = settings.transcription_workers or max(1, (os.cpu_count() or 1) // 2)
    return Transcriber(engine_of(settings), workers)
