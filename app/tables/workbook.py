"""XLSX files, written row by row so that a hundred thousand rows take no more memory than a hundred.

Text is always text (`write_string`): nothing in a cell is ever a formula. Sheets are A4 across, one page wide, with the
head on every page, page numbers, and the name of who made the file in head and foot.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from app import clock
from app.tables.cells import Column, Value, clean

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
A4 = 9
FONT = "宋体"
_FORMS = {"whole": "0", "tenths": "0.0", "at": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd", "text": "@"}
_MOST_FOOT = 200
"""Characters of the texts in head and foot; a program takes 255 of all together."""
_OLDEST = datetime(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the sheet of a table looks."""

    title: str
    columns: Sequence[Column]
    under: str = ""
    """A line below the title: period, unit of issue."""
    signing: bool = False
    """Whether it is to be signed: no filter in the head, and a last line for signatures."""
    watermark: str = ""
    """Who made it and when; in head and foot of every page."""
    about: Sequence[tuple[str, str]] = field(default_factory=tuple)
    """What the second sheet says: who, when, which filter."""


def parts_of(path: Path) -> Path:
    """The folder beside a workbook in which its rows stand while it is written."""
    return path.with_suffix(".parts")


def discard(path: Path) -> None:
    """Delete a file that was begun, and what stands beside it."""
    path.unlink(missing_ok=True)
    shutil.rmtree(parts_of(path), ignore_errors=True)


class WorkbookFile:
    """A workbook that is written row by row."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._parts = parts_of(path)
        self._parts.mkdir(mode=0o700)
        options = {
            "constant_memory": True,
            "tmpdir": str(self._parts),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._book.set_properties(
            {"title": clean(layout.title)[:200], "created": clock.now().replace(tzinfo=None)}
        )
        self._layout = layout
        self._forms = _formats(self._book)
        self._sheet = self._book.add_worksheet("表")
        self._row = 0
        self._begin()

    def _begin(self) -> None:
        layout, sheet, last = self._layout, self._sheet, len(self._layout.columns) - 1
        for number, column in enumerate(layout.columns):
            sheet.set_column(number, number, column.width)
        _set_up_page(sheet, layout)
        sheet.set_row(0, 30)
        _across(sheet, 0, last, layout.title, self._forms["title"])
        _across(sheet, 1, last, layout.under, self._forms["under"])
        sheet.set_row(2, 32)
        for number, column in enumerate(layout.columns):
            sheet.write_string(2, number, column.name, self._forms["head"])
        sheet.freeze_panes(3, 0)
        sheet.repeat_rows(2)
        self._row = 3

    def add(self, row: Sequence[Value]) -> None:
        """Add a row."""
        for number, (column, value) in enumerate(zip(self._layout.columns, row, strict=True)):
            self._write(number, column, value)
        self._row += 1

    def _write(self, number: int, column: Column, value: Value) -> None:
        if isinstance(value, str):
            self._sheet.write_string(self._row, number, clean(value), self._forms["text"])
        elif isinstance(value, datetime | date):
            at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
            if at < _OLDEST:
                self._sheet.write_string(self._row, number, str(value), self._forms["text"])
            else:
                self._sheet.write_datetime(self._row, number, at, self._forms[column.kind])
        else:
            self._sheet.write_number(self._row, number, value, self._forms[column.kind])

    def finish(self, footer: Iterable[str] = ()) -> None:
        """Write what stands below the rows and close the file."""
        last = len(self._layout.columns) - 1
        rows = self._row - 3
        if not self._layout.signing:
            self._sheet.autofilter(2, 0, max(2, self._row - 1), last)
        for line in footer:
            _across(self._sheet, self._row, last, line, self._forms["under"])
            self._sheet.set_row(self._row, 24)
            self._row += 1
        self._sheet.print_area(0, 0, self._row - 1, last)
        self._tell_about(rows)
        self._book.close()
        shutil.rmtree(self._parts, ignore_errors=True)

    def abandon(self) -> None:
        """Let go of what was written so far, without making a file of it."""
        for sheet in self._book.worksheets():
            rows = getattr(sheet, "row_data_fh", None)
            if rows is not None:
                rows.close()
        shutil.rmtree(self._parts, ignore_errors=True)

    def _tell_about(self, rows: int) -> None:
        sheet = self._book.add_worksheet("导出说明")
        sheet.set_column(0, 0, 16)
        sheet.set_column(1, 1, 100)
        _set_up_page(sheet, self._layout)
        for number, (name, text) in enumerate([*self._layout.about, ("行数", str(rows))]):
            sheet.write_string(number, 0, name, self._forms["head"])
            sheet.write_string(number, 1, clean(text), self._forms["text"])


def _formats(book: Any) -> dict[str, Any]:
    plain = {"font_name": FONT, "font_size": 10, "valign": "vcenter", "text_wrap": True, "border": 1}
    made = {name: book.add_format(plain | {"num_format": form}) for name, form in _FORMS.items()}
    made["head"] = book.add_format(plain | {"bold": True, "align": "center", "bg_color": "#E8EEF7"})
    title = {"font_name": FONT, "font_size": 18, "bold": True, "valign": "vcenter", "align": "center_across"}
    made["title"] = book.add_format(title)
    made["under"] = book.add_format({"font_name": FONT, "font_size": 11, "valign": "vcenter"})
    return made


def _across(sheet: Any, row: int, last: int, text: str, form: Any) -> None:
    """A line over the whole width. It is not merged: rows are written once, and filters dislike merged cells."""
    sheet.write_string(row, 0, clean(text), form)
    for number in range(1, last + 1):
        sheet.write_blank(row, number, None, form)


def _set_up_page(sheet: Any, layout: Layout) -> None:
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.8, bottom=0.7)
    mark = _in_foot(layout.watermark)
    sheet.set_header(f"&L&9&K808080{mark}")
    sheet.set_footer(f"&L&9&K808080{mark}&R&9第 &P 页，共 &N 页")


def _in_foot(text: str) -> str:
    """Text for head and foot, where & begins a command."""
    return clean(" ".join(text.split()))[: _MOST_FOOT // 2].replace("&", "&&")
