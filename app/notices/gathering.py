"""What is wrong now, as counts by kind of notice: asked of the records that the processes keep, never of a log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app.notices import repository
from app.policy import Stored
from app.settings import Settings
from app.trunks import repository as trunks
from app.trunks.view import TrunkView, views

OF_ALARM: Mapping[str, str] = {
    "calendar_ending": "calendar_ending",
    "disk_low": "disk",
    "disk_full": "disk",
    "coverage_short": "coverage_short",
}
"""Kind of notice by kind of office alarm; the others together are `other_alarms`."""
NO_FAULT = ("caps_reached", "trunk_music")
"""Alarms of a trunk that calls by it all the same."""
DOWN = ("down", "unusable")


async def gather(
    session: AsyncSession, settings: Settings, now: datetime, *, phone_failing: bool
) -> dict[str, int]:
    """Count what is wrong, by kind; what is in order does not stand in it."""
    found = {"phone_down": int(phone_failing), "trunk_down": await _trunks_down(session, settings, now)}
    for kind, number in (await repository.alarms_by_kind(session)).items():
        notice = OF_ALARM.get(kind, "other_alarms")
        found[notice] = found.get(notice, 0) + number
    if settings.notice_reviews_hours:
        before = now - timedelta(hours=settings.notice_reviews_hours)
        found["reviews_waiting"] = await repository.unreviewed_since(session, before)
    return {kind: number for kind, number in found.items() if number}


async def _trunks_down(session: AsyncSession, settings: Settings, now: datetime) -> int:
    stored = Stored(trunks=tuple(await trunks.records(session)), states=tuple(await trunks.states(session)))
    return sum(1 for view in views(settings, stored, now) if _is_down(view))


def _is_down(view: TrunkView) -> bool:
    wrong = view.state in DOWN or any(alarm.kind not in NO_FAULT for alarm in view.alarms)
    return view.in_use and wrong
