"""All queries of what was heard in answers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.answers.models import AnswerItem
from app.checks.models import Attempt
from app.directory.models import DutyLine, LineUnit, Person, Unit
from app.transcripts.models import Transcription
from app.trunks.models import PolicyNumber


async def has_attempt(session: AsyncSession, attempt_id: int) -> bool:
    """Whether there is this attempt."""
    return await session.scalar(select(Attempt.id).where(Attempt.id == attempt_id)) is not None


async def page(session: AsyncSession, attempt_id: int, after: int | None, limit: int) -> Sequence[AnswerItem]:
    """Items of an attempt, in the order in which they were found."""
    query = select(AnswerItem).where(AnswerItem.attempt_id == attempt_id)
    if after is not None:
        query = query.where(AnswerItem.id > after)
    return (await session.scalars(query.order_by(AnswerItem.id).limit(limit))).all()


async def drop_unanswered(session: AsyncSession, attempt_id: int) -> None:
    """Delete the items of an attempt that nobody has answered."""
    await session.execute(
        delete(AnswerItem).where(AnswerItem.attempt_id == attempt_id, AnswerItem.answered_at.is_(None))
    )


async def answered(session: AsyncSession, attempt_id: int) -> Sequence[AnswerItem]:
    """Items of an attempt that a person has answered."""
    query = select(AnswerItem).where(AnswerItem.attempt_id == attempt_id, AnswerItem.answered_at.is_not(None))
    return (await session.scalars(query)).all()


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Take away what was heard in a recording; of an item that a person has answered the answer stays."""
    of_recording = AnswerItem.transcription_id.in_(
        select(Transcription.id).where(Transcription.recording_id == recording_id)
    )
    await session.execute(delete(AnswerItem).where(of_recording, AnswerItem.answered_at.is_(None)))
    await session.execute(
        update(AnswerItem)
        .where(of_recording)
        .values(heard="", heard_pinyin="", expected="", distance=None, note="", evidence={"withdrawn": True})
    )


async def unit_ids(session: AsyncSession, attempt: Attempt) -> tuple[int, ...]:
    """The units that an attempt's line reaches, the one that answers for it first."""
    query = select(LineUnit.unit_id).where(LineUnit.line_id == attempt.line_id).order_by(LineUnit.unit_id)
    further = (await session.scalars(query)).all()
    return tuple(dict.fromkeys((attempt.unit_id, *further)))


async def units(session: AsyncSession, keys: Sequence[int]) -> Sequence[Unit]:
    """These units, in the order of the keys."""
    found = {unit.id: unit for unit in await session.scalars(select(Unit).where(Unit.id.in_(keys)))}
    return [found[key] for key in keys if key in found]


async def lines(session: AsyncSession, keys: Sequence[int]) -> Sequence[DutyLine]:
    """The lines of these units, shared ones among them."""
    shared = select(LineUnit.line_id).where(LineUnit.unit_id.in_(keys))
    query = select(DutyLine).where(or_(DutyLine.unit_id.in_(keys), DutyLine.id.in_(shared)))
    return (await session.scalars(query.order_by(DutyLine.id))).all()


async def people(session: AsyncSession, keys: Sequence[int]) -> Sequence[Person]:
    """The people of these units."""
    query = select(Person).where(Person.unit_id.in_(keys)).order_by(Person.id)
    return (await session.scalars(query)).all()


async def stored_keys(session: AsyncSession) -> frozenset[str]:
    """Answer keys as they were entered."""
    query = select(PolicyNumber.number).where(PolicyNumber.kind == "answer_key")
    return frozenset(await session.scalars(query))
