"""Finds out what a sheet is: the row of its headings, and which kind of sheet has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.imports.columns import BOOK_PEOPLE, IGNORED, LAYOUTS, Column, Layout, folded
from app.imports.findings import Finding, shown
from app.imports.grid import MOST_COLUMNS, MOST_ROWS, Sheet, Value, cell_name
from app.imports.records import Findings

_LOOKED_AT = 20
"""Rows with content among which the headings are; lists begin with a title, a date, a telephone for questions."""
_TITLE_WEIGHT = 0.5
"""Headings say what a sheet is; its title decides between two that fit alike."""


@dataclass(frozen=True, slots=True)
class Header:
    """The headings of a sheet that was understood."""

    layout: Layout
    row: int
    columns: Mapping[str, int]
    """Columns by key, from 1. 职务 and 手机 of a 通讯录 have keys such as `phone:leader`."""

    def reader_of(self, key: str) -> Column:
        """The column of a key."""
        return self.layout.column(key.partition(":")[0])


def find_header(sheet: Sheet, findings: Findings) -> Header | None:
    """Return the headings of a sheet, or say why it is not read."""
    titled = layout_of_title(sheet.title)
    best: tuple[float, int, int, Layout] | None = None
    for number in sorted(sheet.rows)[:_LOOKED_AT]:
        for order, layout in enumerate(LAYOUTS):
            fitting = _matched(layout, sheet.rows[number])
            if _missing(layout, set(fitting)):
                continue
            # Between two that fit alike a 通讯录 is taken: its units may be new.
            weight = len(fitting) + (_TITLE_WEIGHT if layout is titled else 0) + (layout.kind == "book") * 0.1
            if best is None or weight > best[0]:
                best = (weight, number, order, layout)
    if titled is not None and best is not None and best[3] is not titled and _is_called(sheet.title, titled):
        # Somebody named it so: what is missing is said, rather than that something else is read from it.
        best = None if not any(_fits(titled, row) for row in _first_rows(sheet)) else best
    if best is None:
        _not_read(sheet, titled, findings)
        return None
    _, number, _, layout = best
    header = Header(layout, number, _columns(sheet, layout, number, findings))
    _tell(sheet, header, titled, findings)
    return header


@lru_cache(maxsize=256)
def layout_of_title(title: str) -> Layout | None:
    """The layout whose title, or the longest part of it, stands in this one."""
    plain = folded(title)
    found = [
        (len(name), -order, layout)
        for order, layout in enumerate(LAYOUTS)
        for name in layout.titles
        if name in plain
    ]
    return max(found, key=lambda entry: entry[:2])[2] if found else None


def _is_called(title: str, layout: Layout) -> bool:
    return folded(title) in {folded(name) for name in layout.titles}


def _first_rows(sheet: Sheet) -> list[list[Value]]:
    return [sheet.rows[number] for number in sorted(sheet.rows)[:_LOOKED_AT]]


def _fits(layout: Layout, row: list[Value]) -> bool:
    return not _missing(layout, set(_matched(layout, row)))


def _heading(value: Value) -> str:
    return folded(value) if isinstance(value, str) and len(value) <= 60 else ""


@lru_cache(maxsize=64)
def _keys(kind: str) -> Mapping[str, str]:
    layout = next(layout for layout in LAYOUTS if layout.kind == kind)
    # A heading that two columns accept belongs to the first of them.
    return {folded(name): column.key for column in reversed(layout.columns) for name in column.names}


def _matched(layout: Layout, row: list[Value]) -> dict[str, int]:
    keys = _keys(layout.kind)
    found: dict[str, int] = {}
    for column, value in enumerate(row, 1):
        key = keys.get(_heading(value))
        if key is not None:
            found.setdefault(key, column)
    return found


def _missing(layout: Layout, keys: set[str]) -> list[str]:
    """The usual headings of the columns that are not there and must be."""
    found = [column.names[0] for column in layout.columns if column.needed and column.key not in keys]
    for group in layout.one_of:
        if not keys & set(group):
            found.append("/".join(layout.column(key).names[0] for key in group))
    return found


def _columns(sheet: Sheet, layout: Layout, number: int, findings: Findings) -> dict[str, int]:
    keys, found, person = _keys(layout.kind), dict[str, int](), ""
    for column, value in enumerate(sheet.rows[number], 1):
        heading = _heading(value)
        key = keys.get(heading)
        cell, said = cell_name(number, column), shown(value if isinstance(value, str) else "")
        if key is None:
            if heading and heading not in IGNORED:
                findings.add(Finding("heading_unknown", sheet.title, cell, said))
            continue
        if layout.kind == "book" and key in BOOK_PEOPLE:
            person = key
        if layout.kind == "book" and key in ("title", "phone"):
            if not person:
                findings.add(Finding("heading_unknown", sheet.title, cell, said))
                continue
            key = f"{key}:{person}"
        if key in found:
            findings.add(Finding("heading_twice", sheet.title, cell, said, {"column": said}))
        else:
            found[key] = column
    return found


def _not_read(sheet: Sheet, titled: Layout | None, findings: Findings) -> None:
    if not sheet.rows:
        if titled is not None:
            findings.add(Finding("no_rows", sheet.title, ""))
        return
    if titled is None:
        findings.add(Finding("sheet_unknown", sheet.title, ""))
        return
    numbers = sorted(sheet.rows)[:_LOOKED_AT]
    number = max(numbers, key=lambda row: len(_matched(titled, sheet.rows[row])))
    missing = _missing(titled, set(_matched(titled, sheet.rows[number])))
    findings.add(Finding("heading_missing", sheet.title, str(number), words={"columns": "、".join(missing)}))


def _tell(sheet: Sheet, header: Header, titled: Layout | None, findings: Findings) -> None:
    """Say what a person cannot see in the sheet, or what was guessed of it."""
    if sheet.cut:
        findings.add(
            Finding("sheet_cut", sheet.title, "", words={"rows": MOST_ROWS, "columns": MOST_COLUMNS})
        )
    hidden = [row for row in sheet.hidden_rows if row > header.row and row in sheet.rows]
    if hidden:
        findings.add(Finding("rows_hidden", sheet.title, str(hidden[0]), words={"rows": ranges(hidden)}))
    for column in sorted(sheet.hidden_columns & set(header.columns.values())):
        cell = cell_name(header.row, column)
        findings.add(Finding("column_hidden", sheet.title, cell, shown(sheet.rows[header.row][column - 1])))
    kind, keys = header.layout.kind, set(header.columns)
    if kind in ("duty", "leader"):
        if not keys & {"period", "start", "end"}:
            findings.add(Finding("no_times", sheet.title, str(header.row)))
        name = _heading(sheet.rows[header.row][header.columns["name"] - 1])
        if titled is not header.layout and name == folded("姓名"):
            findings.add(Finding("taken_as", sheet.title, "", words={"title": header.layout.title}))


def ranges(numbers: list[int]) -> str:
    """Write row numbers short: `3-7、9`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    listed = [f"{first}-{last}" if last > first else str(first) for first, last in parts[:20]]
    return "、".join(listed) + ("…" if len(parts) > 20 else "")
