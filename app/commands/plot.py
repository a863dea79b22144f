"""`dutyring analyze --plot`: the picture of a sound file, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import typer

from app.checks.rules import Rules
from app.picture import LANGUAGES, Sheet, Words, draw, svg_file
from sip.progress import Spectrogram

HINT = "'--plot'"
_MODE = 0o666


class PlotFile:
    """The file that the picture will be written to: made sure of before any work, put in its place at the end.

    A context manager: what is not finished leaves nothing behind. Raises `typer.BadParameter` where the file cannot be
    written.
    """

    def __init__(self, path: Path, sound: Path) -> None:
        self._path = path
        self._sound = sound
        self._part: Path | None = None

    def __enter__(self) -> PlotFile:
        """Take the place: a hidden file beside the one to come."""
        try:
            self._refuse_wrong_place()
            handle, name = tempfile.mkstemp(
                prefix=f".{self._path.stem[:40]}-", suffix=".part", dir=self._path.parent
            )
            os.close(handle)
        except OSError as error:
            raise self._unwritable(error) from None
        self._part = Path(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing unfinished behind."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)

    def write(self, svg: str) -> None:
        """Write the picture and put it in its place, all at once."""
        assert self._part is not None
        try:
            self._part.write_text(svg, encoding="utf-8")
            self._part.chmod(_MODE & ~_umask())
            self._part.replace(self._path)
        except OSError as error:
            raise self._unwritable(error) from None

    def _refuse_wrong_place(self) -> None:
        if self._path.exists() and not self._path.is_file():
            raise self._refusal("is no file that could be replaced")
        try:
            same = self._path.samefile(self._sound)
        except OSError:
            same = False
        if same:
            raise self._refusal("is the sound file itself")

    def _unwritable(self, error: OSError) -> typer.BadParameter:
        return self._refusal(f"cannot be written ({error.strerror or error})")

    def _refusal(self, reason: str) -> typer.BadParameter:
        return typer.BadParameter(
            f"{self._path} {reason}; it takes a file to write an SVG to", param_hint=HINT
        )


def words_of(language: str) -> Words:
    """Return the words of a language. Raises `typer.BadParameter` for one that there is not."""
    if language not in LANGUAGES:
        raise typer.BadParameter(
            f"{language!r} is not one of them; it takes {', '.join(LANGUAGES)}", param_hint="'--lang'"
        )
    return LANGUAGES[language]


def plot(result: Mapping[str, Any], file: Path, channel: str, words: Words, spectrogram: Spectrogram) -> str:
    """Return the picture of an analysis as the text of an SVG file."""
    picture = draw(result, Rules(), words, spectrogram)
    sheet = Sheet(
        file.name, words.summary(result, channel), [words.fault(error) for error in result["errors"]]
    )
    return svg_file(picture, sheet)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
