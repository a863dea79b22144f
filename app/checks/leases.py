"""Parts that only one process may play at a time, e.g. the clock: a row says who holds one, and until when.

A holder that dies is succeeded once its lease has run out. Verbs never commit: the caller's unit of work does.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, or_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.checks import queue
from app.checks.models import Lease

CLOCK = "clock"
LEASE_S = 15.0
"""How long a lease holds without being renewed."""
RENEW_S = 5.0
"""How often a holder renews it."""


async def hold(session: AsyncSession, name: str, holder: str, lease_s: float = LEASE_S) -> bool:
    """Take a part or keep it; False as long as somebody else holds it."""
    now = clock.now()
    until = now + timedelta(seconds=lease_s)
    free = or_(Lease.holder == holder, Lease.until < now)
    statement = update(Lease).where(Lease.name == name, free).values(holder=holder, until=until)
    if await queue.changed(session, statement):
        return True
    if await session.get(Lease, name, populate_existing=True) is not None:
        return False
    try:
        async with session.begin_nested():
            session.add(Lease(name=name, holder=holder, until=until))
    except IntegrityError:
        # Another process was faster.
        return False
    return True


async def give_back(session: AsyncSession, name: str, holder: str) -> None:
    """Let go of a part that one holds, so that the next one need not wait."""
    await queue.changed(session, delete(Lease).where(Lease.name == name, Lease.holder == holder))


async def seize(session: AsyncSession, name: str, holder: str, lease_s: float = LEASE_S) -> None:
    """Take a part whoever holds it: for a process that knows by other means that it is the only one."""
    await queue.changed(session, delete(Lease).where(Lease.name == name))
    await hold(session, name, holder, lease_s)
