"""Keyset pages: the place after a row travels as an opaque text, never as a number of rows to skip."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from app.api.text import FIRST_YEAR, LAST_YEAR
from app.errors import BadInputError, Fault

MOST_ROWS = 200
Item = TypeVar("Item")
Scalar = int | str | datetime | date
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Most rows of the page")]
After = Annotated[str | None, Query(max_length=400, description="`next` of the page before")]
Key = Annotated[int, Field(ge=1, lt=2**63)]
"""Key of a row, as a parameter of the path or of the query."""


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next` is the place after it, for the parameter `after`; null at the end."""

    items: list[Item]
    next: str | None


def pack(*values: Scalar) -> str:
    """Write the place after the row with these key values."""
    plain = [{"at": v.astimezone(UTC).isoformat()} if isinstance(v, datetime) else _plain(v) for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _plain(value: int | str | date) -> int | str | dict[str, str]:
    return {"day": value.isoformat()} if isinstance(value, date) else value


def unpack(text: str, *kinds: type[Scalar]) -> tuple[Scalar, ...]:
    """Read a place whose values have these types. Raises `BadInputError` for anything else."""
    try:
        plain = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(plain, list) or len(plain) != len(kinds):
            raise ValueError(text)
        return tuple(_read(value, kind) for value, kind in zip(plain, kinds, strict=True))
    except (binascii.Error, UnicodeError, ValueError, TypeError, KeyError, RecursionError) as error:
        fault = Fault("after", "not a place in this list")
        raise BadInputError("`after` is not a place in this list", [fault]) from error


def _read(value: object, kind: type[Scalar]) -> Scalar:
    if kind is datetime and isinstance(value, dict):
        return read_moment(value["at"])
    if kind is date and isinstance(value, dict):
        day = date.fromisoformat(value["day"])
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError(value)
        return day
    if kind is int and type(value) is int and -(2**63) <= value < 2**63:
        return value
    if kind is str and isinstance(value, str) and "\0" not in value:
        # A surrogate without its partner is no text that could be sent to a database.
        return value.encode().decode()
    raise ValueError(value)


def read_moment(text: str) -> datetime:
    """Read a moment of a place. Raises `ValueError`, for one too that no database could hold in UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(text)
    return moment


def cut(rows: Sequence[Item], limit: int) -> tuple[Sequence[Item], Item | None]:
    """Of `limit + 1` rows asked for, return the page and its last row where more follow, else None."""
    return rows[:limit], rows[limit - 1] if len(rows) > limit else None
