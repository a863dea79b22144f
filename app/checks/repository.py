"""All queries of checks and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app import clock
from app.api.newest import Asked, Group, Place, newest
from app.checks import shelves
from app.checks.listing import ATTEMPTS, match, shelf_group, unit_group
from app.checks.models import IS_LIVE, LIVE_STATES, Attempt, AttemptTarget, Recording, SpotCheck
from app.directory.models import Unit
from app.planning.models import Plan


@dataclass(frozen=True, slots=True)
class ListFilter:
    """What the list of checks is narrowed to."""

    unit_id: int | None = None
    verdict_code: str | None = None
    needs_review: bool | None = None
    kind: str | None = None
    proposal_code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before this moment."""
    alone: bool = False
    """The unit alone, without those below it."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list: the last row seen."""

    claimed_at: datetime
    attempt_id: int


async def page(
    session: AsyncSession, narrowed: ListFilter, after: Cursor | None = None, limit: int = 50
) -> Sequence[Attempt]:
    """Attempts, newest first, with unit and line; keyset pages, no OFFSET."""
    groups: list[Group] = []
    if narrowed.unit_id is not None:
        unit = await unit_group(session, ATTEMPTS, narrowed.unit_id, narrowed.alone)
        if unit is None:
            return []
        groups.append(unit)
    labels = {name: getattr(narrowed, name, None) for name in shelves.ATTEMPT_LABELS}
    if any(value is not None for value in labels.values()):
        shelf = await shelf_group(
            session, ATTEMPTS, shelves.ATTEMPT_LABELS, lambda found: match(found, labels)
        )
        groups += [shelf] if shelf is not None else []
    place = None if after is None else Place(after.claimed_at, after.attempt_id)
    keys = await newest(session, ATTEMPTS, Asked(groups, narrowed.since, narrowed.until, place), limit)
    query = (
        select(Attempt)
        .where(Attempt.id.in_(keys))
        .options(joinedload(Attempt.unit), joinedload(Attempt.line))
    )
    found = {attempt.id: attempt for attempt in await session.scalars(query)}
    return [found[key] for key in keys if key in found]


async def check(session: AsyncSession, check_id: int) -> SpotCheck | None:
    """One check with all that its page shows."""
    attempts = selectinload(SpotCheck.attempts)
    query = (
        select(SpotCheck)
        .where(SpotCheck.id == check_id)
        .options(
            joinedload(SpotCheck.plan),
            joinedload(SpotCheck.line),
            joinedload(SpotCheck.unit),
            attempts.joinedload(Attempt.unit),
            attempts.joinedload(Attempt.line),
            attempts.joinedload(Attempt.facts),
            attempts.joinedload(Attempt.recording),
            attempts.selectinload(Attempt.verdicts),
            attempts.selectinload(Attempt.events),
            attempts.selectinload(Attempt.targets),
        )
    )
    return await session.scalar(query)


async def take(session: AsyncSession, check_id: int) -> bool:
    """Move a check from `due` to `claimed`; False when someone else already did."""
    return await _changed(
        session,
        update(SpotCheck).where(SpotCheck.id == check_id, SpotCheck.state == "due").values(state="claimed"),
    )


async def release(session: AsyncSession, now: datetime, not_before: datetime) -> tuple[int, int]:
    """Turn planned checks whose moment has come `due`, or `missed` if it is before `not_before`."""
    running = select(Plan.id).where(Plan.running)
    planned = (SpotCheck.state == "planned", SpotCheck.plan_id.in_(running))
    over = {"state": "missed", "closed_at": now, "closed_why": "late"}
    missed = await _count(
        session, update(SpotCheck).where(*planned, SpotCheck.due_at < not_before).values(**over)
    )
    released = await _count(
        session, update(SpotCheck).where(*planned, SpotCheck.due_at <= now).values(state="due")
    )
    return released, missed


async def planned_until(session: AsyncSession, now: datetime) -> bool:
    """Whether a planned check of a running plan has come due."""
    query = (
        select(SpotCheck.id)
        .join(SpotCheck.plan)
        .where(SpotCheck.state == "planned", SpotCheck.due_at <= now, Plan.running)
        .limit(1)
    )
    return await session.scalar(query) is not None


async def withdraw_due(session: AsyncSession, reason: str) -> int:
    """Withdraw the due checks whose reason begins so; return how many."""
    return await _count(
        session,
        update(SpotCheck)
        .where(SpotCheck.state == "due", SpotCheck.reason.startswith(reason, autoescape=True))
        .values(state="withdrawn", closed_at=clock.now(), closed_why="demonstration"),
    )


async def verdict_codes(session: AsyncSession, attempt_ids: Sequence[int]) -> dict[int, str]:
    """The codes of the verdicts of some calls, by call; those without one are left out."""
    query = select(Attempt.id, Attempt.verdict_code).where(Attempt.id.in_(attempt_ids))
    rows = await session.execute(query) if attempt_ids else ()
    return {key: code for key, code in rows if code is not None}


