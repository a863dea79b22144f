"""Inspection forms and summaries as documents and tables."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from app.reports.exporting import Maker
from app.reports.figures import Rate
from app.reports.inspection import Inspection
from app.reports.summary import Summary
from app.tables import document
from app.tables.cells import Column, Value
from app.tables.delimited import DelimitedFile
from app.tables.workbook import Layout, WorkbookFile

FORM_TITLE = "值班工作检查记录表"
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f]')
SUMMARY_COLUMNS = (
    Column("part", "部分", 18),
    Column("item", "项目", 34),
    Column("count", "次数", 10, "whole"),
    Column("n", "基数 n", 10, "whole"),
    Column("share", "比例（%）", 12, "tenths"),
    Column("low", "95%区间下限（%）", 14, "tenths"),
    Column("high", "95%区间上限（%）", 14, "tenths"),
)
NOTHING = "—"


def mark(maker: Maker, zone: ZoneInfo) -> str:
    """The line in head and foot: who made it, and when."""
    return f"{maker.who} {maker.at.astimezone(zone):%Y-%m-%d %H:%M} 导出 内部资料 请勿外传"


def inspection_document(found: Inspection, maker: Maker, zone: ZoneInfo) -> bytes:
    """The form of one unit."""
    made = document.begin(mark(maker, zone))
    document.title(made, FORM_TITLE)
    document.line(made, f"受检单位：{found.unit}")
    document.line(made, f"检查人：{found.inspectors}　　检查时间：{found.days.text}")
    rows = [["检查内容", "", "", "检查情况"]]
    rows += [["", "", item.question, item.answer] for item in found.items]
    table = document.table(made, rows, (2.0, 2.4, 5.2, 6.6))
    table.cell(0, 0).merge(table.cell(0, 2))
    for depth, attribute in ((0, "part"), (1, "group")):
        for text, span in _spans([getattr(item, attribute) for item in found.items]):
            top, bottom = table.cell(span[0] + 1, depth), table.cell(span[1] + 1, depth)
            cell = top.merge(bottom)
            cell.text = ""
            cell.paragraphs[0].add_run(text)
    for text in found.beside:
        document.line(made, f"备注：{text}", 11)
    document.line(
        made, "检查人（签名）：____________　　受检单位（签名）：____________　　日期：____年__月__日"
    )
    return document.save(made)


def _spans(texts: Sequence[str]) -> list[tuple[str, tuple[int, int]]]:
    """Stretches of the same text with their first and last place."""
    found, place = [], 0
    for text, run in groupby(texts):
        count = len(list(run))
        found.append((text, (place, place + count - 1)))
        place += count
    return found


def file_name(text: str) -> str:
    """Text as part of a file's name, in every system."""
    return _UNSAFE.sub("_", text).strip(". ")[:80] or "_"


def inspections_zip(forms: Sequence[tuple[str, bytes]], told: str, at: datetime) -> bytes:
    """Many forms in one file; `told` stands beside them: who, when, which units."""
    target = io.BytesIO()
    stamp = at.timetuple()[:6]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for number, (unit, content) in enumerate(forms, 1):
            name = f"{number:03}-{file_name(unit)}-{FORM_TITLE}.docx"
            made.writestr(zipfile.ZipInfo(name, stamp), content)
        made.writestr(zipfile.ZipInfo("导出说明.txt", stamp), told)
    return target.getvalue()


