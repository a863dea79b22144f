"""季度核对: which units have confirmed their entry, and which have still to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.paging import cut, pack
from app.directory import lists, quarters
from app.directory.routing import State, code_after, today
from app.web.pages import render
from app.web.units import repository, words

READ = ["GET", "HEAD"]
PAGE_ROWS = 50
SHOWN = {"missing": False, "done": True, "all": None}
router = APIRouter(include_in_schema=False)


@router.api_route("/units/confirmations", methods=READ)
async def confirmations_page(
    request: Request,
    state: State,
    quarter: Annotated[str, Query(max_length=6)] = "",
    show: Annotated[str, Query(max_length=10)] = "missing",
    after: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """The units of a quarter by code: those that have not confirmed unless others are asked for."""
    database, settings = state
    day = today(settings)
    asked = quarter or quarters.quarter_of(day)
    days = quarters.days_of(asked)
    shown = show if show in SHOWN else "missing"
    async with database.reading() as session:
        found = await lists.confirmations(
            session, asked, days, None, SHOWN[shown], code_after(after or None), PAGE_ROWS + 1
        )
        page, last = cut(found, PAGE_ROWS)
        units, confirmed = await repository.quarter_counts(session, asked, days, None)
    rows = [(unit, row, quarters.state_of(asked, day, confirmed=row is not None)) for unit, row in page]
    return render(
        request,
        "units/confirmations.html",
        rows=rows,
        quarter=asked,
        quarters=_around(asked),
        last_day=days[1],
        units=units,
        confirmed=confirmed,
        show=shown,
        is_present=days[0] <= day,
        next_place="" if last is None else pack(last[0].code),
        zone=settings.zone,
        words=words,
    )


def _around(quarter: str) -> list[str]:
    """A quarter with the four before it and the one behind."""
    number = int(quarter[:4]) * 4 + int(quarter[5]) - 1
    found = [f"{each // 4:04}Q{each % 4 + 1}" for each in range(number + 1, number - 5, -1)]
    return [each for each in found if quarters.FIRST_YEAR <= int(each[:4]) <= quarters.LAST_YEAR]
