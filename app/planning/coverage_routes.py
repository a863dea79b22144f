"""Yearly coverage as JSON."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from app.api.paging import After, Limit, Page, cut, pack, unpack
from app.planning import coverage
from app.planning.serving import State

router = APIRouter(prefix="/api/v1/coverage", tags=["coverage"])
Year = Annotated[int, Query(ge=1970, le=2199, description="Calendar year")]
Required = Annotated[int, Query(ge=1, le=366, description="Random checks that each unit is owed")]


class CoverageOut(BaseModel):
    """One unit's year of random checks."""

    model_config = ConfigDict(from_attributes=True)

    unit_id: int
    code: str
    name: str
    checks: int
    missing: int
    days: list[date]


class YearOut(BaseModel):
    """Sums over all units that were to be covered."""

    model_config = ConfigDict(from_attributes=True)

    year: int
    required: int
    units: int
    covered: int


@router.get("")
async def list_coverage(
    state: State,
    year: Year,
    required: Required = 1,
    missing: bool | None = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[CoverageOut]:
    """Units by code with the random checks that count in a year; our own faults, 核号 and 指定抽查 do not."""
    database, settings = state
    place = str(unpack(after, str)[0]) if after else None
    async with database.reading() as session:
        found = await coverage.page(
            session, year, required, settings.zone, missing=missing, after=place, limit=limit + 1
        )
    rows, last = cut(found, limit)
    return Page(
        items=[CoverageOut.model_validate(row) for row in rows],
        next=None if last is None else pack(last.code),
    )


@router.get("/summary")
async def summarise(state: State, year: Year, required: Required = 1) -> YearOut:
    """How many units a year was to cover, and how many it did."""
    database, settings = state
    async with database.reading() as session:
        return YearOut.model_validate(await coverage.summary(session, year, required, settings.zone))
