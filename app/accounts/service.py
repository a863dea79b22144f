"""Writes the audit trail."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts.models import AuditEvent
from app.accounts.principal import current

LOCAL = "local"
"""Whoever sits at this machine's command line, and what the service does by itself."""


async def record(
    session: AsyncSession,
    action: str,
    subject: str,
    detail: str = "",
    who: str | None = None,
    *,
    done: bool = True,
) -> None:
    """Add an audit line to the caller's unit of work; whoever asks stands in it unless `who` is given."""
    asking = current()
    session.add(
        AuditEvent(
            at=clock.now(),
            who=who or (asking.name if asking else LOCAL),
            action=action,
            subject=subject,
            detail=detail,
            account_id=asking.account_id if asking else None,
            address=asking.address if asking else "",
            done=done,
        )
    )
    await session.flush()


async def of_subject(session: AsyncSession, subject: str) -> Sequence[AuditEvent]:
    """What was done to a subject, oldest first."""
    return (
        await session.scalars(
            select(AuditEvent).where(AuditEvent.subject == subject).order_by(AuditEvent.at, AuditEvent.id)
        )
    ).all()


async def count_of(session: AsyncSession, subject: str) -> int:
    """How many lines the trail holds about a subject."""
    query = select(func.count()).select_from(AuditEvent).where(AuditEvent.subject == subject)
    return await session.scalar(query) or 0


async def of_actions(
    session: AsyncSession, actions: Sequence[str], subject: str | None = None
) -> Sequence[AuditEvent]:
    """The lines of some actions, on one subject or on any, oldest first."""
    query = select(AuditEvent).where(AuditEvent.action.in_(actions))
    if subject is not None:
        query = query.where(AuditEvent.subject == subject)
    return (await session.scalars(query.order_by(AuditEvent.id))).all()
