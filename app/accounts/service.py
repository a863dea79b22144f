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
MOST_DETAIL = 4_000
"""Signs of a line's detail."""


def asking() -> str:
    """The name of whoever asks, as it goes on record."""
    by = current()
    return LOCAL if by is None else by.name


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
    by = current()
    session.add(
        AuditEvent(
            at=clock.now(),
            who=_fit(who or asking(), 80),
            action=_fit(action, 40),
            subject=_fit(subject, 80),
            detail=_fit(detail, MOST_DETAIL),
            account_id=by.account_id if by else None,
            address=by.address if by else "",
            done=done,
        )
    )
    await session.flush()


def _fit(words: str, most: int) -> str:
    """What somebody typed may stand in a line: shortened, and without what no database stores.

    A line that cannot be written would undo what it tells of, or let it be done unseen.
    """
    plain = words.replace("\0", "·").encode("utf-8", "replace").decode()
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


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
