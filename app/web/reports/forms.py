"""Inspection forms of units, as the page gives them out; names of exported files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sqlalchemy import select
from starlette.responses import Response

from app import clock
from app.accounts.permissions import Permission
from app.accounts.principal import Principal
from app.database import Database
from app.directory.models import Unit
from app.directory.repository import below as in_subtree
from app.errors import BadInputError, Fault
from app.reports import inspection, papers, service
from app.reports.exporting import Maker
from app.reports.models import ExportJob
from app.reports.periods import Days
from app.reports.tables import TABLES
from app.settings import Settings
from app.tables import document

MOST_UNITS = 200
"""Forms that are made at one time."""
KEPT_H = int(service.KEPT.total_seconds() // 3600)


def keys_of(texts: Sequence[str]) -> tuple[int, ...]:
    """Read keys of units; what is none is left out."""
    plain = (text for text in texts if text.isascii() and text.isdecimal() and len(text) < 18)
    return tuple(dict.fromkeys(int(text) for text in plain))


async def file(
    database: Database, settings: Settings, who: Principal, picked: Sequence[int], *, below: bool, days: Days
) -> Response:
    """One document, or a ZIP file of several. Raises `BadInputError` without a unit, and for too many."""
    units = await _units(database, picked, below)
    if not units:
        raise BadInputError("请选择单位", [Fault("units", "at least one")])
    if len(units) > MOST_UNITS:
        raise BadInputError(f"一次至多 {MOST_UNITS} 个单位，所选为 {len(units)} 个，请分次生成")
    told = f"期间 {days.first} 至 {days.last}；{len(units)} 个单位"
    maker = Maker(who.name, clock.now(), told, who.may(Permission.NUMBERS))
    made: list[tuple[str, bytes]] = []
    for unit in units:
        async with database.reading() as session:
            facts = await inspection.facts_of(
                session, unit, days, settings.zone, settings.roster_deadline_days
            )
        filled = inspection.fill(facts)
        content = await asyncio.to_thread(papers.inspection_document, filled, maker, settings.zone)
        made.append((unit.name, content))
    async with database.unit_of_work() as session:
        await service.note_export(session, "inspection", "docx", len(made), told)
    span = f"{days.first:%Y%m%d}-{days.last:%Y%m%d}"
    if len(made) == 1:
        name = f"{papers.FORM_TITLE}-{papers.file_name(made[0][0])}-{span}.docx"
        return _given(made[0][1], document.MEDIA_TYPE, name)
    local = maker.at.astimezone(settings.zone)
    note = f"导出人：{maker.who}\r\n导出时间：{local:%Y-%m-%d %H:%M:%S}\r\n筛选条件：{told}\r\n"
    content = papers.inspections_zip(made, note, local)
    return _given(content, "application/zip", f"{papers.FORM_TITLE}-{span}.zip")


async def _units(database: Database, picked: Sequence[int], below: bool) -> Sequence[Unit]:
    if not picked:
        return []
    async with database.reading() as session:
        heads = (await session.scalars(select(Unit).where(Unit.id.in_(picked)).order_by(Unit.code))).all()
        if not below:
            return heads
        found: dict[int, Unit] = {}
        for head in heads:
            query = select(Unit).where(in_subtree(head)).order_by(Unit.path).limit(MOST_UNITS + 1)
            found |= {unit.id: unit for unit in await session.scalars(query)}
        return list(found.values())


def _given(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type=media_type, headers=headers)


def name_of(job: ExportJob, zone: ZoneInfo) -> str:
    """The name under which an export's file is given out."""
    return f"{TABLES[job.table].title}-{job.created_at.astimezone(zone):%Y%m%d-%H%M}.{job.form}"
