"""Tables of what is filtered, read back cell by cell."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from sqlalchemy import select, update

from app.accounts.models import AuditEvent
from app.accounts.permissions import Role
from app.answers.models import AnswerItem
from app.checks.models import Mitigation, SpotCheck, StoredProposal
from app.directory.models import Unit
from app.reports.tables import TABLES
from app.settings import Settings
from app.tables.cells import from_csv
from app.transcripts.models import Transcription
from tests.web.apps import own_doors
from tests.web.people import signed_in
from tests.web.reviewing import THURSDAY, WANG, Office, as_person, running

MOBILE = "13912345678"


async def filled(office: Office) -> None:
    """A confirmed case, an open one, a timely answer by order of a person, in units with odd names."""
    confirmed = await office.case(0, at=THURSDAY - timedelta(days=1))
    await office.confirmed(confirmed)
    await office.case(1, at=THURSDAY - timedelta(hours=2))
    last = await office.order(1, kind="designated", rings=(6_049.0,), at=THURSDAY - timedelta(hours=1))
    async with office.database.unit_of_work() as session:
        await session.execute(update(Unit).where(Unit.id == office.units[0]).values(name="=HYPERLINK(1)"))
        changed = {"ordered_by": "张调度", "reason": "群众反映"}
        await session.execute(update(SpotCheck).where(SpotCheck.id == last).values(**changed))
        session.add(
            Mitigation(
                check_id=1,
                kind="called_back",
                at=THURSDAY - timedelta(hours=23, minutes=44),
                number=MOBILE,
                recorded_at=THURSDAY,
                recorded_by="phone",
            )
        )
        session.add(Transcription(id=1, recording_id=1, state="done", requested_at=THURSDAY))
        await session.flush()
        for kind, heard, answer in (
            ("name", "李值班", "yes"),
            ("name", "王某", "no"),
            ("number", "＊", "no"),
        ):
            session.add(
                AnswerItem(
                    attempt_id=1,
                    transcription_id=1,
                    kind=kind,
                    heard=heard,
                    start_ms=0.0,
                    end_ms=1.0,
                    expected=heard,
                    answer=answer,
                    evidence={"matches": "answer_key"},
                )
            )
        roster = {"duty": [{"name": "李值班"}], "leaders": [{"name": "赵县长", "title": "副县长"}]}
        row = (await session.scalars(select(StoredProposal).where(StoredProposal.check_id == 1))).one()
        row.content = row.content | {"roster": roster}


async def export(client: httpx.AsyncClient, headers: Any = None, **form: str) -> httpx.Response:
    answer = await client.post("/checks/export", data=form, headers=headers or as_person("陈检查"))
    assert answer.status_code == 200, answer.text
    return answer


def book_of(answer: httpx.Response) -> openpyxl.Workbook:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        for name in package.namelist():
            if name.endswith((".xml", ".rels")):
                ElementTree.fromstring(package.read(name))
        sheets = b"".join(package.read(name) for name in package.namelist() if "/sheet" in name)
    assert b"<f>" not in sheets
    return openpyxl.load_workbook(io.BytesIO(answer.content))


def rows_of(sheet: Worksheet) -> list[dict[str, Any]]:
    """The rows below the head, up to the first that has no number."""
    found = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=3)]
    head = [str(name) for name in found[0]]
    return [dict(zip(head, row, strict=True)) for row in found[1:] if isinstance(row[0], int)]


async def test_the_full_table_cell_by_cell(either_settings: Settings) -> None:
    async with running(either_settings, units=2) as office:
        await filled(office)
        book = book_of(await export(office.client, table="full", form="xlsx"))
        sheet = book["表"]
        rows = rows_of(sheet)
        assert list(rows[0]) == [column.name for column in TABLES["full"].columns]
        assert all(value not in (None, "") for row in rows for value in row.values())
        first, second, third = rows
        assert first["序号"] == 1
        assert first["单位"] == "=HYPERLINK(1)"
        assert sheet.cell(4, 2).data_type != "f"
        assert first["值班电话"] == "0000-5500001"
        assert first["抽查时间"] == datetime(2026, 11, 25, 10, 0, 0)
        assert first["第2次拨打"] == datetime(2026, 11, 25, 10, 11, 0)
        assert (first["拨打次数"], first["接听情况"]) == (2, "第 2 次：无人接听")
        assert (first["拟认定问题"], first["已认定问题"]) == ("无人接听", "无人接听")
        assert first["认定状态"] == "无人接听：认定"
        assert (first["复核人"], first["抽查方式"]) == (WANG, "计划抽查")
        assert (first["接听人姓名"], first["职务"], first["是否值班表人员"]) == ("李值班", "未核实", "是")
        assert (first["带班领导"], first["带班领导在岗情况"]) == ("赵县长（副县长）", "未核实")
        assert (first["业务问答"], first["是否座机回电"]) == ("上级值班电话—错", "否")
        assert first["回电号码"] == MOBILE
        assert first["回电时间"] == datetime(2026, 11, 25, 10, 16, 0)
        assert "单位无异议" in first["备注（申诉／核实）"]
        assert first["录音编号"] == "录音1、录音2"
        assert (second["拟认定问题"], second["已认定问题"]) == ("无人接听", "尚未认定")
        assert second["复核人"] == "未核实"
        assert (third["抽查方式"], third["抽查人"], third["响铃时长（秒）"]) == ("指定抽查", "张调度", 6.0)
        assert (third["第2次拨打"], third["抽查计划"]) == ("—", "—")
        assert first["抽查人"] == "未核实"


async def test_the_table_to_be_signed_and_how_it_prints(settings: Settings) -> None:
    async with running(settings, units=2) as office:
        await filled(office)
        given = {"title": "十一月抽查表", "office": "县政府总值班室", "since": "2026-11-26"}
        book = book_of(await export(office.client, table="sign", form="xlsx", **given))
        sheet = book["表"]
        assert [cell.value for cell in sheet[3]] == [column.name for column in TABLES["sign"].columns]
        assert len(TABLES["sign"].columns) == 10
        assert len(rows_of(sheet)) == 2
        assert sheet["A1"].value == "十一月抽查表"
        assert "制表单位：县政府总值班室" in sheet["A2"].value
        assert "期间：2026-11-26" in sheet["A2"].value
        signing = sheet.cell(6, 1).value
        assert "抽查人：张调度" in signing
        assert "抽查人（签名）" in signing
        assert "复核人（签名）" in signing
        setup = sheet.page_setup
        assert (setup.orientation, str(setup.paperSize), str(setup.fitToHeight)) == ("landscape", "9", "0")
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.print_title_rows, sheet.freeze_panes) == ("$3:$3", "A4")
        assert "$A$1:$J$" in sheet.print_area
        assert "陈检查" in sheet.oddHeader.left.text
        assert "第 &P 页" in sheet.oddFooter.right.text
        assert sheet.auto_filter.ref is None
        about = {row[0].value: row[1].value for row in book["导出说明"].iter_rows()}
        assert about["导出人"] == "陈检查"
        assert about["筛选条件"] == "时间：2026-11-26 至 最近"
        assert about["行数"] == "2"
        full = book_of(await export(office.client, table="full", form="xlsx"))["表"]
        assert full.auto_filter.ref == "A3:AG6"


async def test_csv_opens_without_a_question(settings: Settings) -> None:
    async with running(settings, units=2) as office:
        await filled(office)
        answer = await export(office.client, table="full", form="csv", state="confirmed")
        text = answer.content.decode("utf-8")
        assert text.startswith("\ufeff")
        assert text.count("\n") == text.count("\r\n")
        assert re.search(r"filename\*=utf-8''[%\w-]+\.csv", answer.headers["content-disposition"])
        rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
        about = [row[0] for row in rows if row[0].startswith("#")]
        assert "# 导出人：陈检查" in about
        assert "# 筛选条件：认定：认定" in about
        assert about[-1] == "# 共 1 行"
        head, row = [row for row in rows if len(row) > 1]
        cells = dict(zip(head, row, strict=True))
        assert cells["单位"] == "'=HYPERLINK(1)"
        assert cells["回电号码"] == MOBILE + "\t"
        assert from_csv(cells["值班电话"]) == "0000-5500001"
        assert cells["抽查时间"] == "2026-11-25 10:00:00"


async def test_scope_and_masks_hold_in_tables_and_the_trail_tells(settings: Settings) -> None:
    async with running(settings, units=2) as office:
        await filled(office)
        app = own_doors(settings.model_copy(update={"phone_process": False}))
        narrow = await signed_in(office.database, settings, Role.INSPECTOR, unit_ids=[office.units[0]])
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            book = book_of(await export(client, narrow.headers, table="full", form="xlsx"))
            (row,) = rows_of(book["表"])
            assert row["单位"] == "=HYPERLINK(1)"
            assert row["回电号码"] == "139****5678"
            about = {item[0].value: item[1].value for item in book["导出说明"].iter_rows()}
            assert about["号码"] == "手机号已按权限隐去中段"
            other = str(office.units[1])
            assert (
                rows_of(book_of(await export(client, narrow.headers, table="sign", unit=other))["表"]) == []
            )
            without = await signed_in(office.database, settings, Role.ADMINISTRATOR)
            refused = await client.post("/checks/export", data={}, headers=without.headers)
            assert refused.status_code == 403
        await app.state.database.close()
        async with office.database.reading() as session:
            lines = (await session.scalars(select(AuditEvent).where(AuditEvent.action == "export"))).all()
        assert [line.subject for line in lines] == ["table:full", "table:sign"]
        assert lines[0].detail == "xlsx, 1 rows; 全部记录"
        assert not list((settings.data_dir / "exports").iterdir())


@pytest.mark.parametrize(("name", "value"), [("table", "odd"), ("form", "pdf"), ("title", "长" * 81)])
async def test_what_there_is_not_is_said(settings: Settings, name: str, value: str) -> None:
    async with running(settings, units=1) as office:
        form = {"table": "sign", "form": "xlsx", "office": "县政府总值班室"} | {name: value}
        answer = await office.client.post("/checks/export", data=form)
        assert answer.status_code == 422
        assert 'role="alert" id="problem"' in answer.text
        assert 'value="县政府总值班室"' in answer.text
