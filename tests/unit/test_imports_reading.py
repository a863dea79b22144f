"""What is read of workbooks and CSV files as offices have them, and what is said of each bad cell."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from app.imports import sheet_xml
from app.imports.grid import FileError
from app.imports.package import MOST_UNPACKED
from app.imports.reading import read
from app.imports.records import Preview, Row

BOOK = ["单位", "值班电话"]


def workbook(rows: list[list[Any]], title: str = "通讯录") -> tuple[openpyxl.Workbook, Any]:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    return book, sheet


def saved(book: openpyxl.Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def table(*rows: list[Any], title: str = "通讯录") -> Preview:
    return read(saved(workbook(list(rows), title)[0]), "名录.xlsx")


def said(preview: Preview) -> list[tuple[str, str, str]]:
    return [(each.code, each.cell, each.value) for each in preview.findings.all]


def of_kind(preview: Preview, kind: str) -> list[Row]:
    return [row for row in preview.rows if row.kind == kind]


@pytest.mark.parametrize(
    ("cell", "number", "finding"),
    [
        ("0917-3262000", "0917-3262000", None),
        ("０９１７－３２６２０００", "0917-3262000", None),
        ("\u200b0917-3262000\u00a0", "0917-3262000", None),
        (3262000.0, "3262000", None),
        ("3262000.0", "3262000", None),
        ("总机3212345转8012", "总机3212345转8012", None),
        ("3212345-806", "3212345-806", None),
        ("转8012", "转8012", None),
        ("3212345\n3212346", ("3212345", "3212346"), None),
        ("3212345、3212346", ("3212345", "3212346"), None),
        (9173262000.0, "9173262000", "zero_lost"),
        (13912345678.0, "13912345678", "mobile_line"),
        ("32l2000", None, "bad_number"),
        ("3262OOO", None, "bad_number"),
        ("暂无", None, "bad_number"),
        ("1.39123E+10", None, "scientific"),
        (3262000.5, None, "scientific"),
        (1e20, None, "scientific"),
        ("119", None, "emergency"),
        ("=A2", None, "no_result"),
        (True, None, "bad_number"),
        (datetime(2026, 1, 5), None, "bad_number"),
        ("9" * 60, None, "too_long"),
    ],
)
def test_a_number_is_read_or_named(cell: Any, number: Any, finding: str | None) -> None:
    preview = table(BOOK, ["城关镇", cell])
    found = [(each.code, each.cell) for each in preview.findings.all]
    assert found == ([] if finding is None else [(finding, "B2")])
    lines = tuple(row.values["number"] for row in of_kind(preview, "lines") if not row.faulty)
    wanted = () if number is None else (number,) if isinstance(number, str) else number
    assert lines == wanted


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        (date(2026, 1, 5), date(2026, 1, 5)),
        ("2026/1/5", date(2026, 1, 5)),
        ("2026-01-05", date(2026, 1, 5)),
        ("2026.1.5", date(2026, 1, 5)),
        ("2026年1月5日", date(2026, 1, 5)),
        ("２０２６年１月５号（星期一）", date(2026, 1, 5)),
        ("2026-01-05 00:00:00", date(2026, 1, 5)),
        (46027.0, date(2026, 1, 5)),
        ("46027", date(2026, 1, 5)),
        (20260105.0, date(2026, 1, 5)),
        ("20260105", date(2026, 1, 5)),
        ("1月5日", "date_without_year"),
        ("26/1/5", "date_without_year"),
        ("1/5/2026", "date_without_year"),
        ("2026年2月30日", "bad_date"),
        ("下周一", "bad_date"),
        (7.0, "bad_date"),
        (time(8, 0), "bad_date"),
        ("1066-10-14", "date_range"),
    ],
)
def test_a_day_is_read_or_named(cell: Any, day: date | str) -> None:
    preview = table(["日期", "单位", "姓名", "时间"], [cell, "城关镇", "张三", "8:00-18:00"], title="值班表")
    if isinstance(day, str):
        assert [(each.code, each.cell) for each in preview.findings.all] == [(day, "A2")]
    else:
        assert said(preview) == []
        (row,) = preview.rows
        assert (row.values["day"], row.values["start"]) == (day, datetime.combine(day, time(8)))


@pytest.mark.parametrize(
    ("cell", "start", "end"),
    [
        ("8:00-18:00", "05 08:00", "05 18:00"),
        ("８：００～１８：００", "05 08:00", "05 18:00"),
        ("18:00—次日8:00", "05 18:00", "06 08:00"),
        ("18:00-8:00", "05 18:00", "06 08:00"),
        ("8:00至8:00", "05 08:00", "06 08:00"),
        ("上午8点半到下午6点", "05 08:30", "05 18:00"),
        ("8时30分-17时30分", "05 08:30", "05 17:30"),
        ("0:00-24:00", "05 00:00", "06 00:00"),
        ("全天", "05 00:00", "06 00:00"),
    ],
)
def test_a_period_is_read_across_midnight(cell: str, start: str, end: str) -> None:
    preview = table(["日期", "单位", "姓名", "时间"], ["2026-01-05", "城关镇", "张三", cell], title="值班表")
    (row,) = preview.rows
    assert said(preview) == []
    assert (f"{row.values['start']:%d %H:%M}", f"{row.values['end']:%d %H:%M}") == (start, end)


@pytest.mark.parametrize(
    ("start", "end", "finding"),
    [
        (time(8), time(18), None),
        ("18:00", "次日8:00", None),
        (0.75, 0.25, None),
        ("2026-01-05 20:00", "2026-01-07 08:00", None),
        ("25:00", "26:00", ("bad_time", "D2")),
        ("8:00", "2026-01-09 08:00", ("shift_length", "E2")),
        ("2026-01-06 08:00", "2026-01-06 18:00", ("shift_day", "E2")),
        ("8:00", None, ("empty", "E2")),
        ("白班", "夜班", ("bad_time", "D2")),
    ],
)
def test_a_shift_is_read_from_two_cells(start: Any, end: Any, finding: tuple[str, str] | None) -> None:
    preview = table(
        ["日期", "单位", "带班领导", "开始", "结束"],
        ["2026-01-05", "城关镇", "张三", start, end],
        title="一月",
    )
    assert preview.sheets[0].read_as == "带班表"
    found = [(each.code, each.cell) for each in preview.findings.all]
    assert found[:1] == ([] if finding is None else [finding])


def test_several_people_in_one_cell_are_one_shift_each() -> None:
    preview = table(
        ["日期", "单位", "值班人员", "手机", "时间"],
        ["2026-01-05", "城关镇", "张三、李四", "13912345678、13912345679", "8:00-18:00"],
        title="一月",
    )
    assert [(row.values["name"], row.values["phone"]) for row in preview.rows] == [
        ("张三", "13912345678"),
        ("李四", "13912345679"),
    ]


def test_only_the_merged_cells_of_the_unit_fill_the_rows_below() -> None:
    book, sheet = workbook(
        [BOOK, ["城关镇", "3212345"], [None, "3212346"], ["水利局", "3212347"], ["林业局", None]]
    )
    sheet.merge_cells("A2:A3")
    sheet.merge_cells("B4:B5")
    preview = read(saved(book), "x.xlsx")
    assert [row.values.get("unit_name") for row in of_kind(preview, "lines")] == [
        "城关镇",
        "城关镇",
        "水利局",
    ]
    assert said(preview) == [("merged", "B5", "B4")]


def handmade(sheet: bytes) -> bytes:
    """A workbook of one sheet 通讯录 with this XML."""
    relations = b'<Relationships><Relationship Id="r" Type="x/worksheet" Target="s.xml"/></Relationships>'
    outline = '<workbook xmlns:r="r"><sheets><sheet name="通讯录" r:id="r"/></sheets></workbook>'
    return zipped(
        **{"xl/workbook.xml": outline.encode(), "xl/_rels/workbook.xml.rels": relations, "xl/s.xml": sheet}
    )


def cell(text: str) -> str:
    return f'<c t="inlineStr"><is><t>{text}</t></is></c>'


def test_ranges_merged_over_a_whole_sheet_do_not_fill_the_memory() -> None:
    rows = f"<row>{cell('单位')}{cell('值班电话')}</row><row>{cell('城关镇')}{cell('3212345')}</row>"
    merged = '<mergeCell ref="A2:B1048576"/>' * 30
    xml = f"<worksheet><sheetData>{rows}</sheetData><mergeCells>{merged}</mergeCells></worksheet>"
    with pytest.raises(FileError, match="too many merged cells"):
        read(handmade(xml.encode()), "x.xlsx")
    far = (
        xml.replace(merged, "")
        .replace("<row>", '<row r="1048570">', 1)
        .replace("<c ", '<c r="XFD1048570" ', 1)
    )
    assert "sheet_unknown" not in {each.code for each in read(handmade(far.encode()), "x.xlsx").findings.all}


def test_what_is_hidden_is_named() -> None:
    book, sheet = workbook([[*BOOK, "传真"], ["城关镇", "3212345", None], ["水利局", "3212346", "3212349"]])
    sheet.row_dimensions[3].hidden = True
    sheet.column_dimensions["C"].hidden = True
    other = book.create_sheet("旧")
    other.append(BOOK)
    other.sheet_state = "hidden"
    preview = read(saved(book), "x.xlsx")
    assert {(each.code, each.sheet, each.cell) for each in preview.findings.all} == {
        ("rows_hidden", "通讯录", "3"),
        ("column_hidden", "通讯录", "C1"),
        ("sheet_hidden", "旧", ""),
    }
    assert len(of_kind(preview, "lines")) == 3


def test_a_formula_is_read_by_its_saved_result() -> None:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        sheet = book.add_worksheet("通讯录")
        sheet.write_row(0, 0, BOOK)
        sheet.write_row(1, 0, ["城关镇"])
        sheet.write_formula(1, 1, '="0917-"&"3212345"', None, "0917-3212345")
    preview = read(target.getvalue(), "x.xlsx")
    assert said(preview) == []
    assert of_kind(preview, "lines")[0].values["number"] == "0917-3212345"


def test_headings_are_found_below_a_title_in_any_order_and_under_other_names() -> None:
    preview = table(
        ["云溪县值班电话一览表", None, None],
        ["（2026年1月）", None, None],
        [],
        ["序号", "联系电话（必填）", "电 话*", "单位 全称", "微信群", "带班领导", "职务", "手机"],
        [1, None, "3212345", "城关镇", "x", "张三", "镇长", "13912345678"],
        [],
        [2, None, "3212346", "水利局", "y", None, None, None],
        title="Sheet1",
    )
    assert (preview.sheets[0].read_as, preview.sheets[0].heading_row, preview.sheets[0].rows) == (
        "通讯录",
        4,
        2,
    )
    assert said(preview) == [
        ("heading_unknown", "B4", "联系电话（必填）"),
        ("heading_unknown", "E4", "微信群"),
    ]
    (person,) = of_kind(preview, "people")
    assert person.values == {
        "unit_name": "城关镇", "name": "张三", "role": "leader", "title": "镇长", "phone": "13912345678",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("title", "rows", "finding"),
    [
        ("线路", [["单位", "备用"], ["城关镇", "x"]], ("heading_missing", "1", "")),
        ("随便", [["a", "b"], [1, 2]], ("sheet_unknown", "", "")),
        ("线路", [], ("no_rows", "", "")),
        ("线路", [["单位", "值班电话", "线路类型"]], ("no_rows", "", "")),
    ],
)
def test_a_sheet_that_cannot_be_read_is_named(
    title: str, rows: list[list[Any]], finding: tuple[str, str, str]
) -> None:
    assert said(table(*rows, title=title))[0] == finding


def test_a_heading_twice_and_an_empty_needed_cell_are_named() -> None:
    preview = table([*BOOK, "电话"], ["城关镇", None, "3212345"], [None, "3212346", None])
    assert said(preview) == [("heading_twice", "C1", "电话"), ("empty", "B2", ""), ("empty", "A3", "")]


@pytest.mark.parametrize(
    ("encoding", "mark", "separator", "told"),
    [
        ("utf-8", b"", ",", "utf-8"),
        ("utf-8", b"\xef\xbb\xbf", ",", "utf-8"),
        ("gbk", b"", ",", "gb18030"),
        ("gb18030", b"", ";", "gb18030"),
        ("utf-16-le", b"\xff\xfe", "\t", "utf-16-le"),
    ],
)
def test_csv_is_read_in_every_encoding_that_offices_save(
    encoding: str, mark: bytes, separator: str, told: str
) -> None:
    text = f'单位{separator}值班电话\r\n"城关镇{separator}二所"{separator}0917-3212345\r\n\r\n'
    preview = read(mark + text.encode(encoding), "通讯录.csv")
    assert (preview.encoding, preview.form, said(preview)) == (told, "csv", [])
    (line,) = of_kind(preview, "lines")
    assert (line.values["unit_name"], line.sheet, line.number) == (
        " ".join(f"城关镇{separator}二所".split()),
        "通讯录",
        2,
    )


def zipped(**parts: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name.replace("__", "/"), content)
    return target.getvalue()


def locked() -> bytes:
    return (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le") + bytes(50)
    )


GOOD = saved(workbook([BOOK, ["城关镇", "3212345"]])[0])
SHEET = GOOD.index(b"xl/worksheets/sheet1.xml") + 40
DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook/>'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"\0\0\0", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old .xls"),
        (locked(), "password"),
        (b"<html><table>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (GOOD[: len(GOOD) // 2], "damaged"),
        (GOOD[:SHEET] + bytes(60) + GOOD[SHEET + 60 :], "damaged"),
        (b"PK\x03\x04", "damaged"),
        (zipped(readme=b"x"), "no Excel workbook"),
        (zipped(xl__workbook=b"", **{"xl/workbook.bin": b""}), ".xlsb"),
        (zipped(**{"xl/workbook.xml": DOCTYPE}), "damaged"),
        (zipped(**{"xl/workbook.xml": b"<workbook/>"}), "no sheets"),
        (zipped(**{"xl/workbook.xml": bytes(MOST_UNPACKED + 1)}), "unpacks to more"),
        ('单位,值班电话\n城关镇,"3212345\n'.encode(), "quotation mark"),
        (b"\x81\xff\xff\xff", "neither UTF-8"),
        (b"a,b\0,c", "no text"),
        (b"x" * (20 * 2**20 + 1), "larger than 20 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(content: bytes, why: str) -> None:
    with pytest.raises(FileError, match=why) as caught:
        read(content, "名录.xlsx")
    assert caught.value.zh


def test_more_than_any_directory_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xml, "MOST_CELLS", 1_000)
    xml = "<worksheet><sheetData>" + f"<row>{'<c><v>1</v></c>' * 10}</row>" * 101 + "</sheetData></worksheet>"
    with pytest.raises(FileError, match="more than 1,000 cells"):
        read(handmade(xml.encode()), "x.xlsx")
