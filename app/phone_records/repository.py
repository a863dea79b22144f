"""All queries of phone records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from app.api.newest import Place
from app.checks.models import Mitigation, Recording, SpotCheck
from app.directory.models import Person, Unit
from app.directory.repository import below
from app.phone_records.models import PhoneRecord, PhoneRecordVersion
from app.transcripts.models import Transcription


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which records are listed."""

    state: str | None = None
    source: str | None = None
    below: Unit | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    session: AsyncSession, asked: Narrowed, after: Place | None, limit: int
) -> Sequence[PhoneRecord]:
    """Records with their versions, newest call first."""
    query = select(PhoneRecord).options(selectinload(PhoneRecord.versions))
    if asked.state is not None:
        query = query.where(PhoneRecord.state == asked.state)
    if asked.source is not None:
        query = query.where(PhoneRecord.source == asked.source)
    if asked.below is not None:
        query = query.where(PhoneRecord.unit_id.in_(select(Unit.id).where(below(asked.below))))
    if asked.since is not None:
        query = query.where(PhoneRecord.called_at >= asked.since)
    if asked.until is not None:
        query = query.where(PhoneRecord.called_at < asked.until)
    if after is not None:
        at, key = PhoneRecord.called_at, PhoneRecord.id
        query = query.where(at <= after.at, or_(at < after.at, key < after.key))
    order = (PhoneRecord.called_at.desc(), PhoneRecord.id.desc())
    return (await session.scalars(query.order_by(*order).limit(limit))).all()


async def record(session: AsyncSession, record_id: int, *, to_change: bool = False) -> PhoneRecord | None:
    """One record with its versions, as they stand in the database; `to_change`: nobody else changes it meanwhile."""
    query = (
        select(PhoneRecord)
        .where(PhoneRecord.id == record_id)
        .options(selectinload(PhoneRecord.versions))
        .execution_options(populate_existing=True)
    )
    return await session.scalar(query.with_for_update() if to_change else query)


async def by_number(session: AsyncSession, number: str) -> PhoneRecord | None:
    """The record with this number."""
    return await session.scalar(select(PhoneRecord).where(PhoneRecord.number == number))


async def of_recording(session: AsyncSession, recording_id: int) -> Sequence[PhoneRecord]:
    """The records that were filled from a recording, oldest first; nobody else changes them meanwhile."""
    query = (
        select(PhoneRecord)
        .where(PhoneRecord.recording_id == recording_id)
        .options(selectinload(PhoneRecord.versions))
        .order_by(PhoneRecord.id)
        .execution_options(populate_existing=True)
        .with_for_update()
    )
    return (await session.scalars(query)).all()


async def correcting(session: AsyncSession, record_id: int) -> PhoneRecord | None:
    """The newest record that puts another one right."""
    query = select(PhoneRecord).where(PhoneRecord.corrects_id == record_id).order_by(PhoneRecord.id.desc())
    return await session.scalar(query.limit(1))


async def last_number(session: AsyncSession, year: int) -> str | None:
    """The last number that was given in a year."""
    query = (
        select(PhoneRecord.number)
        .where(PhoneRecord.number.startswith(f"{year}-", autoescape=True))
        .order_by(func.length(PhoneRecord.number).desc(), PhoneRecord.number.desc())
        .execution_options(every_unit=True)
    )
    return await session.scalar(query.limit(1))


async def newest_content(session: AsyncSession) -> PhoneRecordVersion | None:
    """The version that was written last."""
    return await session.scalar(select(PhoneRecordVersion).order_by(PhoneRecordVersion.id.desc()).limit(1))


async def recording(session: AsyncSession, recording_id: int) -> Recording | None:
    """One recording as it stands in the database; nobody else withdraws it meanwhile."""
    return await session.get(Recording, recording_id, populate_existing=True, with_for_update={"read": True})


async def report_with(session: AsyncSession, sha256: str) -> Recording | None:
    """The recording of a report whose sound has this hash, and that is kept: neither gone nor about to go."""
    query = select(Recording).where(
        Recording.sha256 == sha256, Recording.kind == "report", Recording.gone_why.is_(None)
    )
    # The archive keeps one sound once, whosever it is.
    return await session.scalar(query.limit(1).execution_options(every_unit=True))


async def withdrawn_with(session: AsyncSession, sha256: str) -> Recording | None:
    """A recording that was withdrawn (封存) whose sound has this hash."""
    query = select(Recording).where(Recording.sha256 == sha256, Recording.gone_why == "withdrawn")
    return await session.scalar(query.order_by(Recording.id).limit(1).execution_options(every_unit=True))


async def transcription(session: AsyncSession, recording_id: int) -> Transcription | None:
    """The newest transcription of a recording that is done."""
    query = select(Transcription).where(
        Transcription.recording_id == recording_id, Transcription.state == "done"
    )
    return await session.scalar(query.order_by(Transcription.id.desc()).limit(1))


async def mitigation(session: AsyncSession, key: int) -> tuple[Mitigation, Unit] | None:
    """What was recorded beside an order, with the order's unit."""
    query = (
        select(Mitigation, Unit)
        .join(SpotCheck, SpotCheck.id == Mitigation.check_id)
        .join(Unit, Unit.id == SpotCheck.unit_id)
        .where(Mitigation.id == key)
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def unit(session: AsyncSession, unit_id: int) -> Unit | None:
    """One unit."""
    return await session.get(Unit, unit_id)


async def units_named(session: AsyncSession, name: str) -> Sequence[Unit]:
    """The units with exactly this name."""
    return (await session.scalars(select(Unit).where(Unit.name == name))).all()


async def unit_names(session: AsyncSession) -> dict[int, str]:
    """Every unit's name by key."""
    rows = await session.execute(select(Unit.id, Unit.name))
    return {row.id: row.name for row in rows}


async def people_of(session: AsyncSession, unit_id: int) -> Sequence[str]:
    """The names of a unit's people."""
    return (await session.scalars(select(Person.name).where(Person.unit_id == unit_id))).all()
