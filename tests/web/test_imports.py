"""Directory, rosters and calendar out of the records and back, on real databases."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.service import of_subject
from app.database import Database
from app.directory.models import DutyLine, LineExemption, LineUnit, Person, Unit, UnitExemption, UnitRegime
from app.imports import service
from app.imports.changes import Comparison
from app.imports.comparing import compare
from app.imports.reading import read
from app.planning.models import CalendarDay
from app.rosters.models import Roster, Shift
from app.settings import Settings
from tests.web.imports_county import NOW, enter_county


@pytest.fixture(autouse=True)
def _at_a_moment() -> Iterator[None]:
    with clock.running(lambda: NOW):
        yield


def workbook(**sheets: list[list[Any]]) -> bytes:
    """A workbook made by another program than ours."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def cells(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """What a workbook holds, as another program reads it."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: [tuple(cell.value for cell in row) for row in sheet.rows] for sheet in book}


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
