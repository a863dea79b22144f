"""Enters rosters and days of the calendar that an import brings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.directory.models import Unit
from app.imports import repository
from app.imports.changes import Change, Comparison
from app.planning.calendar import weekend_rule
from app.planning.models import CalendarChange, CalendarDay
from app.rosters.models import Roster, Shift
from app.settings import Settings

SOURCE = "import"


async def apply_rosters(
    session: AsyncSession, case: Comparison, units: Mapping[str, Unit], settings: Settings, who: str
) -> None:
    """File every roster of the file as a new version; those that were filed before stay."""
    changes = [change for change in case.changes if change.kind in ("duty", "leader")]
    if not changes:
        return
    filed_at = clock.now()
    ids = {units[change.unit.code].id for change in changes if change.unit is not None}
    people = await repository.person_ids(session, ids)
    for change in changes:
        if change.unit is None:
            continue
        unit = units[change.unit.code]
        before = {} if change.stored is None else change.stored.values
        session.add(
            Roster(
                unit_id=unit.id,
                day=before["day"] if before else change.values["day"],
                kind=change.kind,
                version=before["version"] + 1 if before else 1,
                filed_at=filed_at,
                filed_by=who,
                source=SOURCE,
                shifts=[
                    Shift(
                        person_id=people.get((unit.id, name)),
                        name=name,
                        title=title,
                        phone=phone,
                        start_at=start.replace(tzinfo=settings.zone),
                        end_at=end.replace(tzinfo=settings.zone),
                    )
                    for start, end, name, title, phone in change.values["shifts"]
                ],
            )
        )
    await session.flush()


async def apply_days(session: AsyncSession, case: Comparison, who: str) -> None:
    """Write the days of the calendar; what they were before stays on record."""
    changes = [change for change in case.changes if change.kind == "days"]
    if not changes:
        return
    now = clock.now()
    present = await repository.days_by_day(session, [_day_of(change) for change in changes])
    for change in changes:
        day = _day_of(change)
        row = present.get(day)
        before = None if row is None else _told(row)
        if row is None:
            row = CalendarDay(day=day, kind=weekend_rule(day), known=False, source=SOURCE, changed_at=now)
            session.add(row)
        _write(row, change.values)
        row.source, row.changed_at, row.changed_by = SOURCE, now, who
        session.add(
            CalendarChange(
                day=day, changed_at=now, changed_by=who, reason="导入", before=before, after=_told(row)
            )
        )
    await session.flush()


def _day_of(change: Change) -> date:
    day: date = change.values["day"] if change.stored is None else change.stored.values["day"]
    return day


def _write(row: CalendarDay, values: dict[str, Any]) -> None:
    if "kind" in values:
        row.known = bool(values["kind"])
        row.kind = values["kind"] or weekend_rule(row.day)
    row.name = values.get("name", row.name or "")
    row.sensitive = values.get("sensitive", bool(row.sensitive))
    row.sensitive_name = values.get("sensitive_name", row.sensitive_name or "")
    row.note = values.get("note", row.note or "")


def _told(row: CalendarDay) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "known": row.known,
        "name": row.name,
        "sensitive": row.sensitive,
        "sensitive_name": row.sensitive_name,
        "note": row.note,
        "source": row.source,
    }
