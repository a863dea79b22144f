"""What goes wrong with speech recognition.

```
TranscriptionError     this sound could not be transcribed
├── EngineError        the engine or its model cannot be used
├── WorkerLost         the worker died or hung, twice on the same sound
└── ModelError         a model cannot be installed: its archive is not there, not whole, or not what it should be
```
"""

from __future__ import annotations


class TranscriptionError(Exception):
    """A sound could not be transcribed."""


class EngineError(TranscriptionError):
    """The engine or its model cannot be used."""


class WorkerLost(TranscriptionError):
    """The worker died or hung on the same sound twice."""


class ModelError(TranscriptionError):
    """A model cannot be installed."""
