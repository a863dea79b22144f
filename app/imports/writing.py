"""Writes the directory, rosters and calendar as a workbook that an import takes back."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import xlsxwriter

from app import clock
from app.directory.numbers import key_of, read_number
from app.errors import BadInputError
from app.imports import columns
from app.imports.columns import BY_KIND, LAYOUTS, Layout, SheetKind
from app.imports.grid import MOST_ROWS
from app.imports.moments import clock_text
from app.imports.stored import Snapshot, Stored
from app.imports.values import first_word

Cells = dict[str, str | date | None]
"""One row by key of the column."""
WORDS: Mapping[tuple[SheetKind, str], Mapping[str, str]] = {
    ("units", "category"): columns.CATEGORIES,
    ("regimes", "duty"): columns.DUTY,
    ("regimes", "leader"): columns.LEADING,
    ("lines", "kind"): columns.LINES,
    ("people", "role"): columns.ROLES,
    ("people", "staffing"): columns.STAFFING,
    ("exemptions", "kind"): columns.EXEMPTIONS,
    ("days", "kind"): columns.DAYS,
}
_OLDEST = datetime(1970, 1, 1)
_LIST_SIGN = "、"


def write_workbook(snapshot: Snapshot) -> bytes:
    """Return the XLSX file of a snapshot. Raises `BadInputError` for more rows than an import takes."""
    sheets = rows_of(snapshot)
    for layout in LAYOUTS:
        if len(sheets.get(layout.kind, ())) >= MOST_ROWS:
            raise BadInputError(
                f"“{layout.title}”超过 {MOST_ROWS:,} 行，一个文件放不下；请按单位或较晚的起始日期分次导出"
            )
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, "constant_memory": False}) as book:
        book.set_properties({"title": "DutyRing", "created": clock.now().replace(tzinfo=None)})
        forms = {
            "text": book.add_format({"num_format": "@"}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
            "head": book.add_format({"bold": True, "num_format": "@", "bg_color": "#DDE6EE", "bottom": 1}),
        }
        for layout in LAYOUTS:
            if layout.kind in sheets:
                _write_sheet(book, layout, sheets[layout.kind], forms)
    return target.getvalue()


def _write_sheet(book: Any, layout: Layout, rows: list[Cells], forms: Mapping[str, Any]) -> None:
    sheet = book.add_worksheet(layout.title)
    shown = [column for column in layout.columns if column.exported]
    for number, column in enumerate(shown):
        # Text throughout: a number that a program takes for a number loses its 0.
        sheet.set_column(number, number, column.width, forms[column.form])
        sheet.write_string(0, number, column.names[0], forms["head"])
    sheet.freeze_panes(1, 0)
    for row, cells in enumerate(rows, 1):
        for number, column in enumerate(shown):
            value = cells.get(column.key)
            if isinstance(value, date):
                sheet.write_datetime(row, number, datetime(value.year, value.month, value.day), forms["day"])
            elif value:
                sheet.write_string(row, number, value, forms["text"])


def rows_of(snapshot: Snapshot) -> dict[SheetKind, list[Cells]]:
    """Return the rows of each sheet, in an order that does not depend on keys of the records."""
    units = _in_tree_order(snapshot.units)
    names = {int(str(entry.id)): entry for entry in snapshot.units}
    order = {int(str(entry.id)): place for place, entry in enumerate(units)}
    lines = {int(str(entry.id)): entry for entry in snapshot.lines}

    def whose(entry: Stored) -> Cells:
        unit = names[entry.unit_id].values
        return {"unit": unit["code"], "unit_name": unit["name"]}

    def listed(kind: SheetKind, entries: Iterable[Stored]) -> list[Cells]:
        rows = [(order[entry.unit_id], whose(entry) | _cells(kind, entry, lines)) for entry in entries]
        return _sorted(kind, rows)

    shifts: dict[str, list[tuple[int, Cells]]] = {"duty": [], "leader": []}
    for entry in snapshot.rosters:
        rows = shifts[entry.values["kind"]]
        rows.extend((order[entry.unit_id], whose(entry) | cells) for cells in _shifts(entry))
    return {
        "units": [_cells("units", entry, lines) for entry in units],
        "regimes": listed("regimes", snapshot.regimes),
        "lines": listed("lines", snapshot.lines),
        "people": listed("people", snapshot.people),
        "duty": _sorted("duty", shifts["duty"]),
        "leader": _sorted("leader", shifts["leader"]),
        "exemptions": listed("exemptions", (*snapshot.line_exemptions, *snapshot.exemptions)),
        "days": [_cells("days", entry, lines) for entry in snapshot.days],
    }


def _in_tree_order(units: list[Stored]) -> list[Stored]:
    """Each unit behind the one above it, those beside each other by code."""
    below: dict[str, list[Stored]] = {}
    codes = {entry.values["code"] for entry in units}
    for entry in sorted(units, key=lambda entry: str(entry.values["code"])):
        parent = entry.values["parent"]
        # Of a part of the tree the unit at its head has a parent that is not there.
        below.setdefault(parent if parent in codes else "", []).append(entry)
    found: list[Stored] = []
    waiting = below.get("", [])[::-1]
    while waiting:
        entry = waiting.pop()
        found.append(entry)
        waiting.extend(below.get(entry.values["code"], [])[::-1])
    return found


def _sorted(kind: SheetKind, rows: list[tuple[int, Cells]]) -> list[Cells]:
    """Rows by day for rosters, else by unit; rows that say the same once."""
    keys = [column.key for column in BY_KIND[kind].columns if column.exported]
    by_day = kind in ("duty", "leader")

    def place(entry: tuple[int, Cells]) -> tuple[str, int, tuple[str, ...]]:
        unit, cells = entry
        return str(cells["day"]) if by_day else "", unit, tuple(str(cells.get(key) or "") for key in keys)

    once = {place(entry): entry[1] for entry in rows}
    return [once[key] for key in sorted(once)]


def _cells(kind: SheetKind, entry: Stored, lines: Mapping[int, Stored]) -> Cells:
    values = dict(entry.values)
    if kind == "exemptions":
        line = values.pop("line")
        values["number"] = "" if line is None else lines[line].values["number"]
    if kind == "lines" and _says_target(values["number"], values["target"]):
        values["target"] = ""
    return {key: cell_text(kind, key, value) for key, value in values.items()}


def cell_text(kind: SheetKind, key: str, value: Any) -> str | date | None:
    """Return what stands in a cell for a value."""
    words = WORDS.get((kind, key))
    if words is not None:
        return first_word(words, value) if value else ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, tuple):
        return _LIST_SIGN.join(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}" if value.second else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        # What spreadsheets count no days for stands as text.
        return value if value >= _OLDEST.date() else value.isoformat()
    return str(value) if value is not None else None


def _says_target(number: str, target: str) -> bool:
    """Whether the printed number alone says what is dialled."""
    try:
        return key_of(read_number(number).target) == key_of(target)
    except BadInputError:
        return False


def _shifts(entry: Stored) -> Iterable[Cells]:
    day: date = entry.values["day"]
    for start, end, name, title, phone in entry.values["shifts"]:
        yield {
            "day": day,
            "name": name,
            "title": title,
            "phone": phone,
            "start": clock_text(start, day),
            "end": clock_text(end, day),
        }


def only_units(snapshot: Snapshot, keys: frozenset[int]) -> Snapshot:
    """Return the part of a snapshot that speaks of some units; the calendar is everybody's."""
    part = Snapshot(snapshot.zone, days=snapshot.days)
    part.units = [entry for entry in snapshot.units if entry.id in keys]
    for name in ("regimes", "lines", "people", "exemptions", "line_exemptions", "rosters"):
        setattr(part, name, [entry for entry in getattr(snapshot, name) if entry.unit_id in keys])
    here = {entry.id for entry in part.lines}
    # An exemption may be of a line that another unit answers for.
    part.exemptions = [
        entry for entry in part.exemptions if entry.values["line"] is None or entry.values["line"] in here
    ]
    return part
