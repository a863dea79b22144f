"""Queries of the list of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, exists, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.checks.models import Attempt, Recording, SpotCheck
from app.directory.models import Unit
from app.directory.repository import below
from app.evidence import holding
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

    def conditions(self, now: datetime) -> list[ColumnElement[bool]]:
        """Return the conditions on `Recording`."""
        found: list[ColumnElement[bool]] = []
        if self.head is not None:
            found.append(_of_units(self.head))
        if self.since is not None:
            found.append(Recording.created_at >= self.since)
        if self.until is not None:
            found.append(Recording.created_at < self.until)
        if self.held is not None:
            kept = Recording.gone_why.is_(None)
            found += (
                [kept, Recording.id.in_(holding.held_keys(now))]
                if self.held
                else [~(kept & holding.held(now))]
            )
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
    query = _rows().where(*wanted.conditions(now))
    if after is not None:
        query = query.where(tuple_(Recording.created_at, Recording.id) < tuple_(*after))
    newest = query.order_by(Recording.created_at.desc(), Recording.id.desc()).limit(limit)
    return [_kept(*row) for row in await session.execute(newest)]


async def one(session: AsyncSession, recording_id: int) -> Kept | None:
    """One recording as it stands in the database."""
    query = _rows().where(Recording.id == recording_id).execution_options(populate_existing=True)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _kept(*row)


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
    units = select(Unit.id).where(below(head))
    named = select(PhoneRecord.id).where(
        PhoneRecord.recording_id == Recording.id, PhoneRecord.unit_id.in_(units)
    )
    return or_(Attempt.unit_id.in_(units), exists(named))
