"""Transcripts given as files."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from sip.progress.transcript import Transcript, TranscriptError


def read_transcript(path: Path) -> Transcript:
    """Read a file of schema dutyring.transcript/1; raise `typer.BadParameter` that says what is wrong with it."""
    try:
        return Transcript.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
    except TranscriptError as error:
        reason = str(error)
    except (UnicodeDecodeError, ValueError, RecursionError):
        reason = "is no JSON"
    raise typer.BadParameter(
        f"{path}: {reason}; it takes an object of schema dutyring.transcript/1", param_hint="'--transcript'"
    )
