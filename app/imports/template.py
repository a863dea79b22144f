"""Writes the empty workbook that units fill in: every sheet with its headings, and a remark on each column."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import xlsxwriter

from app.imports.columns import GUIDE, LAYOUTS, Column, Layout
from app.imports.values import first_word
from app.imports.writing import WORDS

ROWS = 1_000
"""How far down the lists of words are offered."""
_MADE = datetime(2026, 1, 1)
"""So that the file is the same each time."""
_NEEDED = "（必填）"
REMARKS: Mapping[str, str] = {
    "code": "字母、数字、_ . -，如 C01-02；留空则按单位名称对应，新单位自动编码",
    "unit": "与“单位”表一致；只填单位名称也可",
    "unit_name": "与“单位”表一致；编码和名称填一项即可",
    "parent": "上级单位的编码或名称；没有上级的留空",
    "kind": "自定的分组，如 镇街、县直部门；抽查计划可按分组选取",
    "handover": "交接班时间，如 08:00、18:00；前后 15 分钟不抽查",
    "first_day": "如 2026-01-01",
    "last_day": "如 2026-12-31，含当日；一直有效的留空",
    "number": "按通讯录书写，如 0917-3212345、3212345转8012；设为文本格式，免得丢 0",
    "target": "只有实际拨打的号码与值班电话不同才填",
    "trunk": "本系统的中继名称；一般留空",
    "active": "是 或 否；留空为是",
    "shared": "综合值班室：同用这条线路的其他单位，以、分隔",
    "pilots": "总机或引示号，以、分隔",
    "phone": "手机或办公电话",
    "title": "职务",
    "day": "如 2026-01-05",
    "start": "如 08:00",
    "end": "如 18:00；次日写作 次日08:00",
    "first": "如 2026-01-05 或 2026-01-05 08:00",
    "last": "如 2026-01-05 或 2026-01-05 18:00；未定的留空",
    "reason": "豁免的理由",
    "sensitive": "是 或 否",
    "note": "备注",
}


@lru_cache(maxsize=1)
def template() -> bytes:
    """Return the XLSX file. An import of it as it is does nothing."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        book.set_properties({"title": "DutyRing", "created": _MADE})
        head = book.add_format({"bold": True, "num_format": "@", "bg_color": "#DDE6EE", "bottom": 1})
        forms = {
            "text": book.add_format({"num_format": "@"}),
            "day": book.add_format({"num_format": "yyyy-mm-dd"}),
            "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        }
        layouts = [layout for layout in LAYOUTS if layout.kind != "book"]
        for layout in layouts:
            _sheet(book, layout, head, forms)
        _guide(book, layouts, head, forms)
    return target.getvalue()


def remark(layout: Layout, column: Column) -> str:
    """What is said of a column."""
    words = WORDS.get((layout.kind, column.key))
    if words is None:
        return REMARKS.get(column.key, "")
    return "可填：" + "、".join(_usual(words))


def _usual(words: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(first_word(words, meant) for meant in words.values()))


def _sheet(book: Any, layout: Layout, head: Any, forms: Mapping[str, Any]) -> None:
    sheet = book.add_worksheet(layout.title)
    for number, column in enumerate(_shown(layout)):
        heading = column.names[0] + (_NEEDED if column.needed else "")
        sheet.set_column(number, number, max(column.width, 2 * len(heading)), forms[column.form])
        sheet.write_string(0, number, heading, head)
        said = remark(layout, column)
        if said:
            sheet.write_comment(0, number, said, {"x_scale": 1.6, "author": ""})
        words = WORDS.get((layout.kind, column.key))
        if words is not None:
            sheet.data_validation(
                1,
                number,
                ROWS,
                number,
                {"validate": "list", "source": _usual(words), "error_type": "warning"},
            )
    sheet.freeze_panes(1, 0)


def _guide(book: Any, layouts: list[Layout], head: Any, forms: Mapping[str, Any]) -> None:
    sheet = book.add_worksheet(GUIDE)
    for number, (heading, width) in enumerate((("表", 12), ("栏", 14), ("必填", 8), ("怎样填", 80))):
        sheet.set_column(number, number, width, forms["wrap"])
        sheet.write_string(0, number, heading, head)
    row = 0
    for layout in layouts:
        for column in _shown(layout):
            row += 1
            cells = (layout.title, column.names[0], "是" if column.needed else "", remark(layout, column))
            for number, text in enumerate(cells):
                sheet.write_string(row, number, text, forms["wrap"])
    sheet.freeze_panes(1, 0)


def _shown(layout: Layout) -> list[Column]:
    return [column for column in layout.columns if column.exported]
