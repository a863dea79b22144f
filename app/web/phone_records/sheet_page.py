"""The page of a phone record (电话记录单): to be read, and printed on A4; beside it what may be done with it."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from app.directory.routing import State
from app.errors import NotFoundError
from app.phone_records import form, service
from app.phone_records.models import PhoneRecord
from app.phone_records.sheet import sheet
from app.web.pages import render
from app.web.spoken import Trouble
from app.web.views import clock_time

READ = ["GET", "HEAD"]
NOTHING_WRONG = Trouble("", "", 200)

router = APIRouter(include_in_schema=False)


@router.api_route("/phone-records/{record_id}", methods=READ)
async def phone_record_page(request: Request, state: State, record_id: int) -> Response:
    """电话记录单: the newest version of one record."""
    return await sheet_page(request, state, record_id)


async def sheet_page(
    request: Request, state: State, record_id: int, wrong: Trouble = NOTHING_WRONG
) -> Response:
    """Show one record; `wrong` is the form that was just refused."""
    zone = state[1].zone
    record = await read(state, record_id)
    corrects = "" if record.corrects_id is None else (await read(state, record.corrects_id)).number
    return render(
        request,
        "phone_records/sheet.html",
        wrong.status,
        sheet=sheet(record, zone, corrects),
        record=record,
        newest=service.newest(record).version,
        versions=[
            (one, clock_time(one.written_at, zone), len(form.unchecked(one.content)))
            for one in record.versions
        ],
        unchecked=form.UNCHECKED,
        unsigned=form.UNSIGNED,
        withdrawn=service.newest(record).content["withdrawn"],
        holds=service.holds(record),
        trouble=wrong,
    )


async def read(state: State, record_id: int) -> PhoneRecord:
    """One record with its versions. Raises 404."""
    async with state[0].reading() as session:
        try:
            return await service.get(session, record_id if 0 < record_id < 2**63 else 0)
        except NotFoundError as error:
            raise HTTPException(404, error.detail) from error
