"""A spreadsheet as plain values: what every reader of a file format gives, and what every reader of rows takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Literal

MOST_ROWS = 100_000
"""Most rows of one sheet that are looked at; a province has some 30,000 units, and a sheet of a year's rosters is filed
unit by unit."""
MOST_COLUMNS = 100
"""Most columns that are looked at, from A on."""
MOST_CELLS = 1_000_000
"""Most cells with content of one file."""
MOST_SHEETS = 60
MOST_SIGNS = 4_001
"""Longest text of one cell that is kept; more cannot be right in any column."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A cell that holds no value: a fault of the spreadsheet, a formula without a result, hidden under a merged one."""

    kind: Literal["error_value", "no_result", "merged", "signs"]
    shown: str
    """What the cell shows, for the person who looks for it."""


Value = str | float | bool | datetime | date | time | Odd | None
"""What a cell holds. Numbers are floats whatever they count; None is an empty cell."""


class FileError(ValueError):
    """The file as a whole cannot be read. `str()` says why and what to do, in English; `zh` in Chinese."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged range; rows and columns count from 1, both ends inclusive."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


@dataclass(slots=True)
class Sheet:
    """One sheet: its rows with content by number, from 1."""

    title: str
    rows: dict[int, list[Value]] = field(default_factory=dict)
    """Values from column A on; a row ends with its last content."""
    hidden: bool = False
    hidden_rows: list[int] = field(default_factory=list)
    hidden_columns: frozenset[int] = frozenset()
    """From 1."""
    merges: Sequence[Merge] = ()
    cut: bool = False
    """There is more below or to the right than is looked at."""


@dataclass(slots=True)
class Workbook:
    """All that was read of a file."""

    sheets: list[Sheet]
    form: Literal["xlsx", "csv"]
    encoding: str = ""
    """Of a CSV file."""


def column_letters(number: int) -> str:
    """Return the letters of a column, A for 1."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def cell_name(row: int, column: int) -> str:
    """Return the name of a cell as a spreadsheet shows it, such as C7."""
    return f"{column_letters(column)}{row}"


def cell_place(name: str) -> tuple[int, int] | None:
    """Return row and column of `C7` or `$C$7`; None for what is no cell's name."""
    plain = name.replace("$", "").upper()
    letters = plain.rstrip("0123456789")
    digits = plain[len(letters) :]
    if not (1 <= len(letters) <= 3 and letters.isascii() and letters.isalpha() and 1 <= len(digits) <= 7):
        return None
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return int(digits), column
