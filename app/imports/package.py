"""The ZIP file that an XLSX workbook is: opened within bounds, so that a small file cannot fill the memory."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any
from xml.parsers import expat

from app.imports.grid import FileError

MOST_UNPACKED = 128 * 1024 * 1024
"""Bytes of all parts together."""
MOST_PARTS = 4_000
_PIECE = 64 * 1024
_BROKEN = (
    expat.ExpatError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What the readers of ZIP and XML raise for bytes that are none."""
Attributes = dict[str, str]
Start = Callable[[str, Attributes], None]


class Package:
    """The parts of a workbook by name. Raises `FileError` for what is no such file, is broken or too large."""

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except _BROKEN as error:
            raise broken() from error
        parts = self._zip.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
            raise FileError(
                f"文件解开后超过 {MOST_UNPACKED // 2**20} MB，无法读取；请把需要的工作表另存为新文件",
                f"the file unpacks to more than {MOST_UNPACKED // 2**20} MB; save what is needed of it as a new one",
            )
        if any(part.flag_bits & 1 for part in parts):
            raise encrypted()
        # Names within a package do not tell upper from lower case (ECMA-376 part 2, 6.2.2.3).
        self._names = {part.filename.lstrip("/").lower(): part for part in parts}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def scan(self, name: str, handler: Any) -> None:
        """Run the XML of a part through `handler`: `start(tag, attributes)`, `end(tag)`, `text(data)`, and `done`.

        Tags come without their namespace. Reading stops as soon as `handler.done` is true.
        """
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = lambda tag, given: handler.start(tag.rpartition("}")[2], _local(given))
        parser.EndElementHandler = lambda tag: handler.end(tag.rpartition("}")[2])
        parser.CharacterDataHandler = handler.text
        parser.StartDoctypeDeclHandler = _no_doctype
        try:
            with self._zip.open(self._names[name.lower()]) as part:
                while not handler.done:
                    piece = part.read(_PIECE)
                    parser.Parse(piece, not piece)
                    if not piece:
                        return
        except FileError:
            raise
        except _BROKEN as error:
            raise broken() from error


def _local(given: Attributes) -> Attributes:
    return {name.rpartition("}")[2]: value for name, value in given.items()}


def _no_doctype(*_: object) -> None:
    # No spreadsheet program writes one; entities are what attacks on XML readers are made of.
    raise broken()


def broken() -> FileError:
    """The error of a file that is damaged."""
    return FileError(
        "文件已损坏或不完整，无法读取；请重新导出或在 Excel/WPS 中打开后另存为 .xlsx",
        "the file is damaged or incomplete; export it again, or open it in Excel or WPS and save it as .xlsx",
    )


def encrypted() -> FileError:
    """The error of a file with a password."""
    return FileError(
        "文件设有打开密码，无法读取；请在 Excel/WPS 中取消密码后再导入",
        "the file has a password; open it in Excel or WPS, remove the password, and save it",
    )
