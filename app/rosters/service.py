"""Verbs of the rosters. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.rosters import repository
from app.rosters.models import ROSTER_KINDS, Roster
from app.rosters.views import LaterView, RosterView, ShiftView
from app.settings import Settings

LONGEST_SHIFT = timedelta(hours=72)
"""A weekend in one turn, from Friday's evening on. A shift begins on the day of its roster."""
HOME_ZONE = ZoneInfo(Settings.model_fields["timezone"].default)


async def roster_at(
    session: AsyncSession,
    unit_id: int,
    at: datetime,
    as_of: datetime | None = None,
    zone: ZoneInfo = HOME_ZONE,
) -> RosterView:
    """Who should be on duty in a unit at a moment, by what was filed up to `as_of` (that moment itself unless given).

    Versions filed after `as_of` stand beside it in `later`. `zone` tells the local day.
    """
    known = as_of or at
    day = at.astimezone(zone).date()
    rosters = await repository.versions_between(session, [unit_id], day - LONGEST_SHIFT, day)
    in_force = _in_force(rosters, known)
    holding = {kind: _shifts_at(in_force[kind], at) for kind in ROSTER_KINDS}
    speaking = {kind: _speaking(in_force[kind], at, day) for kind in ROSTER_KINDS}
    return RosterView(
        unit_id=unit_id,
        at=at,
        as_of=known,
        duty=holding["duty"],
        leaders=holding["leader"],
        version={kind: None if row is None else row.version for kind, row in speaking.items()},
        filed_at={kind: None if row is None else row.filed_at for kind, row in speaking.items()},
        later=tuple(_later(rosters, in_force, at, known, day)),
    )


def _in_force(rosters: Iterable[Roster], known: datetime) -> dict[str, list[Roster]]:
    """By kind, the newest version of each day that was filed by then."""
    found: dict[str, list[Roster]] = {kind: [] for kind in ROSTER_KINDS}
    for (_, _, kind), versions in groupby(rosters, lambda row: (row.unit_id, row.day, row.kind)):
        filed = [row for row in versions if row.filed_at <= known]
        if filed:
            found[kind].append(filed[-1])
    return found


def _shifts_at(rosters: Iterable[Roster], at: datetime) -> tuple[ShiftView, ...]:
    """The turns that hold a moment; one that ends then is over."""
    return tuple(
        ShiftView(
            name=shift.name,
            title=shift.title,
            phone=shift.phone,
            person_id=shift.person_id,
            start_at=shift.start_at,
            end_at=shift.end_at,
            kind=roster.kind,
            day=roster.day,
            version=roster.version,
            filed_at=roster.filed_at,
        )
        for roster in rosters
        for shift in roster.shifts
        if shift.start_at <= at < shift.end_at
    )


def _speaking(rosters: Sequence[Roster], at: datetime, day: date) -> Roster | None:
    """The roster that says who holds the moment: of the day whose turn reaches it, else of the day itself."""
    holding = [row for row in rosters if _shifts_at([row], at)]
    of_day = [row for row in rosters if row.day == day]
    return next(iter([*holding[::-1], *of_day]), None)


def _later(
    rosters: Iterable[Roster],
    in_force: Mapping[str, Sequence[Roster]],
    at: datetime,
    known: datetime,
    day: date,
) -> Iterable[LaterView]:
    """Versions of afterwards that say something of the moment, or take back what was said of it."""
    told = {(row.kind, row.day) for rows in in_force.values() for row in rows if _shifts_at([row], at)}
    for row in rosters:
        shifts = _shifts_at([row], at)
        if row.filed_at > known and (shifts or (row.kind, row.day) in told or row.day == day):
            yield LaterView(row.kind, row.day, row.version, row.filed_at, row.filed_by, row.note, shifts)
