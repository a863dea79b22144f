"""Reads the cells of one sheet of an XLSX workbook."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime

from app.imports.formats import FormatKind, moment_of
from app.imports.grid import (
    MOST_CELLS,
    MOST_COLUMNS,
    MOST_ROWS,
    MOST_SIGNS,
    FileError,
    Merge,
    Odd,
    Sheet,
    Value,
    cell_place,
)
from app.imports.package import Attributes

_MOST_MERGES = 200_000
_MOST_ELEMENTS = 20 * MOST_CELLS
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,4})?|[+-]?\.\d+([eE][+-]?\d{1,4})?", re.ASCII)


class Budget:
    """What is left of the cells and elements that one file may have."""

    def __init__(self) -> None:
        self._cells = MOST_CELLS
        self._elements = _MOST_ELEMENTS

    def take_cell(self) -> None:
        """Count a cell with content. Raises `FileError` past the bound."""
        self._cells -= 1
        if self._cells < 0:
            raise FileError(
                f"文件内容超过 {MOST_CELLS:,} 个单元格，无法读取；请拆分后分次导入",
                f"the file has more than {MOST_CELLS:,} cells with content; divide it and import the parts one by one",
            )

    def take_element(self) -> None:
        """Count an element, with content or not: formatted empty cells take time too."""
        self._elements -= 1
        if self._elements < 0:
            raise FileError(
                "文件中带格式的空单元格过多，无法读取；请把有内容的区域复制到新工作簿后再导入",
                "the file has too many empty cells with a format; copy what has content into a new workbook",
            )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the cells of a sheet refer to."""

    strings: list[str]
    kinds: list[FormatKind]
    """Of each style of cells."""
    from_1904: bool
    budget: Budget


@dataclass(slots=True)
class _Cell:
    row: int
    column: int
    kind: str
    style: int
    has_formula: bool = False
    pieces: list[str] = field(default_factory=list)
    formula: str = ""


class SheetReader:
    """Fills a sheet from its XML."""

    def __init__(self, sheet: Sheet, around: Surroundings) -> None:
        self.done = False
        self._sheet = sheet
        self._around = around
        self._row = 0
        self._column = 0
        self._cell: _Cell | None = None
        self._within = ""
        self._phonetic = False
        self._merges: list[Merge] = []
        self._hidden_columns: set[int] = set()

    def start(self, tag: str, given: Attributes) -> None:
        """An element begins."""
        self._around.budget.take_element()
        if tag == "c":
            self._begin_cell(given)
        elif tag in ("v", "f", "t"):
            self._within = tag
            if tag == "f" and self._cell is not None:
                self._cell.has_formula = True
        elif tag == "row":
            self._begin_row(given)
        elif tag == "rPh":
            self._phonetic = True
        elif tag == "mergeCell":
            self._merge(given.get("ref", ""))
        elif tag == "col" and given.get("hidden") in ("1", "true"):
            self._hide(given)

    def end(self, tag: str) -> None:
        """An element ends."""
        if tag in ("v", "f", "t"):
            self._within = ""
        elif tag == "rPh":
            self._phonetic = False
        elif tag == "c" and self._cell is not None:
            self._keep(self._cell)
            self._cell = None

    def text(self, data: str) -> None:
        """Text of a value, a formula or an inline string."""
        cell = self._cell
        if cell is None or not self._within or self._phonetic:
            return
        if self._within == "f":
            cell.formula = (cell.formula + data)[:60]
        elif sum(map(len, cell.pieces)) <= MOST_SIGNS:
            cell.pieces.append(data[: MOST_SIGNS + 1])

    def finish(self) -> None:
        """Close the sheet: what lies under merged ranges is known only at its end."""
        self._sheet.merges = self._merges
        self._sheet.hidden_columns = frozenset(self._hidden_columns)

    def _begin_row(self, given: Attributes) -> None:
        number = given.get("r", "")
        self._row = (
            int(number) if number.isascii() and number.isdigit() and len(number) < 8 else self._row + 1
        )
        self._column = 0
        if given.get("hidden") in ("1", "true") and self._row <= MOST_ROWS:
            self._sheet.hidden_rows.append(self._row)

    def _begin_cell(self, given: Attributes) -> None:
        place = cell_place(given.get("r", ""))
        self._column = place[1] if place else self._column + 1
        style = given.get("s", "0")
        number = int(style) if style.isascii() and style.isdigit() and len(style) < 9 else 0
        self._cell = _Cell(self._row, self._column, given.get("t", "n"), number)

    def _keep(self, cell: _Cell) -> None:
        value = self._value(cell)
        if value is None:
            return
        self._around.budget.take_cell()
        if not (1 <= cell.row <= MOST_ROWS and 1 <= cell.column <= MOST_COLUMNS):
            self._sheet.cut = True
            return
        row = self._sheet.rows.setdefault(cell.row, [])
        row.extend([None] * (cell.column - len(row)))
        row[cell.column - 1] = value

    def _value(self, cell: _Cell) -> Value:
        text = "".join(cell.pieces)
        if cell.has_formula and not text.strip() and cell.kind not in ("str", "inlineStr"):
            return Odd("no_result", f"={cell.formula}")
        if cell.kind == "s":
            index = int(text) if text.strip().isdigit() and len(text) < 10 else -1
            strings = self._around.strings
            return strings[index] or None if 0 <= index < len(strings) else Odd("error_value", text[:60])
        if cell.kind in ("str", "inlineStr"):
            return unescaped(text) or None
        if cell.kind == "b":
            return text.strip() in ("1", "true")
        if cell.kind == "e":
            return Odd("error_value", text[:60])
        if cell.kind == "d":
            return _iso(text)
        return self._number(cell, text.strip())

    def _number(self, cell: _Cell, text: str) -> Value:
        if not text:
            return None
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(number):
            return Odd("error_value", text[:60])
        kinds = self._around.kinds
        kind = kinds[cell.style] if cell.style < len(kinds) else "number"
        if kind == "number":
            return number
        moment = moment_of(number, kind, from_1904=self._around.from_1904)
        return number if moment is None else moment

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        one, other = cell_place(first), cell_place(last)
        if one is None or other is None or len(self._merges) >= _MOST_MERGES:
            return
        merge = Merge(one[0], one[1], min(other[0], MOST_ROWS), min(other[1], MOST_COLUMNS))
        if merge.first_row <= merge.last_row and merge.first_column <= merge.last_column:
            self._merges.append(merge)

    def _hide(self, given: Attributes) -> None:
        first, last = given.get("min", ""), given.get("max", "")
        if first.isdigit() and last.isdigit() and len(first) < 8 and len(last) < 8:
            self._hidden_columns.update(range(int(first), min(int(last), MOST_COLUMNS) + 1))


def _iso(text: str) -> Value:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        return text or None


def unescaped(text: str) -> str:
    """Put back the signs that XML cannot hold, written as `_x000D_` (ECMA-376 part 1, 22.9.2.19)."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
