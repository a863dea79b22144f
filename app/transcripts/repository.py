"""All queries of transcriptions and of calls read again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.checks.models import IS_LIVE, Attempt, Recording, SpotCheck, StoredVerdict
from app.transcripts.models import CallReading, Transcription

MOST_TRIES = 2
OPEN = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Figures:
    """How the queue stands."""

    waiting: int
    running: int
    failed: int
    oldest_at: datetime | None
    """Since when the oldest one waits."""


async def transcription(session: AsyncSession, key: int) -> Transcription | None:
    """One transcription as it stands in the database."""
    return await session.get(Transcription, key, populate_existing=True)


async def of_recording(session: AsyncSession, recording_id: int) -> Sequence[Transcription]:
    """Every transcription of a recording, newest first."""
    query = select(Transcription).where(Transcription.recording_id == recording_id)
    return (await session.scalars(query.order_by(Transcription.id.desc()))).all()


async def latest(session: AsyncSession, recording_id: int) -> Transcription | None:
    """The newest transcription of a recording that is done."""
    query = (
        select(Transcription)
        .where(Transcription.recording_id == recording_id, Transcription.state == "done")
        .order_by(Transcription.id.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def open_one(session: AsyncSession, recording_id: int) -> Transcription | None:
    """The transcription of a recording that waits or is under way."""
    query = (
        select(Transcription)
        .where(Transcription.recording_id == recording_id, Transcription.state.in_(OPEN))
        .order_by(Transcription.id.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def for_recordings(
    session: AsyncSession, recording_ids: Collection[int]
) -> dict[int, Sequence[Transcription]]:
    """By recording, its transcriptions, newest first."""
    query = select(Transcription).where(Transcription.recording_id.in_(recording_ids))
    found: dict[int, list[Transcription]] = {key: [] for key in recording_ids}
    for row in await session.scalars(query.order_by(Transcription.id.desc())):
        found[row.recording_id].append(row)
    return dict(found)


async def recording(session: AsyncSession, recording_id: int) -> Recording | None:
    """One recording as it stands in the database."""
    return await session.get(Recording, recording_id, populate_existing=True)


async def recording_held(session: AsyncSession, recording_id: int) -> Recording | None:
    """The same; nobody withdraws it before this unit of work is over."""
    return await session.get(Recording, recording_id, populate_existing=True, with_for_update={"read": True})


async def attempt(session: AsyncSession, attempt_id: int) -> Attempt:
    """One attempt with its facts and verdicts as they stand in the database."""
    query = (
        select(Attempt)
        .where(Attempt.id == attempt_id)
        .options(selectinload(Attempt.facts), selectinload(Attempt.verdicts))
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(query)).one()


async def attempt_live(session: AsyncSession, attempt_id: int) -> bool:
    """Whether this attempt is under way."""
    return await session.scalar(select(Attempt.id).where(Attempt.id == attempt_id, IS_LIVE)) is not None


async def any_live(session: AsyncSession) -> bool:
    """Whether any call is under way."""
    return await session.scalar(select(Attempt.id).where(IS_LIVE).limit(1)) is not None


async def connected(session: AsyncSession) -> Sequence[Attempt]:
    """The calls that are connected now, the newest first."""
    query = select(Attempt).where(IS_LIVE, Attempt.state == "connected")
    return (await session.scalars(query.order_by(Attempt.id.desc()))).all()


async def lock_order(session: AsyncSession, check_id: int) -> SpotCheck | None:
    """An order, which nobody else judges until this unit of work ends; as it stands in the database."""
    query = (
        select(SpotCheck)
        .where(SpotCheck.id == check_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return await session.scalar(query)


async def order_open(session: AsyncSession, check_id: int) -> bool:
    """Whether a recording of this order still waits for its transcript, or is being transcribed."""
    query = (
        select(Transcription.id)
        .join(Recording, Recording.id == Transcription.recording_id)
        .join(Attempt, Attempt.id == Recording.attempt_id)
        .where(Attempt.check_id == check_id, Transcription.state.in_(OPEN))
        .limit(1)
    )
    return await session.scalar(query) is not None


async def order_read(session: AsyncSession, recording_id: int) -> int | None:
    """The order of a recording of which a call was read again; None where none was."""
    calls = select(Attempt.check_id).join(Recording, Recording.attempt_id == Attempt.id)
    query = (
        select(Attempt.check_id)
        .join(CallReading, CallReading.attempt_id == Attempt.id)
        .where(Attempt.check_id.in_(calls.where(Recording.id == recording_id)))
        .limit(1)
    )
    return await session.scalar(query)


async def orders_left(session: AsyncSession, since: datetime) -> Sequence[int]:
    """Orders of which a call was read again, and another one lost its transcript since then without having had one."""
    ended = (Transcription.state.in_(("failed", "withdrawn")), Transcription.done_at >= since)
    query = (
        select(Attempt.check_id)
        .join(Recording, Recording.attempt_id == Attempt.id)
        .join(Transcription, Transcription.recording_id == Recording.id)
        .where(*ended)
    )
    read = (
        select(Attempt.check_id)
        .join(CallReading, CallReading.attempt_id == Attempt.id)
        .where(Attempt.check_id.in_(query))
        .distinct()
        .order_by(Attempt.check_id)
    )
    return (await session.scalars(read)).all()


async def readings(session: AsyncSession, attempt_ids: Iterable[int]) -> dict[int, CallReading]:
    """By attempt, the calls among these that were read again with their words."""
    query = select(CallReading).where(CallReading.attempt_id.in_(list(attempt_ids)))
    return {row.attempt_id: row for row in await session.scalars(query)}


async def reading(session: AsyncSession, attempt_id: int) -> CallReading | None:
    """One call as it was read again."""
    return await session.get(CallReading, attempt_id, populate_existing=True)


async def readings_of_recording(session: AsyncSession, recording_id: int) -> Sequence[CallReading]:
    """Calls that were read again with the words of a recording."""
    query = (
        select(CallReading)
        .join(Transcription, Transcription.id == CallReading.transcription_id)
        .where(Transcription.recording_id == recording_id)
    )
    return (await session.scalars(query)).all()


async def labels_of_verdicts(session: AsyncSession, attempt_id: int) -> frozenset[str]:
    """Labels of the rules by which a call was judged."""
    query = select(StoredVerdict.rule_set).where(StoredVerdict.attempt_id == attempt_id)
    return frozenset((await session.scalars(query)).all())


async def sound_of(session: AsyncSession, key: int) -> Transcription | None:
    """A transcription with its recording."""
    query = (
        select(Transcription)
        .where(Transcription.id == key)
        .options(joinedload(Transcription.recording))
        .execution_options(populate_existing=True)
    )
    return await session.scalar(query)


async def next_open(session: AsyncSession, now: datetime, *, oldest: bool) -> Transcription | None:
    """The one to be taken up next: one whose worker died before anything else, else the newest or oldest that waits."""
    left = and_(Transcription.state == "running", Transcription.lease_until < now)
    query = select(Transcription).where(left, Transcription.tries < MOST_TRIES)
    found = await session.scalar(query.order_by(Transcription.id).limit(1))
    if found is not None:
        return found
    order = Transcription.id if oldest else Transcription.id.desc()
    waiting = select(Transcription).where(Transcription.state == "waiting")
    return await session.scalar(waiting.order_by(order).limit(1))


async def figures(session: AsyncSession) -> Figures:
    """How the queue stands."""
    query = select(Transcription.state, func.count(), func.min(Transcription.requested_at))
    rows = (
        await session.execute(
            query.where(Transcription.state.in_((*OPEN, "failed"))).group_by(Transcription.state)
        )
    ).all()
    counts = {row[0]: row[1] for row in rows}
    oldest_at = next((row[2] for row in rows if row[0] == "waiting"), None)
    return Figures(counts.get("waiting", 0), counts.get("running", 0), counts.get("failed", 0), oldest_at)


async def page(
    session: AsyncSession, state: str | None, before: int | None, limit: int
) -> Sequence[Transcription]:
    """Transcriptions, newest first, of one state or of any."""
    query = select(Transcription)
    if state is not None:
        query = query.where(Transcription.state == state)
    if before is not None:
        query = query.where(Transcription.id < before)
    return (await session.scalars(query.order_by(Transcription.id.desc()).limit(limit))).all()


async def take(session: AsyncSession, row: Transcription, owner: str, now: datetime, until: datetime) -> bool:
    """Claim a transcription that nobody has under way; False where somebody was faster."""
    free = or_(
        Transcription.state == "waiting",
        and_(Transcription.state == "running", Transcription.lease_until < now),
    )
    statement = update(Transcription).where(Transcription.id == row.id, free)
    return await _changed(
        session,
        statement.values(state="running", owner=owner, lease_until=until, tries=Transcription.tries + 1),
    )


async def renew(session: AsyncSession, keys: Collection[int], owner: str, until: datetime) -> frozenset[int]:
    """Put off the leases of what we have under way; return which of these are still ours."""
    ours = (Transcription.id.in_(keys), Transcription.owner == owner, Transcription.state == "running")
    await _changed(session, update(Transcription).where(*ours).values(lease_until=until))
    return await held(session, keys, owner)


async def held(session: AsyncSession, keys: Collection[int], owner: str) -> frozenset[int]:
    """Which of these are under way and ours."""
    ours = (Transcription.id.in_(keys), Transcription.owner == owner, Transcription.state == "running")
    return frozenset(await session.scalars(select(Transcription.id).where(*ours)))


async def move(session: AsyncSession, key: int, holder: str | None, **values: Any) -> bool:
    """Change one that is under way and ours; False where it is not (any more)."""
    ours = (Transcription.id == key, Transcription.owner == holder, Transcription.state == "running")
    return await _changed(session, update(Transcription).where(*ours).values(**values))


async def release_of(session: AsyncSession, prefix: str) -> int:
    """Let what dead processes with such a name had under way wait again; return how many."""
    theirs = (Transcription.state == "running", Transcription.owner.startswith(prefix, autoescape=True))
    statement = update(Transcription).where(*theirs, Transcription.tries < MOST_TRIES)
    return await _count(session, statement.values(state="waiting", owner=None, lease_until=None))


async def give_up(session: AsyncSession, now: datetime, reason: str, prefix: str | None = None) -> int:
    """Let what took its worker down twice fail; return how many.

    Dead is who gave no sign of life, or whose name begins with `prefix`.
    """
    dead = Transcription.lease_until < now
    if prefix is not None:
        dead = or_(dead, Transcription.owner.startswith(prefix, autoescape=True))
    statement = update(Transcription).where(
        Transcription.state == "running", Transcription.tries >= MOST_TRIES, dead
    )
    return await _count(
        session, statement.values(state="failed", error=reason, done_at=now, owner=None, lease_until=None)
    )


async def _changed(session: AsyncSession, statement: Any) -> bool:
    return await _count(session, statement) > 0


async def _count(session: AsyncSession, statement: Any) -> int:
    result = await session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount
