"""Queries of the search. What is found is a recording in which all phrases are said, newest call first.

A phrase may be said in every call or in one of 100,000, and neither database can tell before it has looked. So:

1. A glance at the newest pieces of all. Common phrases fill their page from it.
2. Else, the pieces of the units that are asked for are gone through where they are few.
3. Else the full text index gives every piece that has the phrases: FTS5 on SQLite, GIN on PostgreSQL. The latter keeps
   no positions; it finds the pieces with all pairs of neighbours, and their order is looked at in the pieces found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    table,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, aliased, joinedload
from sqlalchemy.sql.selectable import Subquery

from app.api.newest import Place
from app.checks.models import Attempt, Recording
from app.directory.models import Unit
from app.phone_records.models import PhoneRecord
from app.transcripts.models import Transcription, TranscriptPiece
from app.transcripts.search_words import Phrase

GLANCE_ROWS = 4_000
"""Pieces; some 10 ms of either database."""
FEW_ROWS = 20_000
"""Pieces of the units asked for that are gone through one by one: some 50 ms."""
RARE_ROWS = 5_000
"""Pieces with a phrase: with fewer it leads to the recordings that are looked at for the others."""
_SEARCH = table("transcript_search", column("rowid"))

Text = ColumnElement[str] | InstrumentedAttribute[str]
Key = tuple[int, datetime]
"""A recording and when its call was."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for, and where."""

    phrases: tuple[Phrase, ...]
    below: Unit | None = None
    """This unit and all below it."""
    since: datetime | None = None
    until: datetime | None = None
    """Calls before this moment."""
    channel: str | None = None
    recording_id: int | None = None


async def newest(session: AsyncSession, asked: Asked, after: Place | None, limit: int) -> Sequence[Key]:
    """The recordings in which every phrase is said, newest call first, `limit` of them at most."""
    time = _time(asked, after)
    if asked.recording_id is not None:
        return await _keys(session, asked, _pieces(TranscriptPiece.recording_id == asked.recording_id), limit)
    glance = _glanced(time)
    found = await _keys(session, asked, glance, limit)
    seen = await session.scalar(select(func.count()).select_from(glance))
    if len(found) == limit or (seen or 0) < GLANCE_ROWS:
        return found
    if asked.below is not None:
        theirs = and_(TranscriptPiece.unit_id.in_(_below(asked.below)), time)
        some = select(TranscriptPiece.id).where(theirs).limit(FEW_ROWS + 1).subquery()
        count = await session.scalar(select(func.count()).select_from(some)) or 0
        if not count:
            return []
        if count <= FEW_ROWS:
            # By their keys: joined with the tree, PostgreSQL goes through everybody's for the words.
            units = (await session.scalars(_below(asked.below))).all()
            theirs = and_(TranscriptPiece.unit_id.in_(units), time)
            return await _keys(session, asked, _pieces(theirs), limit)
    return await _by_index(session, asked, time, limit)


async def pieces(session: AsyncSession, recordings: Sequence[int], asked: Asked) -> Sequence[TranscriptPiece]:
    """The pieces of these recordings that have one of the phrases, in order of time."""
    query = (
        select(TranscriptPiece)
        .where(
            TranscriptPiece.recording_id.in_(recordings),
            or_(*(_has(TranscriptPiece.sought, phrase) for phrase in asked.phrases)),
            *([TranscriptPiece.channel == asked.channel] if asked.channel else []),
        )
        .order_by(TranscriptPiece.recording_id, TranscriptPiece.start_ms, TranscriptPiece.id)
    )
    return (await session.scalars(query)).all()


async def recordings(session: AsyncSession, keys: Sequence[int]) -> Mapping[int, Recording]:
    """Of these recordings, those whose sound is still there."""
    query = select(Recording).where(Recording.id.in_(keys), Recording.gone_why.is_(None))
    return {row.id: row for row in await session.scalars(query)}


async def attempts(session: AsyncSession, keys: Sequence[int]) -> Mapping[int, Attempt]:
    """Attempts with their units."""
    query = select(Attempt).where(Attempt.id.in_(keys)).options(joinedload(Attempt.unit))
    return {row.id: row for row in await session.scalars(query)}


async def units(session: AsyncSession, keys: Sequence[int]) -> Mapping[int, Unit]:
    """Units by key."""
    return {row.id: row for row in await session.scalars(select(Unit).where(Unit.id.in_(keys)))}


async def phone_records(session: AsyncSession, recordings: Sequence[int]) -> Mapping[int, PhoneRecord]:
    """The newest phone record of each of these recordings."""
    query = select(PhoneRecord).where(PhoneRecord.recording_id.in_(recordings)).order_by(PhoneRecord.id)
    return {row.recording_id: row for row in await session.scalars(query) if row.recording_id is not None}


async def transcriptions(session: AsyncSession, keys: Sequence[int]) -> Mapping[int, Transcription]:
    """Transcriptions by key."""
    query = select(Transcription).where(Transcription.id.in_(keys))
    return {row.id: row for row in await session.scalars(query)}


async def newer_is_done(session: AsyncSession, transcription: Transcription) -> bool:
    """Whether a later transcription of the same recording is done."""
    query = select(Transcription.id).where(
        Transcription.recording_id == transcription.recording_id,
        Transcription.id > transcription.id,
        Transcription.state == "done",
    )
    return await session.scalar(query.limit(1)) is not None


