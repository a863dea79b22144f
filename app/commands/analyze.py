"""`dutyring analyze`: what a sound file says of the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from app.commands.transcripts import read_transcript
from sip.progress import AudioFileError, analyse_file
from sip.progress.sound_file_words import with_words

CHANNELS: dict[str, Literal["left", "right", "mix"]] = {"left": "left", "right": "right", "mix": "mix"}


def run(file: Path, channel: str, alaw: bool, as_json: bool, *, transcript: Path | None = None) -> int:
    """Analyse `file` and print the result; raise `typer.BadParameter` for what is not a sound file."""
    if channel not in CHANNELS:
        raise typer.BadParameter(f"{channel!r} is not one of {', '.join(CHANNELS)}", param_hint="'--channel'")
    words = None if transcript is None else read_transcript(transcript)
    try:
        result = analyse_file(file, channel=CHANNELS[channel], alaw=alaw)
    except AudioFileError as error:
        raise typer.BadParameter(
            f"{error}; it takes a WAV, FLAC or (--alaw) raw A-law file", param_hint="'FILE'"
        ) from error
    if words is not None:
        result = with_words(result, words)
    if as_json:
        print(json.dumps(result, ensure_ascii=False))  # noqa: T201
    else:
        _show(result)
    return 0


def _show(result: dict[str, Any]) -> None:
    console = Console()
    table = Table("kind", "from", "to", "confidence")
    for segment in result["segments"]:
        start, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
        table.add_row(segment["kind"], f"{start:.2f} s", f"{end:.2f} s", f"{segment['confidence']:.2f}")
    console.print(table)
    rings = result["rings"]
    console.print(f"rings: {rings['count']}")
    for burst in rings["bursts"]:
        console.print(
            f"  {burst['start_ms'] / 1000:.2f}-{burst['end_ms'] / 1000:.2f} s"
            f"  {burst['frequency_hz']:.1f} Hz  {burst['level_dbm0']:.1f} dBm0"
        )
    if result["line_state"] is not None:
        console.print(f"line state: {result['line_state']}")
    for error in result["errors"]:
        console.print(f"note: {error}", style="yellow")
