"""No cell of a table is ever a formula, or a number that was none, whatever stands in it."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

import openpyxl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.tables.cells import FORMULA, Column, clean, for_csv, from_csv, mask_mobiles
from app.tables.delimited import DelimitedFile
from app.tables.workbook import Layout, WorkbookFile

TEXTS = st.text(max_size=60) | st.from_regex(
    r"[ \t\r\n]?[=+\-@＝＋－＠]?[0-9A-Z().,!|'\" ]{0,20}", fullmatch=True
)
ATTACKS = [
    "=1+1",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1+1",
    "=cmd|' /C calc'!A0",
    "'=1",
]


def _read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@given(TEXTS)
@example("13800000000")
@example("00010")
@example("1-2")
@example("'=1")
def test_a_csv_cell_is_no_formula_and_reads_back(text: str) -> None:
    written = for_csv(text)
    assert not written or written[0] not in FORMULA + "\t\r\n"
    assert from_csv(written) == clean(text)
    target = io.StringIO(newline="")
    table = DelimitedFile(target, [Column("a", "甲", 9), Column("b", "乙", 9)], [("导出人", text)])
    table.add([text, 3])
    table.finish()
    raw = target.getvalue()
    rows = _read(raw)
    assert rows[1] == ["甲", "乙"]
    assert [from_csv(rows[2][0]), rows[2][1]] == [clean(text), "3"]
    assert all(not row[0] or row[0][0] not in FORMULA + "\t" for row in rows)
    assert raw.startswith("\ufeff")
    assert raw.endswith('"# 共 1 行"\r\n')


def test_attacks_are_neutralised_and_long_digits_stay() -> None:
    for attack in ATTACKS:
        assert for_csv(attack).startswith("'")
    for digits in ("13800000000", "00010", "1E5", "2026-11-26", "12:30", "010 6309 6898", "1,000"):
        assert for_csv(digits) == digits + "\t"
    for plain in ("云溪县水利局", "0000-5550101a", "未核实", "—"):
        assert for_csv(plain) == plain
    assert for_csv(6.04) == "6.0"
    assert for_csv(13800000000) == "13800000000"
    assert for_csv(datetime(2026, 11, 26, 9, 5, 3)) == "2026-11-26 09:05:03"


def test_mobile_numbers_are_masked_and_landlines_are_not() -> None:
    assert mask_mobiles("转至 13912345678，又 139-1234-5678") == "转至 139****5678，又 139****5678"
    for other in ("0954-2034567", "010-63096898", "录音1391234567890", "12345"):
        assert mask_mobiles(other) == other


@settings(max_examples=40)
@given(st.lists(TEXTS, min_size=1, max_size=4))
@example(ATTACKS)
def test_a_workbook_cell_is_always_text(tmp_path_factory: object, texts: list[str]) -> None:
    folder = Path(str(tmp_path_factory.getbasetemp()))  # type: ignore[attr-defined]
    path = folder / "cells.xlsx"
    columns = [Column("n", "序号", 6, "whole"), Column("t", "文", 9)]
    book = WorkbookFile(path, Layout("标题", columns, watermark=texts[0], about=[("导出人", texts[0])]))
    for number, text in enumerate(texts, 1):
        book.add([number, text])
    book.finish()
    sheet = openpyxl.load_workbook(path)["表"]
    for number, text in enumerate(texts, 1):
        cell = sheet.cell(3 + number, 2)
        # openpyxl takes text that begins with = for a formula: it must be stored as a string, not as one.
        assert cell.data_type in ("s", "inlineStr", "n" if not clean(text) else "s")
        assert (cell.value or "") == clean(text)
