"""Summaries of a period, ranking, inspection forms, publications."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, timedelta

import docx
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadInputError
from app.reports import periods
from app.reports.figures import Rate
from app.reports.inspection import facts_of, fill
from app.reports.papers import file_name
from app.reports.periods import month
from app.reports.summary import summarise
from app.rosters.models import Roster
from app.settings import Settings
from tests.web.reviewing import THURSDAY, WANG, Office, running

NOVEMBER = {"period": "2026-11"}


async def filled(office: Office) -> None:
    """Twice a confirmed finding in one unit, one that is open, timely answers, one by order of a person."""
    for days in (3, 2):
        await office.confirmed(await office.case(0, at=THURSDAY - timedelta(days=days)))
    await office.case(1, at=THURSDAY - timedelta(days=1))
    for hours in range(1, 5):
        await office.order(1, at=THURSDAY - timedelta(days=4, hours=hours))
    await office.order(0, kind="designated", at=THURSDAY - timedelta(hours=3))
    await office.order(2, code="our_side", at=THURSDAY - timedelta(hours=2))


async def test_a_summary_counts_what_it_says(either_settings: Settings) -> None:
    async with running(either_settings, units=3) as office:
        await filled(office)
        found = await summarise(
            office.database, office.settings.zone, date(2026, 11, 1), date(2026, 11, 30), None
        )
        assert (found.judged, found.spoilt, found.n) == (8, 1, 7)
        assert found.by_kind == {"random": 8, "designated": 1, "verification": 0}
        assert (found.found, found.answered) == (Rate(2, 7), Rate(4, 7))
        assert found.covered == Rate(2, 3)
        assert found.findings == [("无人接听", 2, 0)]
        assert [(one.name, one.checks, one.codes) for one in found.repeated] == [("第1单位", 2, "无人接听×2")]
        days = dict(found.days)
        # Monday to Thursday; the calendar is empty, and the plain rule of weekends holds.
        assert (days["工作日"], days["双休日"]) == (Rate(2, 3), Rate(0, 4))
        assert [rate.count for _, rate in found.rings] == [4, 0, 0, 0, 0]
        nothing = await summarise(
            office.database, office.settings.zone, date(2025, 1, 1), date(2025, 12, 31), None
        )
        assert nothing.answered.text == "未核实（n=0）"


async def test_the_page_and_its_files(settings: Settings) -> None:
    async with running(settings, units=3) as office:
        await filled(office)
        page = (await office.client.get("/reports", params=NOVEMBER)).text
        assert "<dt>计入的计划抽查</dt><dd>7</dd>" in page
        assert "第1单位" in page
        assert "style=" not in page
        book = openpyxl.load_workbook(
            io.BytesIO((await office.client.get("/reports/summary/xlsx", params=NOVEMBER)).content)
        )
        rows = {
            (row[0].value, row[1].value): [cell.value for cell in row[2:]] for row in book["表"].iter_rows()
        }
        assert rows["比例", "有已认定问题"][:3] == [2, 7, 28.6]
        assert rows["总数", "计入的计划抽查 n"][0] == 7
        text = (await office.client.get("/reports/summary/csv", params=NOVEMBER)).content.decode("utf-8-sig")
        lines = list(csv.reader(io.StringIO(text, newline="")))
        assert next(line[:5] for line in lines if line[1:2] == ["有已认定问题"]) == [
            "比例",
            "有已认定问题",
            "2",
            "7",
            "28.6",
        ]
        paper = docx.Document(
            io.BytesIO((await office.client.get("/reports/summary/docx", params=NOVEMBER)).content)
        )
        assert "值班电话抽查期间汇总" in [paragraph.text for paragraph in paper.paragraphs]
        assert "local" in paper.sections[0].header.paragraphs[0].text
        for query in (
            {"period": "2026-13"},
            {"first": "2026-02-30"},
            {"first": "2026-02-02", "last": "2026-01-01"},
        ):
            answer = await office.client.get("/reports", params=query)
            assert answer.status_code == 422
            assert 'role="alert"' in answer.text
        assert (await office.client.get("/reports", params={"unit": "99"})).status_code == 404
        assert (await office.client.get("/reports/summary/pdf")).status_code == 404
        ranking = (await office.client.get("/reports/ranking", params=NOVEMBER)).text
        assert "第2单位" in ranking
        assert "0.0%" in ranking
        empty = (await office.client.get("/reports/ranking", params={"period": "2025"})).text
        assert "本期没有可以排名的单位" in empty


async def test_an_inspection_form_says_what_is_known_and_no_more(either_settings: Settings) -> None:
    async with running(either_settings, units=3) as office:
        await filled(office)
        await office.manual("on_site", 0)
        async with office.database.unit_of_work() as session:
            for day, late in ((date(2026, 11, 3), 0), (date(2026, 11, 4), 5)):
                filed = THURSDAY.replace(month=10, day=30) + timedelta(days=late)
                session.add(Roster(unit_id=office.units[0], day=day, kind="duty", version=1, filed_at=filed))
        async with office.database.reading() as session:
            from app.directory.models import Unit

            units = [await session.get(Unit, key) for key in office.units]
            forms = [
                fill(await facts_of(session, unit, month(2026, 11), office.settings.zone, 3))
                for unit in units
                if unit is not None
            ]
        told = {item.question: item.answer for item in forms[0].items}
        assert (
            told["是否按要求报送值班表"]
            == "本期 30 天，已报送 2 天，其中未按期（提前 3 天）报送 1 天：11月4日"
        )
        assert (
            told["值班电话接听是否及时规范"]
            == "抽查 3 次，及时接听 1 次；已认定：11月23日无人接听、11月24日无人接听"
        )
        assert told["是否存在值班电话设置彩铃或呼转手机情况"] == "抽查 3 次，未发现"
        assert told["是否掌握国务院及自治区政府总值班室电话号码"] == "未核实"
        assert forms[0].beside[0] == "11月26日实地检查（赵科长）：值班室无人"
        second = {item.question: item.answer for item in forms[1].items}
        assert "拟认定（待核）：11月25日无人接听" in second["值班电话接听是否及时规范"]
        assert "已认定" not in second["值班电话接听是否及时规范"]
        third = {item.question: item.answer for item in forms[2].items}
        assert third["是否按要求报送值班表"] == "未核实（本系统未收到本期值班表）"
        assert all(item.answer for form in forms for item in form.items)


async def test_one_form_is_a_document_and_many_are_a_zip(settings: Settings) -> None:
    async with running(settings, units=3) as office:
        await filled(office)
        one = await office.client.post("/reports/forms", data=NOVEMBER | {"units": "1"})
        paper = docx.Document(io.BytesIO(one.content))
        cells = [cell.text for row in paper.tables[0].rows for cell in row.cells]
        assert "检查情况" in cells
        assert any("已认定：" in text for text in cells)
        assert round(paper.sections[0].page_width.cm, 1) == 21.0
        many = await office.client.post("/reports/forms", data=NOVEMBER | {"units": ["1", "2"]})
        with zipfile.ZipFile(io.BytesIO(many.content)) as package:
            names = package.namelist()
        assert names[0] == "001-第1单位-值班工作检查记录表.docx"
        assert names[-1] == "导出说明.txt"
        none = await office.client.post("/reports/forms", data=NOVEMBER)
        assert none.status_code == 422
        assert "请选择单位" in none.text
        odd = await office.client.post("/reports/forms", data={"period": "x", "units": "2"})
        assert odd.status_code == 422
        assert '<option value="2" selected>' in odd.text


async def test_publications_are_listed_with_what_no_longer_holds(settings: Settings) -> None:
    async with running(settings, units=1) as office:
        assert "还没有通报" in (await office.client.get("/reports/publications")).text
        case = await office.case(0)
        await office.confirmed(case)
        body = {"kind": "bulletin", "title": "十一月通报", "case_ids": [case]}
        await office.post("/publications", WANG, 201, **body)
        listed = (await office.client.get("/reports/publications")).text
        assert "十一月通报" in listed
        shown = (await office.client.get("/reports/publications/1")).text
        assert "无人接听" in shown
        assert "已通报" in shown
        assert (await office.client.get("/reports/publications/9")).status_code == 404


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_rate(count: int, more: int) -> None:
    rate = Rate(count, count + more)
    if rate.share is None or rate.interval is None:
        assert rate.n == 0
        return
    low, high = rate.interval
    assert 0 <= low <= rate.share + 1e-12
    assert rate.share - 1e-12 <= high <= 1


def test_intervals_and_periods_as_books_have_them() -> None:
    low, high = Rate(8, 10).interval or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.4902, 0.9433)
    assert Rate(35, 40).text == "87.5%（n=40，95%区间 73.9%–94.5%）"
    today = date(2026, 1, 15)
    assert [one.name for one in periods.offered(today)] == [
        "2026-01", "2025-12", "2026Q1", "2025Q4", "2026", "2025",
    ]  # fmt: skip
    assert periods.read({"period": "2024-02"}, today).last == date(2024, 2, 29)
    assert periods.read({}, today).name == "2026-01"
    assert periods.read({"first": "2026-01-03"}, today).last == today
    with pytest.raises(BadInputError, match="至多一年"):
        periods.read({"first": "2024-01-01", "last": "2025-12-31"}, today)
    assert file_name('a/b\\c:*?"<>|..') == "a_b_c_______"
