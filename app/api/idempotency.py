"""Requests that place calls, or begin a form, are carried out once, however often they arrive."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Header
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse

from app import clock
from app.accounts.principal import current
from app.api.models import IdempotencyKey
from app.database import Database
from app.errors import ConflictError

Work = Callable[[AsyncSession], Awaitable[tuple[int, dict[str, Any]]]]
"""Does what was asked for and returns status and JSON of the answer; runs in one unit of work with the key."""
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=80, pattern=r"^[\x21-\x7e]+$")]
"""Made by the caller, one for each thing that it wants done, e.g. a UUID."""

REPLAY = "Idempotent-Replay"
"""Header of an answer that was given before."""
KEPT = timedelta(days=30)
"""How long an answer is kept: nobody sends a request again after a month."""


async def once(database: Database, key: str, route: str, body: Any, work: Work) -> JSONResponse:
    """Do `work` unless this key was answered for this route; then give that answer again.

    Raises `ConflictError` where the key came before with another body.
    """
    began = clock.now()
    # The answer is for whoever asked first: with somebody else's key nothing is read of it.
    asking = current()
    asked = [None if asking is None else asking.account_id, body]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
    try:
        async with database.unit_of_work() as session:
            earlier = await _earlier(session, key, route)
            if earlier is None:
                await session.execute(delete(IdempotencyKey).where(IdempotencyKey.asked_at < began - KEPT))
                row = IdempotencyKey(key=key, route=route, body_sha256=digest, asked_at=began)
                session.add(row)
                # Another request with this key waits here until this one is over.
                await session.flush()
                row.status, row.answer = await work(session)
                return JSONResponse(row.answer, status_code=row.status)
    except IntegrityError:
        async with database.reading() as session:
            earlier = await _earlier(session, key, route)
        if earlier is None:
            raise
    if earlier.body_sha256 != digest:
        raise ConflictError("this Idempotency-Key came before with another request")
    return JSONResponse(earlier.answer, status_code=earlier.status or 200, headers={REPLAY: "true"})


async def known(session: AsyncSession, key: str, route: str) -> bool:
    """Whether this key was answered for this route: nothing needs to be prepared then."""
    return await _earlier(session, key, route) is not None


async def _earlier(session: AsyncSession, key: str, route: str) -> IdempotencyKey | None:
    query = select(IdempotencyKey).where(IdempotencyKey.key == key, IdempotencyKey.route == route)
    return await session.scalar(query)
