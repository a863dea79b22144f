"""Writing what must not be lost: several times, while the database fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between the tries: facts are not lost to a database that is busy, or restarts, for a minute."""

log = structlog.get_logger(__name__)


async def insist(write: Callable[[], Awaitable[None]], failure: str, **facts: object) -> bool:
    """Write until that succeeds; False where it never did.

    `failure` is what the log says each time, with `facts`. Only errors of the database are tried again.
    """
    for pause_s in (*PAUSES_S, None):
        try:
            await write()
            return True
        except SQLAlchemyError:
            log.exception(failure, **facts, again_in_s=pause_s)
        if pause_s is not None:
            await asyncio.sleep(pause_s)
    return False
