"""The page of a phone record (电话记录单): to be read, and printed on A4. It has no script."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from app.directory.routing import State
from app.errors import NotFoundError
from app.phone_records import form, service
from app.phone_records.sheet import sheet
from app.web.pages import render

READ = ["GET", "HEAD"]

router = APIRouter(include_in_schema=False)


@router.api_route("/phone-records/{record_id}", methods=READ)
async def phone_record_page(request: Request, state: State, record_id: int) -> Response:
    """电话记录单: the newest version of one record."""
    database, settings = state
    async with database.reading() as session:
        try:
            record = await service.get(session, record_id if 0 < record_id < 2**63 else 0)
            corrects = (
                "" if record.corrects_id is None else (await service.get(session, record.corrects_id)).number
            )
        except NotFoundError as error:
            raise HTTPException(404, error.detail) from error
    return render(
        request,
        "phone_record.html",
        sheet=sheet(record, settings.zone, corrects),
        record=record,
        unchecked=form.UNCHECKED,
        unsigned=form.UNSIGNED,
        withdrawn=service.newest(record).content["withdrawn"],
        holds=service.holds(record),
    )
