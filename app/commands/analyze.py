"""`dutyring analyze`: what a sound file says of the line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.plot import PlotFile, plot, words_of
from app.picture import EN
from sip.progress import AudioFileError, Spectrogram, analyse_file

CHANNELS: dict[str, Literal["left", "right", "mix"]] = {"left": "left", "right": "right", "mix": "mix"}


def run(
    file: Path, channel: str, alaw: bool, as_json: bool, plot_to: Path | None = None, language: str = "zh"
) -> int:
    """Analyse `file`, print the result and draw it; raise `typer.BadParameter` for what is wrong with an argument."""
    if channel not in CHANNELS:
        raise typer.BadParameter(f"{channel!r} is not one of {', '.join(CHANNELS)}", param_hint="'--channel'")
    words = words_of(language)
    if plot_to is None:
        result = _analysed(file, channel, alaw, None)
    else:
        spectrogram = Spectrogram()
        with PlotFile(plot_to, file) as target:
            result = _analysed(file, channel, alaw, spectrogram)
            target.write(plot(result, file, channel, words, spectrogram))
    if as_json:
        print(json.dumps(result, ensure_ascii=False))  # noqa: T201
    else:
        _show(result)
    return 0


def _analysed(file: Path, channel: str, alaw: bool, spectrogram: Spectrogram | None) -> dict[str, Any]:
    try:
        return analyse_file(file, channel=CHANNELS[channel], alaw=alaw, spectrogram=spectrogram)
    except AudioFileError as error:
        raise typer.BadParameter(
            f"{error}; it takes a WAV, FLAC or (--alaw) raw A-law file", param_hint="'FILE'"
        ) from error


def _show(result: Mapping[str, Any]) -> None:
    console = Console()
    console.print(_segments(result))
    rings = result["rings"]
    plan = f" ({rings['plan']})" if rings.get("plan") else ""
    console.print(f"rings: {_known(rings['count'])}{plan}", highlight=False)
    for burst in rings["bursts"]:
        console.print(
            f"  {burst['start_ms'] / 1000:.2f}-{burst['end_ms'] / 1000:.2f} s"
            f"  {burst['frequency_hz']:.1f} Hz  {burst['level_dbm0']:.1f} dBm0"
        )
    console.print(f"early media: {result['early_media']['kind']}")
    console.print(f"line state: {_known(result['line_state'])}")
    for said in result["announcements"]:
        mobile = ", mobile only" if said.get("mobile") else ""
        console.print(
            f"announced {said['start_ms'] / 1000:.2f}-{said['end_ms'] / 1000:.2f} s: {said['meaning']}"
            f" by {said['road']}, confidence {said['confidence']:.2f}{mobile}: {escape(said['detail'])}"
        )
    for error in result["errors"]:
        console.print(f"note: {escape(error)}", style="yellow", highlight=False)


def _segments(result: Mapping[str, Any]) -> Table:
    table = Table("kind", "tone", "from", "to", "confidence", "measured")
    for segment in result["segments"]:
        start, end = segment["start_ms"] / 1000, segment["end_ms"] / 1000
        table.add_row(
            segment["kind"],
            escape(segment.get("tone") or ""),
            f"{start:.2f} s",
            f"{end:.2f} s",
            f"{segment['confidence']:.2f}",
            escape(EN.measured(segment.get("measured"))),
        )
    return table


def _known(value: object) -> str:
    return "unknown" if value is None else str(value)
