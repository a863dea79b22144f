"""Reads CSV files in UTF-8, UTF-16 or GB18030, as spreadsheet programs save them."""

from __future__ import annotations

import codecs
import csv
import io

from app.imports.grid import (
    MOST_CELLS,
    MOST_COLUMNS,
    MOST_ROWS,
    MOST_SIGNS,
    FileError,
    Sheet,
    Value,
    Workbook,
)

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SEPARATORS = ",\t;，"
_LOOKED_AT = 20


def read_csv(content: bytes, title: str) -> Workbook:
    """Read a CSV file as one sheet. Raises `FileError` where it cannot be read as text or as a table."""
    text, encoding = _decoded(content)
    if "\0" in text:
        raise FileError(
            "文件不是文本，无法作为 CSV 读取；请用 .xlsx 或 .csv 文件",
            "the file is no text; it takes an .xlsx or .csv file",
        )
    sheet = Sheet(title)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    cells = 0
    number = 0
    try:
        for number, row in enumerate(reader, 1):
            values: list[Value] = [piece[: MOST_SIGNS + 1] if piece.strip() else None for piece in row]
            while values and values[-1] is None:
                values.pop()
            if not values:
                continue
            cells += len(values)
            if cells > MOST_CELLS:
                raise FileError(
                    f"文件内容超过 {MOST_CELLS:,} 个单元格，无法读取；请拆分后分次导入",
                    f"the file has more than {MOST_CELLS:,} cells; divide it and import the parts one by one",
                )
            if number > MOST_ROWS or len(values) > MOST_COLUMNS:
                sheet.cut = True
            if number <= MOST_ROWS:
                sheet.rows[number] = values[:MOST_COLUMNS]
    except csv.Error as error:
        raise FileError(
            f"第 {number + 1} 行起无法按 CSV 读取（双引号没有成对，或单元格过长）；请检查该行的引号",
            f"from row {number + 1} on it is no CSV (a quotation mark without its pair, or a cell far too long)",
        ) from error
    return Workbook([sheet], "csv", encoding)


def _decoded(content: bytes) -> tuple[str, str]:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return _strictly(content.removeprefix(mark), name), name
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        # Whatever else Chinese offices write: GBK and GB2312 are parts of GB18030.
        return _strictly(content, "gb18030"), "gb18030"


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise FileError(
            f"文件既不是 UTF-8 也不是 GBK/GB18030 编码（约第 {line} 行）；请在 Excel/WPS 中另存为“CSV UTF-8”",
            f"the file is neither UTF-8 nor GBK/GB18030 (about row {line}); save it as CSV UTF-8",
        ) from error


def _separator(text: str) -> str:
    """The sign that stands most often in the first lines, outside of quotation marks."""
    lines = text[:20_000].splitlines()[:_LOOKED_AT]
    unquoted = "".join("".join(line.split('"')[::2]) for line in lines)
    return max(_SEPARATORS, key=lambda sign: (unquoted.count(sign), -_SEPARATORS.index(sign)))
