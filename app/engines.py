"""The engine that recognises speech, as the settings mean it."""

from __future__ import annotations

import os

from app.settings import Settings
from recordings.transcription.choice import EngineChoice
from recordings.transcription.models import choose
from recordings.transcription.pool import Transcriber


def engine_of(settings: Settings) -> EngineChoice | None:
    """Return the engine of the settings; None where there is none.

    Raises EngineError where a setting names a folder that holds no such model.
    """
    folder = settings.models_dir or settings.data_dir / "models"
    return choose(settings.transcriber, folder, settings.vosk_model, settings.whisper_model)


def transcriber_of(settings: Settings) -> Transcriber:
    """Return a transcriber with the engine of the settings; to be entered. Raises as `engine_of`."""
    workers = settings.transcription_workers or max(1, (os.cpu_count() or 1) // 2)
    return Transcriber(engine_of(settings), workers)
