"""A small county in the records, with everything that a workbook carries."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import Any

import openpyxl
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory import changes, lines, people, tree
from app.directory.lines import Dialling, LineEntry
from app.directory.models import Person, Unit, UnitExemption, UnitRegime
from app.directory.people import PersonEntry
from app.directory.tree import UnitEntry
from app.planning.models import CalendarDay
from app.rosters.models import Roster, Shift
from sip.guard import DialPolicy

DAYS = (
    (1, "holiday", True, False),
    (4, "makeup_workday", True, True),
    (9, "workday", False, True),
)
MAY = Dialling(DialPolicy.open(), frozenset())
NOW = datetime(2026, 1, 3, 1, 0, tzinfo=UTC)


async def enter_county(session: AsyncSession) -> None:
    """Enter it."""
    county = await tree.enter_unit(session, UnitEntry("C01", "云溪县", category="county"))
    town = await tree.enter_unit(
        session,
        UnitEntry(
            "C01-01",
            "城关镇",
            kind="镇街",
            category="town",
            handover_times=("08:00", "18:00"),
            first_day=date(2020, 1, 1),
        ),
        county.id,
    )
    water = await tree.enter_unit(
        session, UnitEntry("C01-02", "水利局", category="county_department"), county.id
    )
    twin = await tree.enter_unit(session, UnitEntry("D07", "城关镇", category="town"))
    await tree.set_regime(
        session,
        town,
        UnitRegime(first_day=date(2026, 1, 1), last_day=date(2026, 6, 30), duty="onsite", leader="phone"),
    )
    await tree.set_regime(
        session,
        town,
        UnitRegime(first_day=date(2026, 7, 1), duty="phone", leader="double", note="汛期\n两人"),
    )
    shared = await lines.enter_line(
        session, town, LineEntry("0917-3212345", pilot_numbers=("0917-3210000",)), MAY
    )
    await lines.share(session, shared, [water.id])
    await lines.enter_line(session, town, LineEntry("0917-3212346", kind="fax", name="传真"), MAY)
    await lines.enter_line(session, town, LineEntry("转8012", name="夜间"), MAY)
    await lines.enter_line(
        session, water, LineEntry("3267890", target="sip:62@127.0.0.1:5062", last_day=date(2026, 12, 31)), MAY
    )
    await lines.enter_line(session, twin, LineEntry("010-66001234", active=False), MAY)
    zhang = await people.enter_person(
        session, town.id, PersonEntry("张三", "副镇长", "leader", "established", "13912345678")
    )
    await people.enter_person(
        session, town.id, PersonEntry("李四", staffing="contract", last_day=date(2026, 3, 1))
    )
    await people.enter_person(session, water.id, PersonEntry("=HYPERLINK(1)", "+1", phone="0917-3260000"))
    await changes.exempt_line(session, shared, "forwarding", "抢修", date(2026, 1, 1), None)
    for first, last, line in ((8, 10, None), (16, None, shared.id)):
        row = UnitExemption(
            line_id=line,
            kind="maintenance",
            first_at=datetime(2026, 1, 5, first, tzinfo=UTC),
            last_at=last and datetime(2026, 1, 5, last, 30, 15, tzinfo=UTC),
            reason="线路割接",
            entered_by="王敏",
        )
        await changes.exempt_unit(session, town, row)
    await _file_rosters(session, town, water, zhang)
    _enter_days(session)
    await session.flush()


async def _file_rosters(session: AsyncSession, town: Unit, water: Unit, zhang: Person) -> None:
    for version, names in ((1, ("张三",)), (2, ("李四", "王五"))):
        await _file(session, town.id, version, names)
    session.add(
        Roster(
            unit_id=water.id,
            day=date(2026, 1, 6),
            kind="leader",
            version=1,
            filed_at=NOW,
            shifts=[
                Shift(
                    name="赵六",
                    person_id=zhang.id,
                    start_at=datetime(2026, 1, 6, 4, tzinfo=UTC),
                    end_at=datetime(2026, 1, 8, 0, tzinfo=UTC),
                )
            ],
        )
    )


def _enter_days(session: AsyncSession) -> None:
    for day, kind, known, sensitive in DAYS:
        session.add(
            CalendarDay(
                day=date(2026, 1, day),
                kind=kind,
                known=known,
                name="元旦" if day == 1 else "",
                sensitive=sensitive,
                sensitive_name="两会" if sensitive else "",
                source="seed",
                changed_at=NOW,
            )
        )


async def _file(session: AsyncSession, unit_id: int, version: int, names: tuple[str, ...]) -> None:
    session.add(
        Roster(
            unit_id=unit_id,
            day=date(2026, 1, 5),
            kind="duty",
            version=version,
            filed_at=NOW,
            shifts=[
                Shift(
                    name=name,
                    title="科员",
                    phone="0917-3212345",
                    start_at=datetime(2026, 1, 5, 10 * place, tzinfo=UTC),
                    end_at=datetime(2026, 1, 5, 10 + 13 * place, 59, tzinfo=UTC),
                )
                for place, name in enumerate(names)
            ],
        )
    )


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
