"""What the routes of directory and rosters share."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.api.paging import unpack
from app.database import Database
from app.directory import repository
from app.directory.models import Unit
from app.errors import BadInputError, Fault, NotFoundError
from app.settings import Settings

Entry = TypeVar("Entry")
PathKey = Annotated[int, Path(ge=1, lt=2**63)]
"""Key of a row, in the address."""
_MAY_BE_NULL = frozenset({"first_day", "last_day", "trunk", "target"})


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


State = Annotated[tuple[Database, Settings], Depends(state_of)]


def today(settings: Settings) -> date:
    """The local day."""
    return clock.now().astimezone(settings.zone).date()


def changed(entry: Entry, change: BaseModel) -> Entry:
    """Return the entry with what a request changes of it; null stands only where a member may be empty."""
    given: dict[str, Any] = change.model_dump(exclude_unset=True, exclude={"revision"})
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None or name in _MAY_BE_NULL
    }
    return replace(entry, **values)  # type: ignore[type-var]


async def unit_or_404(session: AsyncSession, unit_id: int) -> Unit:
    """Read a unit. Raises `NotFoundError`."""
    unit = await repository.unit(session, unit_id)
    if unit is None:
        raise NotFoundError(f"没有编号为 {unit_id} 的单位")
    return unit


async def head_of(session: AsyncSession, subtree: int | None) -> Unit | None:
    """Read the unit whose subtree is asked for. Raises `BadInputError` where there is none."""
    if subtree is None:
        return None
    unit = await repository.unit(session, subtree)
    if unit is None:
        reason = f"没有编号为 {subtree} 的单位"
        raise BadInputError(reason, [Fault("subtree", reason)])
    return unit


def key_after(after: str | None) -> int | None:
    """The place in a list by key. Raises `BadInputError`."""
    return None if after is None else int(unpack(after, int)[0])  # type: ignore[arg-type]


def code_after(after: str | None) -> str | None:
    """The place in a list by code. Raises `BadInputError`."""
    return None if after is None else str(unpack(after, str)[0])