def summary_rows(found: Summary) -> list[list[Value]]:
    """The figures of a period, one a row."""
    rows: list[list[Value]] = []

    def count(part: str, item: str, number: int) -> None:
        rows.append([part, item, number, NOTHING, NOTHING, NOTHING, NOTHING])

    def rate(part: str, item: str, figure: Rate) -> None:
        share, interval = figure.share, figure.interval
        if share is None or interval is None:
            rows.append([part, item, figure.count, 0, "未核实", "未核实", "未核实"])
            return
        parts = [round(value * 100, 1) for value in (share, *interval)]
        rows.append([part, item, figure.count, figure.n, *parts])

    total = "总数"
    count(total, "计划抽查（已结束）", found.by_kind["random"])
    count(total, "指定抽查（已结束）", found.by_kind["designated"])
    count(total, "核号", found.by_kind["verification"])
    count(total, "未拨出（错过或撤销）", found.not_called)
    count(total, "计划抽查中因我方原因不计", found.spoilt)
    count(total, "计入的计划抽查 n", found.n)
    for name, figure in (
        ("无异常的接听（含补拨接听）", found.answered),
        ("三声内（含临界）接听", found.three_rings),
        ("有已认定问题", found.found),
    ):
        rate("比例", name, figure)
    for name, figure in found.rings:
        rate("接听响铃时长", name, figure)
    count("接听响铃时长", "另有事项未认定、不计入分布的通话", found.rings_open)
    for name, figure in found.days:
        rate("按日期种类（有已认定问题）", name, figure)
    for _, name, figure in found.outcomes:
        rate("按结果（机器拟认定）", name, figure)
    for name, drawn, beside in found.findings:
        count("已认定问题（计划抽查）", name, drawn)
        count("已认定问题（指定抽查、人工补录，不计入比例）", name, beside)
    # All units are counted, not drawn: there is no interval.
    share = found.covered.share
    percent = "未核实" if share is None else round(share * 100, 1)
    rows.append(["覆盖", "有计入抽查的单位", found.covered.count, found.covered.n, percent, NOTHING, NOTHING])
    for unit in found.repeated:
        count("屡次（已认定）", f"{unit.name}：{unit.codes}", unit.checks)
    return rows


def summary_layout(found: Summary, maker: Maker, zone: ZoneInfo) -> Layout:
    """The head of the table of a period."""
    local = maker.at.astimezone(zone)
    span = f"{found.first:%Y-%m-%d} 至 {found.last:%Y-%m-%d}"
    return Layout(
        title="值班电话抽查期间汇总",
        columns=SUMMARY_COLUMNS,
        under=f"期间：{span}　单位：{found.unit or '全部'}　制表人：{maker.who}　制表时间：{local:%Y-%m-%d %H:%M}",
        watermark=mark(maker, zone),
        about=(
            ("导出人", maker.who),
            ("导出时间", f"{local:%Y-%m-%d %H:%M:%S}"),
            ("筛选条件", maker.told),
            ("口径", RULES),
        ),
    )


RULES = (
    "比例只计计划抽查中已结束、已判定且不因我方原因作废的；95%区间为 Wilson 区间；"
    "问题只计具名督查人员已认定的；“按结果”一栏为机器拟认定，未经人认定"
)


def write_summary(path: Path, form: str, found: Summary, maker: Maker, zone: ZoneInfo) -> int:
    """Write the summary as `xlsx`, `csv` or `docx`; return its rows."""
    rows = summary_rows(found)
    layout = summary_layout(found, maker, zone)
    if form == "docx":
        path.write_bytes(_summary_document(layout, rows))
        return len(rows)
    if form == "csv":
        with path.open("w", encoding="utf-8", newline="") as target:
            table = DelimitedFile(target, layout.columns, [("表名", layout.title), *layout.about])
            for row in rows:
                table.add(row)
            table.finish()
        return len(rows)
    book = WorkbookFile(path, layout)
    for row in rows:
        book.add(row)
    book.finish([f"导出人：{maker.who}"])
    return len(rows)


def _summary_document(layout: Layout, rows: Sequence[Sequence[Value]]) -> bytes:
    made = document.begin(layout.watermark)
    document.title(made, layout.title)
    document.line(made, layout.under)
    for part, run in groupby(rows, key=lambda row: row[0]):
        document.heading(made, str(part))
        cells = [[column.name for column in layout.columns[1:]]]
        cells += [[_text(value) for value in row[1:]] for row in run]
        document.table(made, cells, (5.6, 1.8, 1.8, 2.2, 2.4, 2.4))
    document.line(made, f"口径：{RULES}", 11)
    document.line(made, f"筛选条件：{dict(layout.about)['筛选条件']}", 11)
    return document.save(made)


def _text(value: Value) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
