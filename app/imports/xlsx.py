"""Reads XLSX workbooks as a stream and within bounds.

A reader of our own: what a directory needs to be told about, merged ranges, hidden rows, formulas without a result,
is lost in the streaming readers of libraries, and their other readers fill the memory for one merged range over a
whole sheet, or give up over a style that WPS writes.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field

from app.imports.formats import FormatKind, kind_of
from app.imports.grid import MOST_CELLS, MOST_SHEETS, MOST_SIGNS, FileError, Sheet, Workbook
from app.imports.package import Attributes, Package, broken
from app.imports.sheet_xml import Budget, SheetReader, Surroundings, unescaped

_MOST_STRINGS = MOST_CELLS
_MOST_STYLES = 100_000


def read_xlsx(content: bytes) -> Workbook:
    """Read every sheet of a workbook. Raises `FileError` for one that is damaged, too large or has a password."""
    package = Package(content)
    book = _workbook_part(package)
    relations = _relations(package, book)
    outline = _Outline()
    package.scan(book, outline)
    around = Surroundings(
        strings=_strings(package, relations),
        kinds=_kinds(package, relations),
        from_1904=outline.from_1904,
        budget=Budget(),
    )
    found = []
    for title, hidden, key in outline.sheets[:MOST_SHEETS]:
        kind, part = relations.get(key, ("", ""))
        if kind == "worksheet" and part in package:
            found.append(_sheet(package, part, Sheet(title, hidden=hidden), around))
    if not found:
        raise FileError("文件中没有工作表", "the file has no sheets")
    return Workbook(found, "xlsx")


def _sheet(package: Package, part: str, sheet: Sheet, around: Surroundings) -> Sheet:
    if not sheet.hidden:
        reader = SheetReader(sheet, around)
        package.scan(part, reader)
        reader.finish()
    return sheet


def _workbook_part(package: Package) -> str:
    if "xl/workbook.bin" in package:
        raise FileError(
            "这是 .xlsb 二进制工作簿，无法读取；请在 Excel/WPS 中另存为 .xlsx",
            "this is a binary workbook (.xlsb); open it in Excel or WPS and save it as .xlsx",
        )
    found = [part for kind, part in _relations(package, "").values() if kind == "officeDocument"]
    for part in (*found, "xl/workbook.xml"):
        if part in package:
            return part
    raise FileError(
        "这不是 Excel 工作簿；请用 .xlsx 或 .csv 文件",
        "this is no Excel workbook; it takes an .xlsx or .csv file",
    )


def _relations(package: Package, part: str) -> dict[str, tuple[str, str]]:
    """Return (kind, part) of what a part points to, by its key; `""` is the package itself."""
    folder, name = posixpath.split(part)
    file = posixpath.join(folder, "_rels", f"{name}.rels")
    reader = _Relations(folder)
    if file in package:
        package.scan(file, reader)
    return reader.found


@dataclass
class _Handler:
    """Takes nothing; the readers below take what they need."""

    done: bool = False

    def start(self, tag: str, given: Attributes) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def text(self, data: str) -> None:
        """Text within an element."""


@dataclass
class _Relations(_Handler):
    folder: str = ""
    found: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder
        self.found = {}

    def start(self, tag: str, given: Attributes) -> None:
        """Keep one relation."""
        if tag == "Relationship" and given.get("TargetMode") != "External":
            target = given.get("Target", "")
            whole = target.lstrip("/") if target.startswith("/") else posixpath.join(self.folder, target)
            kind = given.get("Type", "").rpartition("/")[2]
            self.found[given.get("Id", "")] = (kind, posixpath.normpath(whole))
        self.done = len(self.found) > _MOST_STYLES


@dataclass
class _Outline(_Handler):
    """The workbook part: sheets in their order, and from when days are counted."""

    sheets: list[tuple[str, bool, str]] = field(default_factory=list)
    """(title, hidden, key of its relation)."""
    from_1904: bool = False

    def start(self, tag: str, given: Attributes) -> None:
        """Keep one sheet."""
        if tag == "sheet":
            hidden = given.get("state", "visible") != "visible"
            self.sheets.append((given.get("name", "")[:80], hidden, given.get("id", "")))
            self.done = len(self.sheets) >= MOST_SHEETS * 10
        elif tag == "workbookPr":
            self.from_1904 = given.get("date1904", "0") in ("1", "true")


@dataclass
class _Strings(_Handler):
    """The table of shared strings. Phonetic readings (`rPh`) belong to no text."""

    found: list[str] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    within: bool = False
    phonetic: bool = False
    length: int = 0

    def start(self, tag: str, given: Attributes) -> None:
        """Begin a string, or the text of one."""
        if tag == "si":
            self.pieces, self.length = [], 0
        elif tag == "rPh":
            self.phonetic = True
        elif tag == "t":
            self.within = not self.phonetic

    def end(self, tag: str) -> None:
        """Keep a string that is over."""
        if tag == "si":
            self.found.append(unescaped("".join(self.pieces)))
            if len(self.found) > _MOST_STRINGS:
                raise too_many()
        elif tag == "rPh":
            self.phonetic = False
        elif tag == "t":
            self.within = False

    def text(self, data: str) -> None:
        """Take a piece of text, as long as the cell is not longer than any may be."""
        if self.within and self.length <= MOST_SIGNS:
            self.pieces.append(data[: MOST_SIGNS + 1])
            self.length += len(data)


@dataclass
class _Styles(_Handler):
    """Number formats, and which of them each style of cells has."""

    codes: dict[int, str] = field(default_factory=dict)
    formats: list[int] = field(default_factory=list)
    within: bool = False

    def start(self, tag: str, given: Attributes) -> None:
        """Keep one format, or the format of one style."""
        if tag == "numFmt":
            self.codes[_whole(given.get("numFmtId"))] = given.get("formatCode", "")[:400]
        elif tag == "cellXfs":
            self.within = True
        elif tag == "xf" and self.within:
            self.formats.append(_whole(given.get("numFmtId")))
        self.done = len(self.formats) + len(self.codes) > _MOST_STYLES

    def end(self, tag: str) -> None:
        """The styles of cells are over."""
        if tag == "cellXfs":
            self.within = False


def _strings(package: Package, relations: dict[str, tuple[str, str]]) -> list[str]:
    reader = _Strings()
    part = _part(relations, "sharedStrings")
    if part in package:
        package.scan(part, reader)
    return reader.found


def _kinds(package: Package, relations: dict[str, tuple[str, str]]) -> list[FormatKind]:
    reader = _Styles()
    part = _part(relations, "styles")
    if part in package:
        package.scan(part, reader)
    return [kind_of(number, reader.codes) for number in reader.formats]


def _part(relations: dict[str, tuple[str, str]], wanted: str) -> str:
    return next((part for kind, part in relations.values() if kind == wanted), "")


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else 0


def too_many() -> FileError:
    """The error of a file with more content than any directory has."""
    return FileError(
        f"文件内容超过 {MOST_CELLS:,} 个单元格，无法读取；请拆分后分次导入",
        f"the file has more than {MOST_CELLS:,} cells with content; divide it and import the parts one by one",
    )


__all__ = ["broken", "read_xlsx", "too_many"]
