"""Alarms of the office as JSON."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.paging import After, Limit, Page, cut, pack, unpack
from app.checks import alarms
from app.checks.models import OfficeAlarm
from app.checks.stop_routes import Data

router = APIRouter(prefix="/api/v1", tags=["alarms"])


class AlarmOut(BaseModel):
    """Something on our side that a person must see to; it stands as long as `cleared_at` is null."""

    id: int
    kind: str
    title_zh: str
    meaning: str
    subject: str
    detail: str
    raised_at: datetime
    cleared_at: datetime | None


@router.get("/alarms")
async def list_alarms(
    database: Data, standing: bool | None = None, after: After = None, limit: Limit = 50
) -> Page[AlarmOut]:
    """Alarms of the office, newest first; those of trunks are listed with `/api/v1/trunks`."""
    place = None if after is None else unpack(after, int)[0]
    async with database.reading() as session:
        rows = await alarms.page(session, standing, place if isinstance(place, int) else None, limit + 1)
    shown, last = cut(rows, limit)
    return Page(items=[_told(row) for row in shown], next=None if last is None else pack(last.id))


def _told(row: OfficeAlarm) -> AlarmOut:
    title_zh, meaning = alarms.KINDS.get(row.kind, ("", ""))
    return AlarmOut(
        id=row.id,
        kind=row.kind,
        title_zh=title_zh,
        meaning=meaning,
        subject=row.subject,
        detail=row.detail,
        raised_at=row.raised_at,
        cleared_at=row.cleared_at,
    )