async def _keys(session: AsyncSession, asked: Asked, rows: Subquery, limit: int) -> Sequence[Key]:
    """Of these pieces, the newest recordings that have every phrase."""
    told = [_has(rows.c.sought, phrase) for phrase in asked.phrases]
    query = (
        select(rows.c.recording_id, rows.c.called_at)
        .where(or_(*told), *_filters(asked, rows))
        .group_by(rows.c.recording_id, rows.c.called_at)
    )
    if len(told) > 1:
        query = query.having(and_(*(func.max(case((one, 1), else_=0)) == 1 for one in told)))
    return await _read(session, query, rows.c.called_at, rows.c.recording_id, limit)


async def _by_index(
    session: AsyncSession, asked: Asked, time: ColumnElement[bool], limit: int
) -> Sequence[Key]:
    sqlite = session.get_bind().dialect.name == "sqlite"
    counts = {}
    for number, phrase in enumerate(asked.phrases if len(asked.phrases) > 1 else ()):
        some = (_fts5 if sqlite else _gin)(phrase, f"phrase_{number}", time).limit(RARE_ROWS).subquery()
        counts[phrase] = await session.scalar(select(func.count()).select_from(some)) or 0
    leading, *others = sorted(asked.phrases, key=lambda phrase: counts.get(phrase, 0))
    rows = (_fts5 if sqlite else _gin)(leading, "leading", time).subquery()
    query = select(rows.c.recording_id, rows.c.called_at).where(*_filters(asked, rows))
    for number, phrase in enumerate(others):
        if counts[leading] < RARE_ROWS:
            # So few that the other pieces of each recording are looked at.
            told = aliased(TranscriptPiece)
            there = [told.recording_id == rows.c.recording_id, _has(told.sought, phrase)]
            if asked.channel is not None:
                there.append(told.channel == asked.channel)
            query = query.where(exists().where(*there))
        else:
            other = (_fts5 if sqlite else _gin)(phrase, f"other_{number}", time).subquery()
            keys = select(other.c.recording_id).where(*_filters(asked, other))
            query = query.where(rows.c.recording_id.in_(keys))
    query = query.group_by(rows.c.recording_id, rows.c.called_at)
    return await _read(session, query, rows.c.called_at, rows.c.recording_id, limit)


def _fts5(phrase: Phrase, name: str, time: ColumnElement[bool]) -> Select[int, datetime, int | None, str]:
    asked = " OR ".join(f'"{" ".join(reading)}"' for reading in phrase.readings)
    match = literal_column("transcript_search").op("MATCH")(bindparam(name, asked))
    return _columns().join(_SEARCH, _SEARCH.c.rowid == TranscriptPiece.id).where(match, time)


def _gin(phrase: Phrase, name: str, time: ColumnElement[bool]) -> Select[int, datetime, int | None, str]:
    asked = " | ".join(f"({' & '.join(sorted(set(_leads(reading))))})" for reading in phrase.readings)
    match = literal_column("to_tsvector('simple', transcript_pieces.sought)").op("@@")(
        func.to_tsquery(literal_column("'simple'"), bindparam(name, asked))
    )
    return _columns().where(match, _has(TranscriptPiece.sought, phrase), time)


def _leads(reading: Sequence[str]) -> Sequence[str]:
    """What leads to a phrase in the index: its neighbours in pairs, or its one token."""
    return [one + other for one, other in pairwise(reading)] or reading


def _columns() -> Select[int, datetime, int | None, str]:
    return select(
        TranscriptPiece.recording_id,
        TranscriptPiece.called_at,
        TranscriptPiece.unit_id,
        TranscriptPiece.channel,
    )


def _pieces(condition: ColumnElement[bool]) -> Subquery:
    return _columns().add_columns(TranscriptPiece.sought).where(condition).subquery()


def _glanced(time: ColumnElement[bool]) -> Subquery:
    return (
        _columns()
        .add_columns(TranscriptPiece.sought)
        .where(time)
        .order_by(TranscriptPiece.called_at.desc(), TranscriptPiece.recording_id.desc())
        .limit(GLANCE_ROWS)
        .subquery()
    )


def _filters(asked: Asked, rows: Subquery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.below is not None:
        found.append(rows.c.unit_id.in_(_below(asked.below)))
    if asked.channel is not None:
        found.append(rows.c.channel == asked.channel)
    return found


def _below(unit: Unit) -> Select[int]:
    if not unit.path:
        return select(Unit.id).where(Unit.id == unit.id)
    return select(Unit.id).where(Unit.path.startswith(unit.path, autoescape=True))


def _time(asked: Asked, after: Place | None) -> ColumnElement[bool]:
    at, key = TranscriptPiece.called_at, TranscriptPiece.recording_id
    found: list[ColumnElement[bool]] = []
    if asked.since is not None:
        found.append(at >= asked.since)
    if asked.until is not None:
        found.append(at < asked.until)
    if after is not None:
        found += [at <= after.at, or_(at < after.at, key < after.key)]
    return and_(True, *found)


def _has(sought: Text, phrase: Phrase) -> ColumnElement[bool]:
    return or_(*(sought.contains(tokens) for tokens in phrase.contained))


async def _read(
    session: AsyncSession,
    query: Select[int, datetime],
    at: ColumnElement[datetime],
    key: ColumnElement[int],
    limit: int,
) -> Sequence[Key]:
    rows = await session.execute(query.order_by(at.desc(), key.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]
