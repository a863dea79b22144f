"""What was said in a call of the command line: recognised after it, and what that adds to its facts."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import recordings
from app.commands.transcribe import recognise, samples_of
from app.engines import advice_of
from app.settings import get_settings
from recordings.transcription import EngineChoice, TranscriptionError
from sip.progress.transcript import Transcript
from sip.reconsider import reconsider
from sip.record import CallRecord


def note_that_nothing_is_recognised() -> None:
    """Say on standard error why the words of a call will not be known."""
    _note(f"no speech is recognised: {advice_of(get_settings())}")


def words_of_call(
    choice: EngineChoice | None, record: CallRecord, capture: Path | None, *, quiet: bool
) -> Transcript | str | None:
    """Return what the far side said, on the call's own time line; the reason where it could not be recognised.

    None without an engine and for a call in which nothing was heard.
    """
    if choice is None or capture is None or not record.media.received:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="dutyring-call-") as folder:
            sound = Path(folder) / "call.wav"
            recordings.encode(capture, sound, record.ended_ms)
            return recognise(samples_of(sound, "right"), choice)
    except KeyboardInterrupt:
        # The call is over: its facts are not lost for its words.
        reason = "interrupted"
    except (TranscriptionError, recordings.RecordingError, OSError) as error:
        reason = str(error)
    if not quiet:
        _note(f"no speech is recognised: {reason}")
    return reason


def with_words(record: CallRecord, said: Transcript | str | None) -> dict[str, Any]:
    """Return the call's facts, with what its words add."""
    facts: dict[str, Any] = record.to_dict()
    if isinstance(said, Transcript):
        return reconsider(facts, said)
    if said is not None:
        facts["errors"] = [*facts["errors"], f"speech could not be recognised ({said})"]
    return facts


def _note(text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"dutyring: {text}", file=sys.stderr)  # noqa: T201
