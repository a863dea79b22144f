"""Whatever stands in the cells, a preview comes of it and never a failure."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.exceptions import IllegalCharacterError

from app.directory.lines import Dialling
from app.imports.catalogue import CATALOGUE
from app.imports.changes import Comparison
from app.imports.columns import LAYOUTS
from app.imports.comparing import weigh
from app.imports.grid import FileError
from app.imports.moments import read_clock, read_day, read_period
from app.imports.reading import read
from app.imports.stored import Snapshot
from app.imports.telling import case_told
from sip.guard import DialPolicy

ZONE = ZoneInfo("Asia/Shanghai")
MAY = Dialling(DialPolicy.open(), frozenset())
NUMBERS = st.sampled_from(
    [
        "3212345",
        "0917-3212345",
        "3212345转8012",
        "-806",
        "转8012",
        "总机转",
        "32l2345",
        "110",
        "sip:1@x",
        "１２３",
        "清空",
    ]
)
WORDS = st.sampled_from(
    ["城关镇", "水利局", "C01", "是", "否", "县区", "在岗", "无", "双带班", "值班员", "带班领导", "工作日", "彩铃",
     "8:00-18:00", "次日8:00", "24:00", "2026年1月5日", "1月5日", "2026/13/40", "张三、李四", "", " ", "C02", "传真"]
)  # fmt: skip
ODD = st.one_of(
    st.none(),
    WORDS,
    NUMBERS,
    st.text(max_size=12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(10**20), 10**20),
    st.booleans(),
    st.dates(date(1901, 1, 1), date(9999, 12, 31)),
    st.datetimes(datetime(1901, 1, 1), datetime(9999, 12, 31)),
    st.times(),
    st.just("=A1+1"),
)


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[str, list[list[Any]], list[str]]]:
    """Sheets with true headings, some of them twice or missing, and odd cells below."""
    found = []
    for layout in draw(
        st.lists(st.sampled_from(LAYOUTS), min_size=1, max_size=3, unique_by=lambda each: each.kind)
    ):
        needed = [
            column.names[0]
            for column in layout.columns
            if column.needed or column.key in ("unit_name", "kind")
        ]
        names = [name for column in layout.columns for name in column.names]
        headings = needed + draw(st.lists(st.sampled_from(names), max_size=6))
        rows = draw(st.lists(st.lists(ODD, max_size=len(headings)), max_size=6))
        merges = draw(st.lists(st.sampled_from(["A2:A4", "A2:C2", "B3:B9", "A1:C1"]), max_size=2))
        found.append((layout.title, [headings, *rows], merges))
    return found


def weighed(content: bytes, name: str) -> Comparison | None:
    try:
        preview = read(content, name)
    except FileError:
        return None
    return weigh(preview, Snapshot(ZONE), MAY, date(2026, 1, 3))


def hold(case: Comparison) -> None:
    """Everything that is said can be said, and nothing is to be entered that was not read."""
    told = case_told(case)
    assert len(told["digest"]) == 64
    for finding in case.findings.all:
        assert finding.code in CATALOGUE
        assert len(finding.value) <= 60
        assert all("{" not in text for language in ("zh", "en") for text in finding.said(language))  # type: ignore[arg-type]
    assert told["importable"] == (bool(case.changes) and case.findings.errors == 0)
    for change in case.changes:
        assert change.action == "add"
        assert change.kind == "days" or change.unit is not None


@settings(max_examples=40, deadline=None)
@given(sheets=tables())
def test_a_workbook_of_odd_cells_gives_a_preview(
    sheets: list[tuple[str, list[list[Any]], list[str]]],
) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows, merges in sheets:
        sheet = book.create_sheet(title)
        for number, row in enumerate(rows, 1):
            for column, value in enumerate(row, 1):
                try:
                    sheet.cell(number, column).value = value
                except (IllegalCharacterError, ValueError):
                    sheet.cell(number, column).value = "x"
        for merge in merges:
            sheet.merged_cells.add(merge)
    target = io.BytesIO()
    book.save(target)
    case = weighed(target.getvalue(), "x.xlsx")
    assert case is not None
    hold(case)


@settings(max_examples=60, deadline=None)
@given(sheets=tables(), encoding=st.sampled_from(["utf-8", "gb18030", "utf-16"]))
def test_a_csv_of_odd_cells_gives_a_preview(
    sheets: list[tuple[str, list[list[Any]], list[str]]], encoding: str
) -> None:
    title, rows, _ = sheets[0]
    target = io.StringIO(newline="")
    csv.writer(target).writerows([["" if value is None else value for value in row] for row in rows])
    text = target.getvalue().replace("\0", "")
    case = weighed(text.encode(encoding, errors="replace"), f"{title}.csv")
    if case is not None:
        hold(case)


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=400),
    start=st.sampled_from([b"", b"PK\x03\x04", b"\xef\xbb\xbf", b"\xff\xfe", b"\xd0\xcf"]),
)
def test_any_bytes_are_read_or_refused(content: bytes, start: bytes) -> None:
    case = weighed(start + content, "x.csv")
    if case is not None:
        hold(case)


@settings(max_examples=40, deadline=None)
@given(place=st.floats(0, 1), flipped=st.integers(1, 255), length=st.floats(0, 1))
def test_a_damaged_workbook_is_read_or_refused(place: float, flipped: int, length: float) -> None:
    whole = bytearray(_whole())
    whole[int(place * (len(whole) - 1))] ^= flipped
    for content in (bytes(whole), bytes(whole[: int(length * len(whole))])):
        case = weighed(content, "x.xlsx")
        if case is not None:
            hold(case)


def _whole() -> bytes:
    book = openpyxl.Workbook()
    book.properties.created = book.properties.modified = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    book.active.title = "通讯录"
    book.active.append(["单位", "值班电话"])
    book.active.append(["城关镇", "0917-3212345"])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


@settings(max_examples=100, deadline=None)
@given(
    day=st.dates(date(1970, 1, 1), date(2200, 12, 31)),
    form=st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%Y%m%d", "%Y.%m.%d"]),
)
def test_every_day_is_read_from_every_way_of_writing_it(day: date, form: str) -> None:
    assert read_day(day.strftime(form)) == day
    assert read_day(float((day - date(1899, 12, 30)).days)) == day


@settings(max_examples=100, deadline=None)
@given(start=st.times(), end=st.times())
def test_every_period_is_read_and_lasts_at_most_a_day(start: time, end: time) -> None:
    first, last = read_period(f"{start:%H:%M}-{end:%H:%M}")
    assert 0 < (last - first).total_seconds() <= 24 * 3600
    assert first == read_clock(f"{start:%H:%M}")
