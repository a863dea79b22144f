"""`dutyring models`: speech models that are here, installed and whole."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from app.engines import advice_of, engine_of, models_folder
from app.settings import get_settings
from recordings.transcription import EngineError, ModelError
from recordings.transcription.installing import faults, install, installed
from recordings.transcription.models import KNOWN, known_model

EXIT_NOT_WHOLE = 1
EXIT_OUR_FAILURE = 3
_MB = 1_000_000


def show() -> int:
    """Print the models that can be installed, where they are, and which one is used."""
    settings = get_settings()
    folder = models_folder(settings)
    here = installed(folder)
    for model in KNOWN:
        where = str(folder / model.folder) if model in here else "not installed"
        typer.echo(f"{model.name:<16} {model.title}: {where}")
    try:
        choice = engine_of(settings)
    except EngineError as error:
        raise typer.BadParameter(str(error), param_hint="'DUTYRING_TRANSCRIBER'") from None
    typer.echo(
        f"nothing is used: {advice_of(settings)}"
        if choice is None
        else f"used: {choice.info.title}, {choice.folder}"
    )
    return 0


def put(name: str, source: Path | None) -> int:
    """Install a model. Raises `typer.BadParameter` for a name that is none and a file that is not there."""
    folder = models_folder(get_settings())
    try:
        model = known_model(name)
    except ModelError as error:
        raise typer.BadParameter(str(error), param_hint="'NAME'") from None
    if source is not None and not source.exists():
        raise typer.BadParameter(f"{source}: no such file", param_hint="'--from'")
    try:
        new = install(model, folder, source, _Progress(model.name))
    except ModelError as error:
        typer.echo(f"dutyring: {error}", err=True)
        return EXIT_OUR_FAILURE
    typer.echo(f"{model.name}: {'installed in' if new else 'is there and whole,'} {folder / model.folder}")
    return 0


def verify() -> int:
    """Print a line for each file of an installed model that is not as it was installed."""
    folder = models_folder(get_settings())
    here = installed(folder)
    wrong = [fault for model in here for fault in faults(folder / model.folder)]
    for fault in wrong:
        typer.echo(fault)
    if not wrong:
        typer.echo(f"{', '.join(m.name for m in here)}: whole" if here else f"no model is in {folder}")
    return EXIT_NOT_WHOLE if wrong else 0


class _Progress:
    """How much has come, on a terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shown = -1

    def __call__(self, came: int, length: int | None) -> None:
        step = came // (5 * _MB)
        if step == self._shown or not sys.stderr.isatty():
            return
        self._shown = step
        of = f" of {length / _MB:.0f}" if length else ""
        typer.echo(f"{self._name}: {came / _MB:.0f}{of} MB", err=True)
