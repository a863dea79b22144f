"""All queries of the audit trail and its chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, insert, or_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.audit_lines import FIRST, Line, told
from app.accounts.models import AuditEvent, AuditLink

LATE = 5_000
"""So many lines back it is looked each time whether one came late: a transaction that began earlier and ended later."""
ALIKE = ("check", "order")
"""Kinds of subjects that name the same: what was ordered, by the same key."""
_ADVISORY_KEY = 0x6475747941756474
"""Of PostgreSQL's lock on the chain ("dutyAudt"); SQLite has one writer anyway."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked of the trail."""

    who: str = ""
    action: str = ""
    subject: str = ""
    """One subject such as `recording:12`, or a kind of them such as `recording`."""
    since: datetime | None = None
    until: datetime | None = None
    """Lines before this moment."""
    refused: bool = False
    """Only what was refused or failed."""


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The last line of the chain."""

    number: int = 0
    digest: str = FIRST


async def lock_chain(session: AsyncSession) -> None:
    """Wait until nobody else seals; they wait until this unit of work is over."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})


async def end(session: AsyncSession) -> ChainEnd:
    """The last line of the chain; its beginning where nothing is sealed."""
    query = select(AuditLink.number, AuditLink.digest).order_by(AuditLink.number.desc()).limit(1)
    row = (await session.execute(query)).one_or_none()
    return ChainEnd() if row is None else ChainEnd(row.number, row.digest)


async def unsealed(session: AsyncSession, limit: int, *, every: bool = False) -> Sequence[AuditEvent]:
    """Lines that are in no chain yet, by key; `every` looks through the whole trail, else near its end."""
    query = select(AuditEvent).where(
        ~select(AuditLink.number).where(AuditLink.event_id == AuditEvent.id).exists()
    )
    if not every:
        last = await session.scalar(select(AuditLink.event_id).order_by(AuditLink.number.desc()).limit(1))
        query = query.where(AuditEvent.id > (last or 0) - LATE)
    return (await session.scalars(query.order_by(AuditEvent.id).limit(limit))).all()


async def add_links(session: AsyncSession, lines: Sequence[Line]) -> None:
    """Seal lines."""
    rows = [{"number": line.number, "event_id": line.event["id"], "digest": line.digest} for line in lines]
    if rows:
        await session.execute(insert(AuditLink), rows)


async def lines_after(
    session: AsyncSession, number: int, limit: int, last: int | None = None
) -> Sequence[Line]:
    """Sealed lines after a place of the chain, up to `last`, in its order, with what the trail says of each now."""
    query = (
        select(AuditLink.number, AuditLink.digest, AuditEvent)
        .outerjoin(AuditEvent, AuditEvent.id == AuditLink.event_id)
        .where(AuditLink.number > number)
        .order_by(AuditLink.number)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if last is not None:
        query = query.where(AuditLink.number <= last)
    rows = (await session.execute(query)).all()
    return [Line(row[0], {} if row[2] is None else told(row[2]), row[1]) for row in rows]


async def link_range(
    session: AsyncSession, since: datetime | None, until: datetime | None
) -> tuple[int, int] | None:
    """First and last number of the sealed lines of a time; None where there are none."""
    query = (
        select(func.min(AuditLink.number), func.max(AuditLink.number))
        .join(AuditEvent, AuditEvent.id == AuditLink.event_id)
        .where(*_in_time(since, until))
    )
    first, last = (await session.execute(query)).one()
    return None if first is None else (first, last)


async def digest_of(session: AsyncSession, number: int) -> str | None:
    """The digest of a line of the chain; of its beginning for 0."""
    if number == 0:
        return FIRST
    return await session.scalar(select(AuditLink.digest).where(AuditLink.number == number))


async def page(
    session: AsyncSession, asked: Filter, after: tuple[datetime, int] | None, limit: int
) -> Sequence[tuple[AuditEvent, int | None]]:
    """Lines of the trail, newest first, each with its number in the chain."""
    query = select(AuditEvent, AuditLink.number).outerjoin(AuditLink, AuditLink.event_id == AuditEvent.id)
    query = query.where(*_in_time(asked.since, asked.until))
    if asked.who:
        query = query.where(AuditEvent.who == asked.who)
    if asked.action:
        query = query.where(AuditEvent.action == asked.action)
    if asked.subject:
        kind, colon, key = asked.subject.partition(":")
        about = [_about(each, f"{colon}{key}") for each in (ALIKE if kind in ALIKE else (kind,))]
        query = query.where(or_(*about))
    if asked.refused:
        query = query.where(~AuditEvent.done)
    if after is not None:
        query = query.where(AuditEvent.at <= after[0], tuple_(AuditEvent.at, AuditEvent.id) < tuple_(*after))
    rows = await session.execute(query.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]


async def waiting(session: AsyncSession) -> int:
    """How many lines near the end of the trail are not sealed yet."""
    return len(await unsealed(session, LATE))


def _about(kind: str, key: str) -> ColumnElement[bool]:
    """Lines about one subject, or, without a key, about all of its kind."""
    subject = AuditEvent.subject
    return subject == f"{kind}{key}" if key else subject.startswith(f"{kind}:", autoescape=True)


def _in_time(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    conditions = []
    if since is not None:
        conditions.append(AuditEvent.at >= since)
    if until is not None:
        conditions.append(AuditEvent.at < until)
    return conditions
