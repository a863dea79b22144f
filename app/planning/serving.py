"""What the routes of planning are given: the database and the settings of this service."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from app.database import Database
from app.settings import Settings


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


State = Annotated[tuple[Database, Settings], Depends(state_of)]
PathKey = Annotated[int, Path(ge=1, lt=2**63)]
"""Key of a row, as a part of the address."""
