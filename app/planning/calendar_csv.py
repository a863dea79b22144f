"""The calendar as a file that a spreadsheet opens: one line a day, `day,kind,sensitive,name,sensitive_name,note`."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date

from app.api.text import FIRST_YEAR, LAST_YEAR
from app.errors import BadInputError, Fault
from app.planning.calendar import DAY_KINDS_ZH
from app.planning.calendar_service import Entry
from app.planning.models import DAY_KINDS, CalendarDay
from app.tables.cells import QUOTE, from_csv, starts_formula

COLUMNS = ("day", "kind", "sensitive", "name", "sensitive_name", "note")
REQUIRED = COLUMNS[:2]
MOST_BYTES = 1_000_000
MOST_LINES = 20_000
MOST_FAULTS = 100
_LENGTHS = {"name": 80, "sensitive_name": 80, "note": 4000}
_YES = {"yes": True, "1": True, "true": True, "是": True}
_NO = {"no": False, "0": False, "false": False, "": False, "否": False}
_WORDS = _YES | _NO
_KINDS = {kind: kind for kind in DAY_KINDS} | {zh: kind for kind, zh in DAY_KINDS_ZH.items()}
_FORMULA = ("=", "+", "-", "@")
"""A cell that begins so is computed by a spreadsheet, whatever the file says."""


def write(rows: Iterable[CalendarDay]) -> str:
    """Return days as CSV; read again, it changes nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        kind = row.kind if row.known else ""
        sensitive = "yes" if row.sensitive else "no"
        texts = (_no_formula(text) for text in (row.name, row.sensitive_name, row.note))
        writer.writerow((row.day.isoformat(), kind, sensitive, *texts))
    return text.getvalue()


def _no_formula(text: str) -> str:
    # Workbooks of the directory may bring days, too, and in those a text that begins so does no harm.
    return QUOTE + text if starts_formula(text.lstrip(QUOTE)) else text


def read(content: bytes) -> dict[date, Entry]:
    """Read a file, UTF-8 or GB 18030. Raises `BadInputError` that names every line that is wrong, up to a hundred."""
    if len(content) > MOST_BYTES:
        raise _wrong(Fault("file", f"has more than {MOST_BYTES:,} bytes"))
    lines = csv.reader(io.StringIO(_decoded(content), newline=""), strict=True)
    faults: list[Fault] = []
    found: dict[date, Entry] = {}
    first_lines: dict[date, int] = {}
    try:
        columns = _columns(next(lines, []))
        for cells in lines:
            number = lines.line_num
            if number > MOST_LINES:
                raise _wrong(Fault(f"line {number}", f"the file has more than {MOST_LINES:,} lines"))
            if not any(cell.strip() for cell in cells):
                continue
            told = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
            wrong = [*_cell_faults(number, told), *_width_fault(number, cells, columns)]
            faults += wrong
            if wrong:
                continue
            day = date.fromisoformat(told["day"])
            if day in first_lines:
                faults.append(Fault(f"line {number}, day", f"{day} stands on line {first_lines[day]} too"))
                continue
            first_lines[day], found[day] = number, _entry(told)
    except csv.Error as error:
        faults.append(Fault(f"line {lines.line_num}", f"is no CSV: {error}"))
    if faults:
        raise _wrong(*faults)
    if not found:
        raise _wrong(Fault("file", "holds no days"))
    return found


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _wrong(Fault("file", "is neither UTF-8 nor GB 18030"))


def _columns(header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    if missing or unknown or len(set(columns)) < len(columns):
        raise _wrong(Fault("line 1", f"takes the columns {', '.join(COLUMNS)}; the first two must be there"))
    return columns


def _width_fault(number: int, cells: list[str], columns: list[str]) -> list[Fault]:
    if any(cell.strip() for cell in cells[len(columns) :]):
        return [Fault(f"line {number}", f"has {len(cells)} cells; the first line names {len(columns)}")]
    return []


def _cell_faults(number: int, told: Mapping[str, str]) -> list[Fault]:
    found = []
    if not _is_day(told.get("day", "")):
        found.append(("day", f"takes a day such as 2026-05-01, of the years {FIRST_YEAR} to {LAST_YEAR}"))
    if told.get("kind", "") not in {*_KINDS, ""}:
        found.append(("kind", f"takes one of {', '.join(DAY_KINDS)}, or nothing for the weekend rule"))
    if told.get("sensitive", "").lower() not in _WORDS:
        found.append(("sensitive", "takes yes or no"))
    for column, most in _LENGTHS.items():
        reason = _text_fault(told.get(column, ""), most, lines=column == "note")
        if reason:
            found.append((column, reason))
    return [Fault(f"line {number}, {column}", f"{reason}{_shown(told, column)}") for column, reason in found]


def _shown(told: Mapping[str, str], column: str) -> str:
    cell = told.get(column, "")
    return f"; it is {cell[:40]!r}" if cell else "; it is empty"


def _is_day(text: str) -> bool:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return False
    return text == day.isoformat() and FIRST_YEAR <= day.year <= LAST_YEAR


def _text_fault(text: str, most: int, *, lines: bool) -> str | None:
    if len(text) > most:
        return f"takes at most {most} signs"
    allowed = "\t\r\n" if lines else ""
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in allowed for sign in text):
        return "holds a control sign"
    return formula_fault(text)


def formula_fault(text: str) -> str | None:
    """Say what is wrong with a text that a spreadsheet would compute; None where nothing is."""
    return "begins like a formula of a spreadsheet" if text.startswith(_FORMULA) else None


def _entry(told: Mapping[str, str]) -> Entry:
    sensitive = _WORDS[told.get("sensitive", "").lower()]
    return Entry(
        _KINDS.get(told["kind"]),
        from_csv(told.get("name", "")),
        sensitive,
        from_csv(told.get("sensitive_name", "")) if sensitive else "",
        from_csv(told.get("note", "")),
    )


def _wrong(*faults: Fault) -> BadInputError:
    more = f" and {len(faults) - 1} more" if len(faults) > 1 else ""
    first = faults[0]
    return BadInputError(f"nothing was imported: {first.where}: {first.message}{more}", faults[:MOST_FAULTS])
