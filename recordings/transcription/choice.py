"""Which engine, with which model: what the settings come to."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from recordings.transcription.ports import EngineInfo, EngineName

PACKAGES: dict[EngineName, str] = {"vosk": "vosk", "whisper": "faster-whisper"}


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and the folder of its model."""

    name: EngineName
    folder: Path
    language: str = "zh"
    """BCP 47."""

    @property
    def info(self) -> EngineInfo:
        """Return what a transcript says of this engine; nothing is loaded for it."""
        try:
            version = importlib.metadata.version(PACKAGES[self.name])
        except importlib.metadata.PackageNotFoundError:
            version = "unknown"
        return EngineInfo(
            self.name, version, self.folder.resolve().name, self.language, streams=self.name == "vosk"
        )
