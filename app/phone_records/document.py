"""A phone record as a Word document: A4, the fields of the sample form, in 仿宋_GB2312, which comes with no product."""

from __future__ import annotations

import io
import re
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

from app.phone_records import form
from app.phone_records.sheet import Line, Sheet

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
FONT = "仿宋_GB2312"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may have."""


def document(sheet: Sheet) -> bytes:
    """Return the document. Whatever stands in the fields is text, never markup."""
    made = Document()
    _set_up(made)
    _add(made, sheet.title, size=22, bold=True, align=WD_ALIGN_PARAGRAPH.CENTER)
    corrects = f"　更正：{sheet.corrects}" if sheet.corrects else ""
    _add(made, f"编号：{sheet.number}　{sheet.source}{corrects}　签认：{sheet.state}", size=12)
    _add(made, f"{sheet.office}　　　　{sheet.day}", align=WD_ALIGN_PARAGRAPH.RIGHT)
    for line in sheet.lines:
        _add(made, _text(line))
    for line in (sheet.opinion, sheet.content):
        _add(made, _text(Line(line.label, "", line.unchecked)))
        for part in line.value.splitlines() or [""]:
            _add(made, part)
    if sheet.sha256:
        _add(made, f"签认内容 SHA-256：{sheet.sha256}", size=9)
    else:
        _add(made, f"本件{form.UNSIGNED}，不作依据。", size=12)
    target = io.BytesIO()
    made.save(target)
    return target.getvalue()


def _text(line: Line) -> str:
    mark = f"（{form.UNCHECKED}）" if line.unchecked else ""
    return f"{line.label}：{line.value}{mark}"


def _set_up(made: Any) -> None:
    section = made.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.7)
    section.top_margin = section.bottom_margin = Cm(2.5)
    style = made.styles["Normal"]
    style.font.name, style.font.size = FONT, Pt(16)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), FONT)


def _add(made: Any, text: str, *, size: int = 16, bold: bool = False, align: Any = None) -> None:
    paragraph = made.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(4)
    if align is not None:
        paragraph.alignment = align
    run = paragraph.add_run(_NO_XML.sub("", text))
    run.font.size, run.font.bold = Pt(size), bold
