"""Directory, rosters and calendar out of the records and back, on real databases."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.service import of_subject
from app.database import Database
from app.directory.models import DutyLine, LineExemption, LineUnit, Person, Unit, UnitExemption, UnitRegime
from app.directory.tree import UnitEntry, enter_unit
from app.errors import ConflictError
from app.imports import service
from app.imports.changes import Comparison
from app.imports.comparing import compare
from app.imports.reading import read
from app.planning.models import CalendarDay
from app.rosters.models import Roster, Shift
from app.settings import Settings
from app.trunks.models import PolicyNumber
from tests.web.imports_county import NOW, cells, enter_county, workbook


@pytest.fixture(autouse=True)
def _at_a_moment() -> Iterator[None]:
    with clock.running(lambda: NOW):
        yield


async def compared(
    database: Database, content: bytes, settings: Settings, name: str = "名录.xlsx"
) -> Comparison:
    async with database.reading() as session:
        return await compare(session, read(content, name), settings)


async def imported(database: Database, content: bytes, settings: Settings) -> Comparison:
    case = await compared(database, content, settings)
    with service.meanwhile():
        async with database.unit_of_work() as session:
            return await service.confirm(session, case.preview, case.digest(), settings, "王敏")


async def exported(database: Database, settings: Settings, **part: Any) -> bytes:
    async with database.unit_of_work() as session:
        return await service.export(session, settings, "王敏", **part)


async def emptied(database: Database) -> None:
    """Take everything out, as a new office begins."""
    async with database.unit_of_work() as session:
        await session.execute(update(Unit).values(parent_id=None))
        for table in (
            UnitExemption,
            LineExemption,
            Shift,
            Roster,
            UnitRegime,
            Person,
            CalendarDay,
            LineUnit,
            DutyLine,
            Unit,
        ):
            await session.execute(delete(table))
        for table in (LineUnit, DutyLine, Unit):
            await session.execute(delete(table))


def said(case: Comparison) -> list[tuple[str, str, str]]:
    return [(each.code, each.sheet, each.cell) for each in case.findings.all]


async def count(session: AsyncSession, table: type[Any]) -> int:
    return await session.scalar(select(func.count()).select_from(table)) or 0


async def test_an_export_brings_no_change_to_where_it_came_from(
    either: Database, either_settings: Settings
) -> None:
    async with either.unit_of_work() as session:
        await enter_county(session)
    content = await exported(either, either_settings)
    case = await compared(either, content, either_settings)
    assert said(case) == []
    assert case.changes == []
    assert case.not_named.total() == 0
    assert case.unchanged == {
        "units": 4, "regimes": 2, "lines": 5, "people": 3, "duty": 1, "leader": 1, "exemptions": 3, "days": 3,
    }  # fmt: skip


async def test_an_export_makes_an_empty_office_the_same(either: Database, either_settings: Settings) -> None:
    async with either.unit_of_work() as session:
        await enter_county(session)
    first = await exported(either, either_settings)
    await emptied(either)
    case = await imported(either, first, either_settings)
    assert case.counts("change").total() == 0
    second = await exported(either, either_settings)
    assert cells(second) == cells(first)
    held = cells(first)
    assert {row[3] for row in held["线路"][1:]} >= {"0917-3212345", "转8012"}
    assert held["值班表"][1][0] == datetime(2026, 1, 5)
    assert [row[3] for row in held["值班表"][1:]] == ["李四", "王五"]
    async with either.reading() as session:
        line = await session.scalar(select(DutyLine).where(DutyLine.number == "0917-3212345"))
        assert line is not None
        assert (line.verification, line.target) == ("pending", "09173212345")
        rosters = (await session.scalars(select(Roster))).all()
        assert {(roster.source, roster.filed_by) for roster in rosters} == {("import", "王敏")}
        told = await of_subject(session, "directory")
        assert [line.action for line in told] == ["export", "import", "export"]
        assert {line.who for line in told} == {"王敏"}


async def test_every_bad_cell_is_named_and_nothing_is_kept(
    either: Database, either_settings: Settings
) -> None:
    async with either.unit_of_work() as session:
        await enter_county(session)
    content = workbook(
        单位=[
            ["单位编码", "单位名称", "上级单位", "类别"],
            ["N1", "林业局", "云溪县", "县直部门"],
            ["N2", "畜牧局", "没有的县", "部门"],
            ["N1", "又一林业局", "C01", "县直部门"],
            ["C01", "云溪县", "N3", "县区"],
            ["N3", "渔业局", "C01", "县直"],
        ],
        线路=[
            ["单位", "值班电话", "共用单位"],
            ["水利局", "0917-3212345", None],
            ["林业局", "0917-32l2345", None],
            ["林业局", "0917-3299999", "水利"],
            ["渔业局", "0917 3299999", None],
            ["城关镇", "0917-3288888", None],
            ["水力局", "0917-3277777", None],
        ],
        值班方式=[
            ["单位编码", "值班方式", "带班方式", "开始日期", "结束日期"],
            ["C01-01", "在岗", "电话", date(2026, 6, 1), None],
            ["C01-02", "在岗", "电话", date(2026, 6, 1), date(2026, 5, 1)],
        ],
        人员=[["单位编码", "姓名", "职务"], ["C01-01", "赵六", "科员"], ["C01-01", "赵六", "科员"]],
        豁免=[
            ["单位编码", "值班电话", "豁免类型", "开始", "理由"],
            ["C01-01", "0917-7777777", "呼叫转移", "2026-01-01", "抢修"],
            ["C01-01", None, "彩铃", "2026-01-01", "抢修"],
        ],
        值班表=[
            ["日期", "单位编码", "姓名", "时间"],
            ["2026-01-07", "C01-01", "李四", "8:00-18:00"],
            ["2026-01-07", "C01-01", "李四", "17:00-次日8:00"],
        ],
    )
    case = await compared(either, content, either_settings)
    errors = [
        (each.code, f"{each.sheet}!{each.cell}") for each in case.findings.all if each.severity == "error"
    ]
    assert sorted(errors) == sorted(
        [
            ("unit_unknown", "单位!C3"),
            ("duplicate", "单位!A4"),
            ("parent_cycle", "单位!C5"),
            ("parent_cycle", "单位!C6"),
            ("number_taken", "线路!B2"),
            ("bad_number", "线路!B3"),
            ("unit_unknown", "线路!C4"),
            ("number_twice", "线路!B5"),
            ("unit_ambiguous", "线路!A6"),
            ("unit_unknown", "线路!A7"),
            ("overlap", "值班方式!D2"),
            ("overlap", "值班方式!D2"),
            ("day_order", "值班方式!E3"),
            ("duplicate", "人员!B3"),
            ("line_unknown", "豁免!B2"),
            ("line_needed", "豁免!B3"),
            ("filed_twice", "值班表!C3"),
        ]
    )
    (unknown,) = [each for each in case.findings.all if each.cell == "A7"]
    assert unknown.said("zh")[0] == "没有这个单位，是否“水利局”"
    with pytest.raises(ConflictError):
        await imported(either, content, either_settings)
    async with either.reading() as session:
        assert await count(session, Unit) == 4
        assert await count(session, DutyLine) == 5


async def test_one_bad_row_in_ten_thousand_is_named_and_none_is_kept(
    database: Database, settings: Settings
) -> None:
    people = [["水利局", f"人员{number}", "2026-01-05"] for number in range(10_000)]
    people[6_789][2] = "2026年2月30日"
    content = workbook(
        单位=[["单位名称", "类别"], ["水利局", "部门"]], 人员=[["单位", "姓名", "启用日期"], *people]
    )
    case = await compared(database, content, settings)
    assert [(each.code, each.cell, each.value) for each in case.findings.all] == [
        ("bad_date", "C6791", "2026年2月30日")
    ]
    with pytest.raises(ConflictError):
        async with database.unit_of_work() as session:
            await service.confirm(session, case.preview, case.digest(), settings, "王敏")
    async with database.reading() as session:
        assert await count(session, Unit) == await count(session, Person) == 0


async def test_a_list_of_telephones_adds_units_and_follows_a_changed_number(
    either: Database, either_settings: Settings
) -> None:
    first = workbook(
        通讯录=[
            ["云溪县值班电话通讯录"],
            ["序号", "单位", "值班电话", "传真", "主要负责人", "手机"],
            [1, "城关镇", "0917-3212345", "0917-3212346", "张三", 13912345678],
            [2, "水利局", "3212347/3212348", None, None, None],
        ]
    )
    case = await imported(either, first, either_settings)
    assert case.counts("add") == {"units": 2, "lines": 4, "people": 1}
    assert (await compared(either, first, either_settings)).changes == []
    async with either.unit_of_work() as session:
        for line in await session.scalars(select(DutyLine)):
            line.verification = "verified"
    second = workbook(通讯录=[["单位", "值班电话"], ["城关镇", "0917-3219999"], ["水利局", "3212347"]])
    case = await imported(either, second, either_settings)
    assert [(change.action, change.before["number"]) for change in case.changes] == [
        ("change", "0917-3212345")
    ]
    assert case.not_named == {"units": 0, "lines": 2}
    async with either.reading() as session:
        lines = (await session.scalars(select(DutyLine).order_by(DutyLine.number))).all()
    assert [(line.number, line.kind, line.verification) for line in lines] == [
        ("0917-3212346", "fax", "verified"),
        ("0917-3219999", "duty", "pending"),
        ("3212347", "duty", "verified"),
        ("3212348", "duty", "verified"),
    ]


async def test_entries_are_changed_where_cells_differ_and_left_where_they_are_empty(
    either: Database, either_settings: Settings
) -> None:
    async with either.unit_of_work() as session:
        await enter_county(session)
    content = workbook(
        单位=[
            ["单位编码", "单位名称", "上级单位", "分组", "停用日期"],
            ["C01-01", "城关街道", "D07", "清空", None],
            ["C01-02", "水利局", None, None, date(2026, 12, 31)],
        ],
        值班方式=[
            ["单位编码", "值班方式", "带班方式", "开始日期", "结束日期"],
            ["C01-01", "在岗", "在岗", "2026/1/1", "2026/5/31"],
            ["C01-01", "电话", "无", "2026/6/1", "2026/6/30"],
        ],
        线路=[["单位编码", "值班电话", "共用单位"], ["C01-01", "0917-3212345", "清空"]],
        人员=[["单位编码", "姓名", "职务"], ["C01-01", "张三", "镇长"]],
        值班表=[
            ["日期", "单位编码", "姓名", "开始", "结束"],
            ["2026-01-05", "C01-01", "李四", "18:00", "8:00"],
        ],
        豁免=[
            ["单位编码", "值班电话", "豁免类型", "开始", "结束", "理由"],
            ["C01-01", "0917-3212345", "呼叫转移", "2026-01-01", "2026-02-01", "抢修"],
            ["C01-01", None, "线路维护", "2026-01-05 16:00", "2026-01-06", "线路割接"],
        ],
        日历=[["日期", "类型", "敏感期"], ["2026-01-01", "工作日", None], ["2026-01-09", None, "否"]],
    )
    await imported(either, content, either_settings)
    again = await compared(either, content, either_settings)
    assert again.changes == []
    async with either.reading() as session:
        units = {unit.code: unit for unit in await session.scalars(select(Unit))}
        moved, water = units["C01-01"], units["C01-02"]
        assert (moved.name, moved.parent_id, moved.kind, moved.category) == (
            "城关街道",
            units["D07"].id,
            "",
            "town",
        )
        assert moved.path == f"{units['D07'].path}{moved.id}/"
        assert (water.last_day, water.parent_id) == (date(2026, 12, 31), units["C01"].id)
        regimes = (await session.scalars(select(UnitRegime).order_by(UnitRegime.first_day))).all()
        assert [(row.leader, row.last_day) for row in regimes] == [
            ("onsite", date(2026, 5, 31)),
            ("none", date(2026, 6, 30)),
            ("double", None),
        ]
        person = await session.scalar(select(Person).where(Person.name == "张三"))
        assert person is not None
        assert (person.title, person.role, person.phone) == ("镇长", "leader", "13912345678")
        rosters = (
            await session.scalars(select(Roster).where(Roster.kind == "duty").order_by(Roster.version))
        ).all()
        assert [(row.version, row.source) for row in rosters] == [
            (1, "entered"),
            (2, "entered"),
            (3, "import"),
        ]
        shift = await session.scalar(select(Shift).where(Shift.roster_id == rosters[-1].id))
        assert shift is not None
        assert (shift.start_at.hour, shift.end_at.day, shift.end_at.hour) == (10, 6, 0)
        assert shift.person_id is not None
        exemption = await session.scalar(select(UnitExemption).where(UnitExemption.last_at.is_not(None)))
        assert exemption is not None
        assert exemption.last_at == datetime(2026, 1, 6, 16, tzinfo=UTC)
        days = {row.day.day: row for row in await session.scalars(select(CalendarDay))}
        assert (days[1].kind, days[1].source, days[1].name) == ("workday", "import", "元旦")
        # Nothing is left that was entered of it.
        assert 9 not in days


async def test_a_preview_that_the_records_have_overtaken_is_not_imported(
    either: Database, either_settings: Settings
) -> None:
    content = workbook(通讯录=[["单位", "值班电话"], ["城关镇", "0917-3212345"], ["水利局", "3212347"]])
    case = await compared(either, content, either_settings)
    async with either.unit_of_work() as session:
        await enter_unit(session, UnitEntry("W", "水利局"))
    with pytest.raises(ConflictError, match="重新预览"), service.meanwhile():
        async with either.unit_of_work() as session:
            await service.confirm(session, case.preview, case.digest(), either_settings, "王敏")
    async with either.reading() as session:
        assert (await count(session, Unit), await count(session, DutyLine)) == (1, 0)
    assert (await imported(either, content, either_settings)).counts("add") == {"units": 1, "lines": 2}


async def test_of_two_confirmations_at_one_time_one_is_carried_out(
    either: Database, either_settings: Settings
) -> None:
    content = workbook(人员=[["单位", "姓名"], ["水利局", "张三"]])
    async with either.unit_of_work() as session:
        await enter_unit(session, UnitEntry("W", "水利局"))
    case = await compared(either, content, either_settings)

    async def confirm() -> None:
        with service.meanwhile():
            async with either.unit_of_work() as session:
                await service.confirm(session, case.preview, case.digest(), either_settings, "王敏")

    ended = await asyncio.gather(confirm(), confirm(), return_exceptions=True)
    assert sorted(type(each).__name__ for each in ended) == ["ConflictError", "NoneType"]
    async with either.reading() as session:
        assert await count(session, Person) == 1


async def test_numbers_that_are_never_dialled_are_refused_without_their_list_being_told(
    database: Database, settings: Settings
) -> None:
    async with database.unit_of_work() as session:
        session.add(PolicyNumber(kind="answer_key", number="+869173262001", label="", created_at=NOW))
    content = workbook(
        通讯录=[
            ["单位", "值班电话"],
            ["甲", "0917-3262001"],
            ["乙", "16899999"],
            ["丙", "110"],
            ["丁", "+85221234567"],
        ]
    )
    case = await compared(database, content, settings)
    # That no unit has a category is told once, at the first of them.
    noted = [each for each in case.findings.all if each.code == "no_category"]
    assert [(each.severity, each.cell, each.words) for each in noted] == [("note", "A2", {"count": 4})]
    assert [(each.code, each.cell) for each in case.findings.all if each.severity == "error"] == [
        ("emergency", "B4"),
        ("never_dialled", "B2"),
        ("never_dialled", "B3"),
        ("never_dialled", "B5"),
    ]
    assert len({each.said("zh") for each in case.findings.all if each.code == "never_dialled"}) == 1


async def test_a_part_of_the_tree_is_exported_alone(database: Database, settings: Settings) -> None:
    async with database.unit_of_work() as session:
        await enter_county(session)
    held = cells(await exported(database, settings, unit_code="C01-02"))
    assert [row[0] for row in held["单位"][1:]] == ["C01-02"]
    assert [row[3] for row in held["线路"][1:]] == ["3267890"]
    assert len(held["值班表"]) == 1
    assert len(held["带班表"]) == 2
    part = await exported(database, settings, unit_code="C01", since=date(2026, 1, 6))
    assert (len(cells(part)["单位"]), len(cells(part)["值班表"])) == (4, 1)
    assert (await compared(database, part, settings)).changes == []
