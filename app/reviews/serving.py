"""What the routes of the review are given, and how they narrow lists."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Request

from app.api.paging import unpack
from app.database import Database
from app.errors import BadInputError, Fault
from app.settings import Settings


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


Service = Annotated[tuple[Database, Settings], Depends(state_of)]
PathKey = Annotated[int, Path(ge=1, lt=2**63)]
"""Key of a row, as a part of the address."""


def span_of(first: date | None, last: date | None, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """Return the moments from the first day to the last, both inclusive, as [from, until)."""
    if first is not None and last is not None and last < first:
        raise BadInputError("`last` lies before `first`", [Fault("last", "lies before `first`")])
    return (
        None if first is None else datetime.combine(first, time(), zone),
        None if last is None else datetime.combine(last + timedelta(days=1), time(), zone),
    )


def place(after: str | None) -> tuple[datetime, int] | None:
    """Read the place of a list that goes by time and key."""
    return None if after is None else cast(tuple[datetime, int], unpack(after, datetime, int))
