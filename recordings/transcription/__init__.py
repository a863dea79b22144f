"""Speech recognition: engines behind one port, run in worker processes."""

from __future__ import annotations

from recordings.transcription.errors import EngineError, ModelError, TranscriptionError, WorkerLost
from recordings.transcription.ports import EngineInfo, EngineName, Hints, Ranked, Recogniser, Sound, Stream

__all__ = [
    "EngineError",
    "EngineInfo",
    "EngineName",
    "Hints",
    "ModelError",
    "Ranked",
    "Recogniser",
    "Sound",
    "Stream",
    "TranscriptionError",
    "WorkerLost",
]
