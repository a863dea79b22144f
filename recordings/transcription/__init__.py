"""Speech recognition: engines behind one port, run in worker processes."""

from __future__ import annotations

from recordings.transcription.choice import EngineChoice
from recordings.transcription.errors import EngineError, ModelError, TranscriptionError, WorkerLost
from recordings.transcription.pool import Limits, LiveStream, Transcriber
from recordings.transcription.ports import EngineInfo, EngineName, Hints, Ranked, Recogniser, Sound, Stream

__all__ = [
    "EngineChoice",
    "EngineError",
    "EngineInfo",
    "EngineName",
    "Hints",
    "Limits",
    "LiveStream",
    "ModelError",
    "Ranked",
    "Recogniser",
    "Sound",
    "Stream",
    "Transcriber",
    "TranscriptionError",
    "WorkerLost",
]
