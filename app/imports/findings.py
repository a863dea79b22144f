"""What is said about a cell: what is wrong and what would be right, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Literal

from app.imports.catalogue import CATALOGUE, Severity

LONGEST_SHOWN = 60
MOST_FINDINGS = 20_000
"""With more the file is something else than it should be, and reading it ends."""


class WrongValueError(ValueError):
    """A cell cannot be read as what its column holds."""

    def __init__(self, code: str, **words: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one cell, row or sheet."""

    code: str
    sheet: str
    cell: str
    """Such as C7; a row such as 7 where no cell can be named; empty for the sheet or file."""
    value: str = ""
    """What stands there, at most 60 signs."""
    words: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def row(self) -> int:
        """The row of the sheet; 0 where no row can be named."""
        number = self.cell.lstrip(ascii_uppercase)
        return int(number) if number.isascii() and number.isdecimal() else 0

    @property
    def severity(self) -> Severity:
        """Whether it stops the import."""
        return CATALOGUE[self.code].severity

    def said(self, language: Literal["zh", "en"]) -> tuple[str, str]:
        """Return what is wrong and what would be right."""
        entry = CATALOGUE[self.code]
        wrong, right = (entry.wrong_zh, entry.right_zh) if language == "zh" else (entry.wrong, entry.right)
        return wrong.format_map(self.words), right.format_map(self.words)


def shown(text: object) -> str:
    """Return what a cell shows, short enough for a message and without signs that no terminal should get."""
    plain = "".join(sign if sign.isprintable() else "·" for sign in str(text))
    return plain if len(plain) <= LONGEST_SHOWN else plain[: LONGEST_SHOWN - 1] + "…"
