"""`dutyring analyze`: what a sound file says of the line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.commands.plot import PlotFile, plot, words_of
from app.commands.transcribe import CHANNELS, EXIT_OUR_FAILURE, needed_engine, recognise, samples_of
from app.commands.transcripts import read_transcript
from app.picture import EN
from recordings.transcription import TranscriptionError
from sip.progress import AudioFileError, Spectrogram, analyse_file
from sip.progress.sound_file_words import with_words
from sip.progress.transcript import Transcript


@dataclass(frozen=True, slots=True)
class AnalyseOptions:
    """How a file is analysed: the options of the command line."""

    channel: str = "right"
    alaw: bool = False
    transcript: Path | None = None
    plot: Path | None = None
    language: str = "zh"
    transcribe: bool = False


def run(file: Path, options: AnalyseOptions, *, as_json: bool) -> int:
    """Analyse `file`, print the result and draw it; raise `typer.BadParameter` for what is wrong with an argument."""
    if options.channel not in CHANNELS:
        raise typer.BadParameter(
            f"{options.channel!r} is not one of {', '.join(CHANNELS)}", param_hint="'--channel'"
        )
    shown_in = words_of(options.language)
    try:
        said = _said(file, options)
    except TranscriptionError as error:
        typer.echo(f"dutyring: {file}: {error}", err=True)
        return EXIT_OUR_FAILURE
    if options.plot is None:
        result = _analysed(file, options, said, None)
    else:
        spectrogram = Spectrogram()
        with PlotFile(options.plot, file) as target:
            result = _analysed(file, options, said, spectrogram)
            target.write(plot(result, file, options.channel, shown_in, spectrogram))
    if as_json:
        print(json.dumps(result, ensure_ascii=False))  # noqa: T201
    else:
        _show(result, said if options.transcribe else None)
    return 0


def _said(file: Path, options: AnalyseOptions) -> Transcript | None:
    """Return what is said in the file, as given or as recognised."""
    if not options.transcribe:
        return None if options.transcript is None else read_transcript(options.transcript)
    if options.transcript is not None:
        raise typer.BadParameter("its words are given by --transcript", param_hint="'--transcribe'")
    if options.alaw:
        raise typer.BadParameter("takes a WAV or FLAC file, not raw A-law", param_hint="'--transcribe'")
    return recognise(samples_of(file, options.channel), needed_engine(None))


def _analysed(
    file: Path, options: AnalyseOptions, said: Transcript | None, spectrogram: Spectrogram | None
) -> dict[str, Any]:
    try:
        result = analyse_file(
            file, channel=CHANNELS[options.channel], alaw=options.alaw, spectrogram=spectrogram
        )
    except AudioFileError as error:
        raise typer.BadParameter(
            f"{error}; it takes a WAV, FLAC or (--alaw) raw A-law file", param_hint="'FILE'"
        ) from error
    return result if said is None else with_words(result, said)


def _show(result: Mapping[str, Any], heard: Transcript | None) -> None:
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
    for part in () if heard is None else heard.utterances:
        console.print(f"said at {part.start_ms / 1000:.2f} s: {escape(part.text)}", highlight=False)
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
