"""Opens whatever file is brought, or says what to do with it."""

from __future__ import annotations

from pathlib import PurePath

from app.imports.csv_file import read_csv
from app.imports.grid import FileError, Workbook
from app.imports.package import encrypted
from app.imports.xlsx import read_xlsx

LARGEST_FILE = 20 * 1024 * 1024
"""Bytes."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Of compound files: .xls, .et, and workbooks with a password ([MS-CFB] 2.2)."""
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def open_file(content: bytes, name: str) -> Workbook:
    """Read a workbook or a CSV file, told apart by what is in it. Raises `FileError`."""
    if not content.strip(b"\0 \r\n\t"):
        raise FileError("文件是空的", "the file is empty")
    if len(content) > LARGEST_FILE:
        raise FileError(
            f"文件超过 {LARGEST_FILE // 2**20} MB，无法导入；请拆分后分次导入",
            f"the file is larger than {LARGEST_FILE // 2**20} MB; divide it and import the parts one by one",
        )
    if content.startswith(_OLE):
        raise _compound(content)
    if content.startswith(b"PK"):
        return read_xlsx(content)
    _refuse_markup(content)
    return read_csv(content, PurePath(name.replace("\\", "/")).stem[:80] or "CSV")


def _compound(content: bytes) -> FileError:
    if _ENCRYPTED in content:
        return encrypted()
    return FileError(
        "这是旧版 .xls（或 WPS .et）文件，无法读取；请在 Excel/WPS 中打开，另存为 .xlsx 后再导入",
        "this is an old .xls (or WPS .et) file; open it in Excel or WPS and save it as .xlsx",
    )


def _refuse_markup(content: bytes) -> None:
    """Web pages and XML tables are often named .xls; read as CSV they would give nonsense."""
    start = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:200].lower()
    if start.startswith((b"<html", b"<!doctype", b"<table", b"<?xml", b"<meta")):
        raise FileError(
            "这是网页或 XML 格式的表格，不是真正的 Excel 文件；请在 Excel/WPS 中打开，另存为 .xlsx 后再导入",
            "this is a web page or XML table, no Excel workbook; open it in Excel or WPS and save it as .xlsx",
        )
    if start.startswith(b"%pdf"):
        raise FileError(
            "这是 PDF 文件，无法导入；请用 .xlsx 或 .csv 文件",
            "this is a PDF; it takes an .xlsx or .csv file",
        )
