"""Reads a file into rows, naming every cell that cannot be read. Pure: knows no database, writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from app.imports.columns import CLEAR, GUIDE
from app.imports.expanding import expanded
from app.imports.files import open_file
from app.imports.findings import Finding, WrongValueError, shown
from app.imports.grid import MOST_CELLS, FileError, Odd, Sheet, Value, cell_name
from app.imports.headings import Header, find_header
from app.imports.records import Findings, Preview, Row, SheetRead
from app.imports.values import as_text, plain


def read(content: bytes, name: str) -> Preview:
    """Read a workbook or CSV file. Raises `FileError` where the file as a whole cannot be read."""
    # It goes into records and onto terminals; file systems allow signs that neither takes.
    name = "".join(sign if sign.isprintable() else "·" for sign in name)[:200]
    book = open_file(content, name)
    preview = Preview(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        form=book.form,
        encoding=book.encoding,
        sheets=[],
        rows=[],
        findings=Findings(),
    )
    for sheet in book.sheets:
        if sheet.hidden:
            preview.findings.add(Finding("sheet_hidden", sheet.title, ""))
        elif sheet.title != GUIDE:
            _read_sheet(sheet, preview)
    if not preview.sheets:
        preview.findings.add(Finding("nothing", "", ""))
    return preview


def _read_sheet(sheet: Sheet, preview: Preview) -> None:
    findings = preview.findings
    header = find_header(sheet, findings)
    if header is None:
        return
    count = 0
    for row in _rows(sheet, header, findings):
        count += 1
        preview.rows.extend(expanded(row, header.columns, findings))
        if findings.full:
            break
    if not count:
        findings.add(Finding("no_rows", sheet.title, ""))
    preview.sheets.append(SheetRead(sheet.title, header.layout.kind, header.row, count))


def _rows(sheet: Sheet, header: Header, findings: Findings) -> Iterator[Row]:
    covered = _covered(sheet, header)
    for number in sorted(sheet.rows):
        if number <= header.row:
            continue
        given = sheet.rows[number]
        own = {
            key: given[column - 1] if column <= len(given) else None for key, column in header.columns.items()
        }
        if all(_is_empty(value) for value in own.values()):
            continue
        row = Row(header.layout.kind, sheet.title, number, header.columns)
        for key, column in header.columns.items():
            value = own[key]
            if value is None and covered:
                value = covered.get((number, column))
            _read_cell(row, key, value, header, findings)
        yield row


def _is_empty(value: Value) -> bool:
    if not isinstance(value, str):
        return value is None
    try:
        return not plain(value)
    except WrongValueError:
        return False


def _read_cell(row: Row, key: str, value: Value, header: Header, findings: Findings) -> None:
    column = header.reader_of(key)
    if _is_empty(value):
        if column.needed:
            findings.about(row, key, "empty", "", column=column.names[0])
        return
    if value == CLEAR and not column.needed:
        row.values[key] = None
        return
    try:
        found = column.read(value, lambda code: findings.about(row, key, code, _shown(value)))
        if column.needed and found in ("", ()):
            raise WrongValueError("empty", column=column.names[0])
        row.values[key] = found
    except WrongValueError as error:
        findings.about(row, key, error.code, _shown(value), **error.words)


def _shown(value: Value) -> str:
    try:
        return shown(value.shown if isinstance(value, Odd) else as_text(value))
    except WrongValueError:
        return shown(value)


def _covered(sheet: Sheet, header: Header) -> dict[tuple[int, int], Value]:
    """What stands in the cells under merged ranges, below the headings: the range's value or that it is none's."""
    found: dict[tuple[int, int], Value] = {}
    work = 0
    filling = {column: header.reader_of(key).fills for key, column in header.columns.items()}
    for merge in sheet.merges:
        known = [column for column in range(merge.first_column, merge.last_column + 1) if column in filling]
        if merge.last_row <= header.row or not known:
            continue
        work += (merge.last_row - merge.first_row + 1) * len(known)
        if work > MOST_CELLS:
            raise FileError(
                f"工作表“{sheet.title}”合并的单元格过多，无法读取；请取消合并后再导入",
                f"the sheet {sheet.title!r} has too many merged cells; undo the merging",
            )
        given = sheet.rows.get(merge.first_row, [])
        first = given[merge.first_column - 1] if merge.first_column <= len(given) else None
        if first is None:
            continue
        into = Odd("merged", cell_name(merge.first_row, merge.first_column))
        for column in known:
            value = first if filling[column] and column == merge.first_column else into
            for number in range(max(merge.first_row, header.row + 1), merge.last_row + 1):
                if (number, column) != (merge.first_row, merge.first_column):
                    found[number, column] = value
    return found
