"""`dutyring transcribe`: what is said in a sound file."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import typer

from app.engines import advice_of, engine_of, models_folder
from app.settings import get_settings
from recordings.transcription import EngineChoice, EngineError, Sound, Transcriber, TranscriptionError
from recordings.transcription.models import ENGINES, choose
from sip.progress.files import AudioFileError, read_channel
from sip.progress.transcript import Transcript

EXIT_OUR_FAILURE = 3
CHANNELS: dict[str, Literal["left", "right", "mix"]] = {"left": "left", "right": "right", "mix": "mix"}


def run(file: Path, channel: str, engine: str | None, *, as_json: bool) -> int:
    """Print what is said; return the exit status. Raises `typer.BadParameter` for what is wrong with an argument."""
    if channel not in CHANNELS:
        raise typer.BadParameter(f"{channel!r} is not one of {', '.join(CHANNELS)}", param_hint="'--channel'")
    choice = needed_engine(engine)
    samples = samples_of(file, channel)
    try:
        said = recognise(samples, choice)
    except TranscriptionError as error:
        typer.echo(f"dutyring: {file}: {error}", err=True)
        return EXIT_OUR_FAILURE
    if as_json:
        typer.echo(json.dumps(said.to_json(), ensure_ascii=False))
        return 0
    for part in said.utterances:
        typer.echo(f"{part.start_ms / 1000:8.2f}-{part.end_ms / 1000:.2f} s  {part.text}")
    if not said.utterances:
        typer.echo(f"dutyring: {file}: no speech was recognised", err=True)
    return 0


def the_engine(named: str | None) -> EngineChoice | None:
    """Return the engine of this name, by default that of the settings; None where there is none.

    Raises `typer.BadParameter` for an unknown name and for a setting that names what is not there.
    """
    settings = get_settings()
    if named is not None and named not in ENGINES:
        raise typer.BadParameter(f"{named!r} is not one of {', '.join(ENGINES)}", param_hint="'--engine'")
    try:
        if named is None:
            return engine_of(settings)
        return choose(named, models_folder(settings), settings.vosk_model, settings.whisper_model)
    except EngineError as error:
        hint = "'DUTYRING_TRANSCRIBER'" if named is None else "'--engine'"
        raise typer.BadParameter(str(error), param_hint=hint) from None


def needed_engine(named: str | None) -> EngineChoice:
    """Return the engine as `the_engine` does; `typer.BadParameter` where there is none."""
    choice = the_engine(named)
    if choice is None:
        raise typer.BadParameter(
            f"no speech can be recognised: {advice_of(get_settings())}", param_hint="'--engine'"
        )
    return choice


def samples_of(file: Path, channel: str) -> Sound:
    """Return one channel of a sound file as an engine takes it. Raises `typer.BadParameter`."""
    try:
        sound = read_channel(file, CHANNELS[channel])
    except AudioFileError as error:
        raise typer.BadParameter(f"{error}; it takes a WAV or FLAC file", param_hint="'FILE'") from error
    return np.round(np.clip(sound, -1.0, 1.0) * 32767.0).astype(np.int16)


def recognise(samples: Sound, choice: EngineChoice) -> Transcript:
    """Return what is said, in order of time. Raises TranscriptionError."""

    async def once() -> Transcript:
        async with Transcriber(choice) as transcriber:
            return await transcriber.transcribe(samples)

    said = asyncio.run(once())
    return replace(said, utterances=tuple(sorted(said.utterances, key=lambda part: part.start_ms)))
