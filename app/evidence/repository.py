"""Queries of the list of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.accounts.principal import limits
from app.checks.models import Attempt, Recording, SpotCheck
from app.directory.models import Unit
from app.directory.repository import below
from app.evidence import finding, holding
from app.phone_records.models import PhoneRecord


@dataclass(frozen=True, slots=True)
class Kept:
    """A recording with the call that it is of; those of a report have none."""

    recording: Recording
    check_id: int | None
    unit_id: int | None
    code: str | None
    """By which its retention goes."""


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """What the list is narrowed to; None: not narrowed by it."""

    head: Unit | None = None
    """Head of the subtree of units."""
    since: datetime | None = None
    until: datetime | None = None
    """Made before this moment."""
    held: bool | None = None
    gone: bool | None = None
    """Whether it is gone, or goes."""
    why: str | None = None
    due_at: datetime | None = None
    """Whose time is over at this moment, and that are still kept."""

    @property
    def is_held_alone(self) -> bool:
        """Whether it asks for what is held, beside units and time for nothing else."""
        return self.held is True and self.gone is None and self.why is None and self.due_at is None

    @property
    def is_due_alone(self) -> bool:
        """The same of what is due."""
        return self.due_at is not None and self.gone is None and self.why is None and self.held is None

    @property
    def is_of_groups(self) -> bool:
        """Whether it asks for units, time and how recordings are gone, and for nothing else."""
        return self.held is None and self.due_at is None and self.gone is not False

    @property
    def ways(self) -> Sequence[str]:
        """In which ways the recordings went that it asks for; none: they may be there."""
        if self.why is not None:
            return (self.why,)
        return finding.WHYS if self.gone else ()

    def conditions(self, now: datetime, *, reports: bool = False) -> list[ColumnElement[bool]]:
        """Return the conditions on `Recording`; `reports`: where these are reports anyway, which are few."""
        found: list[ColumnElement[bool]] = []
        if self.head is not None:
            found.append(_named(self.head) if reports else _of_units(self.head))
        if self.since is not None:
            found.append(Recording.created_at >= self.since)
        if self.until is not None:
            found.append(Recording.created_at < self.until)
        if self.held is not None:
            kept = Recording.gone_why.is_(None)
            held = holding.held(now) if reports else Recording.id.in_(holding.held_keys(now))
            found += [kept, held] if self.held else [~(kept & holding.held(now))]
        if self.gone is not None:
            found.append(Recording.gone_why.is_not(None) if self.gone else Recording.gone_why.is_(None))
        if self.why is not None:
            found.append(Recording.gone_why == self.why)
        if self.due_at is not None:
            # Few, and found by their own index: else a planner may go through all recordings from the newest on.
            due = aliased(Recording)
            over = select(due.id).where(due.keep_until <= self.due_at, due.gone_at.is_(None))
            found.append(Recording.id.in_(over))
        return found


async def page(
    session: AsyncSession,
    wanted: RecordingFilter,
    now: datetime,
    after: tuple[datetime, int] | None,
    limit: int,
) -> Sequence[Kept]:
    """Recordings, newest first."""
    asked = finding.asked_of(wanted.since, wanted.until, after)
    keys: Sequence[int]
    if wanted.is_held_alone:
        keys = await finding.held(session, asked, wanted.head, now, limit)
    elif wanted.is_due_alone:
        assert wanted.due_at is not None
        keys = await finding.due(session, asked, wanted.head, wanted.due_at, limit)
    elif wanted.is_of_groups and (wanted.ways or wanted.head is not None or limits() is not None):
        keys = await finding.of_groups(session, asked, wanted.head, wanted.ways, limit)
    else:
        return await _newest(session, wanted.conditions(now), after, limit)
    found = [_kept(*row) for row in await session.execute(_rows().where(Recording.id.in_(keys)))]
    if wanted.head is not None or limits() is not None:
        # Of calls are those; reports carry no unit of their own.
        found += await _newest(
            session, [Recording.unit_id.is_(None), *wanted.conditions(now, reports=True)], after, limit
        )
    found.sort(key=lambda one: (one.recording.created_at, one.recording.id), reverse=True)
    return found[:limit]


async def _newest(
    session: AsyncSession,
    conditions: Sequence[ColumnElement[bool]],
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[Kept]:
    query = _rows().where(*conditions)
    if after is not None:
        query = query.where(tuple_(Recording.created_at, Recording.id) < tuple_(*after))
    newest = query.order_by(Recording.created_at.desc(), Recording.id.desc()).limit(limit)
    return [_kept(*row) for row in await session.execute(newest)]


async def one(session: AsyncSession, recording_id: int) -> Kept | None:
    """One recording as it stands in the database."""
    query = _rows().where(Recording.id == recording_id).execution_options(populate_existing=True)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _kept(*row)


async def some(session: AsyncSession, recording_ids: Sequence[int]) -> Sequence[Kept]:
    """Some recordings, in the order of their keys here; those that are not there are left out."""
    rows = await session.execute(_rows().where(Recording.id.in_(recording_ids)))
    found = {row[0].id: _kept(*row) for row in rows}
    return [found[key] for key in recording_ids if key in found]


async def of_attempts(session: AsyncSession, attempt_ids: Sequence[int]) -> Sequence[Kept]:
    """The recordings of some dials, in their order; those that have none are left out."""
    rows = await session.execute(_rows().where(Recording.attempt_id.in_(attempt_ids)))
    found = {row[0].attempt_id: _kept(*row) for row in rows}
    return [found[key] for key in attempt_ids if key in found]


def _rows() -> Select[Recording, int | None, int | None, str | None, str | None]:
    return (
        select(Recording, Attempt.check_id, Attempt.unit_id, SpotCheck.code, Attempt.verdict_code)
        .outerjoin(Attempt, Attempt.id == Recording.attempt_id)
        .outerjoin(SpotCheck, SpotCheck.id == Attempt.check_id)
    )


def _kept(
    recording: Recording, check_id: int | None, unit_id: int | None, of_order: str | None, of_call: str | None
) -> Kept:
    return Kept(recording, check_id, unit_id, of_order or of_call)


def _of_units(head: Unit) -> ColumnElement[bool]:
    """Of calls to these units, and of the phone records that name one of them."""
    return or_(Recording.unit_id.in_(select(Unit.id).where(below(head))), _named(head))


def _named(head: Unit) -> ColumnElement[bool]:
    units = select(Unit.id).where(below(head))
    return exists(
        select(PhoneRecord.id).where(PhoneRecord.recording_id == Recording.id, PhoneRecord.unit_id.in_(units))
    )