async def claimed(session: AsyncSession, check_id: int) -> SpotCheck:
    """The check that was just taken, with its line and plan."""
    return (
        await session.scalars(
            select(SpotCheck)
            .where(SpotCheck.id == check_id)
            .options(joinedload(SpotCheck.line), joinedload(SpotCheck.plan))
        )
    ).one()


async def attempt(session: AsyncSession, attempt_id: int) -> Attempt:
    """One attempt with its check."""
    return (
        await session.scalars(
            select(Attempt).where(Attempt.id == attempt_id).options(joinedload(Attempt.check))
        )
    ).one()


async def ring_delays(session: AsyncSession, line_id: int, limit: int = 20) -> Sequence[tuple[str, float]]:
    """Trunks and post-dial delays of a line's last calls that rang, newest first; proven forwarding left out."""
    query = (
        select(Attempt.trunk, Attempt.post_dial_delay_ms)
        .where(
            Attempt.line_id == line_id,
            Attempt.state == "finished",
            Attempt.post_dial_delay_ms.is_not(None),
            Attempt.trunk.is_not(None),
            Attempt.verdict_code.is_distinct_from("forwarded"),
        )
        .order_by(Attempt.id.desc())
        .limit(limit)
    )
    rows = (await session.execute(query)).all()
    return [(trunk, delay_ms) for trunk, delay_ms in rows if trunk is not None and delay_ms is not None]


async def targets_of(session: AsyncSession, attempt_id: int) -> Sequence[AttemptTarget]:
    """The targets of an attempt, in the order in which they were tried."""
    query = select(AttemptTarget).where(AttemptTarget.attempt_id == attempt_id)
    return (await session.scalars(query.order_by(AttemptTarget.position))).all()


async def target(session: AsyncSession, target_id: int) -> AttemptTarget:
    """One target."""
    return (await session.scalars(select(AttemptTarget).where(AttemptTarget.id == target_id))).one()


async def live_of_others(session: AsyncSession, owner: str) -> Sequence[Attempt]:
    """Live attempts that this process does not hold."""
    query = select(Attempt).where(IS_LIVE, Attempt.owner != owner)
    return (await session.scalars(query.options(joinedload(Attempt.check)))).all()


async def unreleased(session: AsyncSession) -> Sequence[Attempt]:
    """Attempts that went wrong on our side and whose far end still has to be told."""
    query = select(Attempt).where(
        Attempt.state.in_(("interrupted", "failed")),
        Attempt.released_at.is_(None),
        Attempt.snapshot.is_not(None),
    )
    return (await session.scalars(query.options(selectinload(Attempt.targets)))).all()


async def unrecorded(session: AsyncSession, limit: int = 1000) -> Sequence[Attempt]:
    """The last concluded attempts that were dialled and have no recording."""
    query = (
        select(Attempt)
        .outerjoin(Attempt.recording)
        .where(Attempt.state.not_in(LIVE_STATES), Attempt.snapshot.is_not(None), Recording.id.is_(None))
        .order_by(Attempt.id.desc())
        .limit(limit)
    )
    return (await session.scalars(query)).all()


async def recording_of(session: AsyncSession, attempt_id: int) -> Recording | None:
    """The recording of an attempt, where there is one."""
    return await session.scalar(select(Recording).where(Recording.attempt_id == attempt_id))


async def recording(session: AsyncSession, recording_id: int) -> Recording | None:
    """One recording."""
    return await session.get(Recording, recording_id)


async def open_checks(session: AsyncSession) -> int:
    """How many checks are due or under way."""
    query = select(func.count()).select_from(SpotCheck).where(SpotCheck.state.in_(("due", "claimed")))
    return await session.scalar(query) or 0


async def live_count(session: AsyncSession) -> int:
    """How many calls to units that the reader sees are under way."""
    # First those under way, which are few, then their units: asked for both at once, SQLite goes through all calls of
    # all units in scope.
    under_way = select(Attempt.unit_id).where(IS_LIVE).execution_options(every_unit=True)
    called = (await session.scalars(under_way)).all()
    seen = set(await session.scalars(select(Unit.id).where(Unit.id.in_(set(called)))))
    return sum(unit in seen for unit in called)


async def attempts_of(session: AsyncSession, check_ids: Sequence[int]) -> Sequence[Attempt]:
    """The attempts of some checks, with their units."""
    query = select(Attempt).where(Attempt.check_id.in_(check_ids)).options(joinedload(Attempt.unit))
    return (await session.scalars(query.order_by(Attempt.id))).all()


async def _changed(session: AsyncSession, statement: Any) -> bool:
    return await _count(session, statement) == 1


async def _count(session: AsyncSession, statement: Any) -> int:
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount
