"""CSV files that Excel and WPS open rightly by a double click: UTF-8 with BOM, CRLF, every cell in quotes."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO

from app.tables.cells import Column, Value, for_csv

MEDIA_TYPE = "text/csv"
BOM = "\ufeff"


class DelimitedFile:
    """A CSV file that is written row by row. `target` must be opened with `newline=""` and UTF-8."""

    def __init__(self, target: TextIO, columns: Sequence[Column], preface: Iterable[tuple[str, str]]) -> None:
        self._writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        target.write(BOM)
        for name, text in preface:
            self._writer.writerow([f"# {name}：{' '.join(text.split())}"])
        self._writer.writerow([column.name for column in columns])
        self._rows = 0

    def add(self, row: Sequence[Value]) -> None:
        """Add a row."""
        self._writer.writerow([for_csv(value) for value in row])
        self._rows += 1

    def finish(self, footer: Iterable[str] = ()) -> None:
        """Write the last lines: how many rows there are, so that a file that was cut off shows it."""
        for line in footer:
            self._writer.writerow([f"# {line}"])
        self._writer.writerow([f"# 共 {self._rows} 行"])
