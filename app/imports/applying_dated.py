"""Enters rosters and days of the calendar that an import brings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.directory.models import Unit
from app.imports import repository
from app.imports.changes import Comparison
from app.imports.stored import ShiftKey
from app.planning.calendar_service import Author, Entry, import_days
from app.rosters.models import Roster, Shift
from app.settings import Settings

SOURCE = "import"


async def apply_rosters(
    session: AsyncSession, case: Comparison, units: Mapping[str, Unit], settings: Settings, who: str
) -> None:
    """File every roster of the file as a new version; those that were filed before stay.

    As `filing.file_roster` does one by one: a month of a county is ten thousand rosters, and what that verb looks at
    the comparison has seen.
    """
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
                    _shift(shift, people.get((unit.id, shift[2])), settings.zone)
                    for shift in change.values["shifts"]
                ],
            )
        )
    await session.flush()


def _shift(key: ShiftKey, person_id: int | None, zone: ZoneInfo) -> Shift:
    start, end, name, title, phone = key
    return Shift(
        person_id=person_id,
        name=name,
        title=title,
        phone=phone,
        start_at=start.replace(tzinfo=zone),
        end_at=end.replace(tzinfo=zone),
    )


async def apply_days(session: AsyncSession, case: Comparison, settings: Settings, who: str) -> None:
    """Write the days of the calendar; what they were before stays on record."""
    changes = [change for change in case.changes if change.kind == "days"]
    if not changes:
        return
    entries: dict[date, Entry] = {}
    for change in changes:
        after = ({} if change.stored is None else change.stored.values) | change.values
        entries[after["day"]] = Entry(
            after["kind"] or None, after["name"], after["sensitive"], after["sensitive_name"], after["note"]
        )
    today = clock.now().astimezone(settings.zone).date()
    await import_days(session, entries, Author(who, today, f"导入 {case.preview.name}"[:200]))
