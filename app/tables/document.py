"""Word documents: A4, Chinese type faces by name (none comes with the product), text that is never markup."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
BODY, HEADING = "仿宋_GB2312", "方正小标宋简体"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def begin(watermark: str) -> Any:
    """A document of A4 pages with the watermark in head and foot, and the number of the page."""
    made = Document()
    section = made.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.4)
    section.top_margin = section.bottom_margin = Cm(2.4)
    style = made.styles["Normal"]
    style.font.name, style.font.size = BODY, Pt(14)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), BODY)
    for place in (section.header, section.footer):
        _run(place.paragraphs[0], watermark, 9)
    foot = section.footer.add_paragraph()
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _page_number(foot)
    return made


def title(made: Any, text: str) -> None:
    """The title, centred."""
    paragraph = made.add_paragraph()
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = _run(paragraph, text, 20)
    run.font.name = HEADING
    run._element.rPr.rFonts.set(qn("w:eastAsia"), HEADING)


def heading(made: Any, text: str) -> None:
    """The head of a part."""
    _run(made.add_paragraph(), text, 14, bold=True)


def line(made: Any, text: str, size: int = 12) -> None:
    """A line of text."""
    paragraph = made.add_paragraph()
    paragraph.paragraph_format.space_after = Pt(3)
    _run(paragraph, text, size)


def table(made: Any, rows: Sequence[Sequence[str]], widths_cm: Sequence[float], *, head: bool = True) -> Any:
    """A table with these cells; the first row is its head, printed again on each page."""
    found = made.add_table(rows=len(rows), cols=len(widths_cm))
    found.style = "Table Grid"
    found.autofit = False
    for number, cells in enumerate(rows):
        for place, text in enumerate(cells):
            cell = found.cell(number, place)
            cell.width = Cm(widths_cm[place])
            _run(cell.paragraphs[0], text, 11, bold=head and number == 0)
    if head and rows:
        mark = OxmlElement("w:tblHeader")
        mark.set(qn("w:val"), "true")
        found.rows[0]._tr.get_or_add_trPr().append(mark)
    return found


def save(made: Any) -> bytes:
    """The document as a file."""
    target = io.BytesIO()
    made.save(target)
    return target.getvalue()


def _run(paragraph: Any, text: str, size: int, *, bold: bool = False) -> Any:
    run = paragraph.add_run(_NO_XML.sub("", text))
    run.font.size, run.font.bold = Pt(size), bold
    return run


def _page_number(paragraph: Any) -> None:
    for kind, text in (("begin", ""), ("", "PAGE"), ("end", "")):
        run = _run(paragraph, "", 9)
        if kind:
            mark = OxmlElement("w:fldChar")
            mark.set(qn("w:fldCharType"), kind)
        else:
            mark = OxmlElement("w:instrText")
            mark.text = text
        run._element.append(mark)
