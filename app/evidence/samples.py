"""Announcement samples (提示音样本) that were cut from a recording which is withdrawn."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.samples.models import AnnouncementSample

LABEL = "封存"


async def forget(session: AsyncSession, attempt_id: int, who: str) -> None:
    """Empty the samples that were cut from the recording of this attempt: no print and no words stay, the rows do."""
    cut = AnnouncementSample.source.startswith(f"attempt {attempt_id}: ", autoescape=True)
    for row in await session.scalars(
        select(AnnouncementSample).where(cut, AnnouncementSample.label != LABEL)
    ):
        row.prints, row.label = b"", LABEL
        if row.active:
            row.active, row.removed_by, row.removed_at = False, who, clock.now()
        await audit.record(session, "withdraw", f"sample:{row.id}", f"attempt:{attempt_id}", who)
    await session.flush()
