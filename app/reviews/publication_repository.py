"""All queries of publications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.reviews.models import Case, Publication, PublicationEntry
from app.reviews.states import State


async def publication(session: AsyncSession, publication_id: int) -> Publication | None:
    """One publication."""
    return await session.get(Publication, publication_id)


async def page(
    session: AsyncSession, after: tuple[datetime, int] | None, affected: bool | None, limit: int
) -> Sequence[Publication]:
    """Publications, newest first; `affected`: only those of which a case was overturned since, or only the others."""
    query = select(Publication)
    if after is not None:
        query = query.where(tuple_(Publication.published_at, Publication.id) < tuple_(*after))
    if affected is not None:
        overturned = (
            select(PublicationEntry.case_id)
            .join(Case, Case.id == PublicationEntry.case_id)
            .where(PublicationEntry.publication_id == Publication.id, Case.state == State.OVERTURNED.value)
            .exists()
        )
        query = query.where(overturned if affected else ~overturned)
    order = (Publication.published_at.desc(), Publication.id.desc())
    return (await session.scalars(query.order_by(*order).limit(limit))).all()


async def counts(session: AsyncSession, publication_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """For each publication: how many cases stand in it, and how many of them were overturned since."""
    query = (
        select(
            PublicationEntry.publication_id,
            func.count(),
            func.count().filter(Case.state == State.OVERTURNED.value),
        )
        .join(Case, Case.id == PublicationEntry.case_id)
        .where(PublicationEntry.publication_id.in_(publication_ids))
        .group_by(PublicationEntry.publication_id)
    )
    return {row[0]: (row[1], row[2]) for row in await session.execute(query)}


async def cases_in(session: AsyncSession, publication_id: int) -> Sequence[Case]:
    """The cases of a publication, by their keys."""
    query = (
        select(Case)
        .join(PublicationEntry, PublicationEntry.case_id == Case.id)
        .where(PublicationEntry.publication_id == publication_id)
        .order_by(Case.id)
    )
    return (await session.scalars(query)).all()
