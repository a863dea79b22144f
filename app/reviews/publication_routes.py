"""Publications: tables and bulletins, and what in them no longer holds."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.actor import Actor
from app.api.paging import After, Limit, Page, cut, pack
from app.errors import NotFoundError
from app.reviews import publication_repository, publishing, views
from app.reviews.models import Publication
from app.reviews.schemas import PublicationDetail, PublicationOut, PublicationRef, PublishIn
from app.reviews.serving import PathKey, Service, place

router = APIRouter(prefix="/api/v1", tags=["review"])


@router.post("/publications", status_code=201)
async def publish(given: Service, body: PublishIn, who: Actor) -> PublicationDetail:
    """通报: enter a table or bulletin with the confirmed cases that stand in it, all of them or none."""
    async with given[0].unit_of_work() as session:
        row = await publishing.publish(session, who, body.kind, body.title, body.case_ids, body.note)
        return await _detail(session, row)


@router.get("/publications")
async def list_publications(
    given: Service, affected: bool | None = None, after: After = None, limit: Limit = 50
) -> Page[PublicationOut]:
    """Publications, newest first; `affected`: only those of which a case was overturned since."""
    spot = place(after)
    async with given[0].reading() as session:
        rows = await publication_repository.page(session, spot, affected, limit + 1)
        found, end = cut(rows, limit)
        items = await _rows(session, found)
    return Page(items=items, next=None if end is None else pack(end.published_at, end.id))


@router.get("/publications/{publication_id}")
async def show_publication(given: Service, publication_id: PathKey) -> PublicationDetail:
    """One publication with its cases as they stand by now."""
    async with given[0].reading() as session:
        row = await publication_repository.publication(session, publication_id)
        if row is None:
            raise NotFoundError(f"没有通报 {publication_id} (no such publication)")
        return await _detail(session, row)


async def _rows(session: AsyncSession, found: Sequence[Publication]) -> list[PublicationOut]:
    counts = await publication_repository.counts(session, [row.id for row in found])
    return [
        PublicationOut(
            **PublicationRef.model_validate(row).model_dump(),
            note=row.note,
            cases=counts.get(row.id, (0, 0))[0],
            overturned=counts.get(row.id, (0, 0))[1],
        )
        for row in found
    ]


async def _detail(session: AsyncSession, row: Publication) -> PublicationDetail:
    cases = await publication_repository.cases_in(session, row.id)
    shown = (await _rows(session, [row]))[0]
    return PublicationDetail(**shown.model_dump(), items=await views.rows(session, cases))
