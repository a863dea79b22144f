"""What routes and commands show of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import Recording
from app.evidence import holding, holds, removals, repository, retention
from app.evidence.leaving import WHY_ZH
from app.evidence.repository import Kept
from app.evidence.schemas import GoneOut, GroundOut, HoldOut, KeptDetail, KeptOut, RemovalOut, Standing
from app.settings import Settings


async def rows(session: AsyncSession, found: Sequence[Kept], now: datetime) -> list[KeptOut]:
    """Recordings as the list shows them."""
    held = await holding.grounds(session, [each.recording.id for each in found], now)
    return [KeptOut(**_plain(each, held.get(each.recording.id, ()))) for each in found]


async def by_keys(session: AsyncSession, keys: Sequence[int], now: datetime) -> list[KeptOut]:
    """Recordings by their keys; those that there are not are left out."""
    found = [await repository.one(session, key) for key in keys]
    return await rows(session, [each for each in found if each is not None], now)


async def detail(session: AsyncSession, found: Kept, settings: Settings, now: datetime) -> KeptDetail:
    """One recording with everything that was decided about it."""
    row = found.recording
    held = await holding.grounds(session, [row.id], now)
    return KeptDetail(
        **_plain(found, held.get(row.id, ())),
        channels=row.channels,
        sample_rate=row.sample_rate,
        gaps=row.gaps,
        retention_days=retention.days_of(found.code, settings),
        holds=[HoldOut.model_validate(hold) for hold in await holds.of_recording(session, row.id)],
        removals=[
            RemovalOut.model_validate(removal) for removal in await removals.of_recording(session, row.id)
        ],
    )


def _plain(found: Kept, held: Sequence[holding.Ground]) -> dict[str, Any]:
    row = found.recording
    names = ("id", "kind", "attempt_id", "sha256", "duration_ms", "repaired", "created_at", "keep_until")
    return {name: getattr(row, name) for name in names} | {
        "check_id": found.check_id,
        "unit_id": found.unit_id,
        "standing": _standing(row),
        "kept_by": found.code,
        # What goes is held by nothing.
        "held_by": [GroundOut.model_validate(ground) for ground in held] if row.gone_why is None else [],
        "gone": _gone(row),
    }


def _standing(row: Recording) -> Standing:
    if row.gone_why is None:
        return "kept"
    return "going" if row.gone_at is None else "gone"


def _gone(row: Recording) -> GoneOut | None:
    if row.gone_why is None:
        return None
    return GoneOut.model_validate(
        {
            "why": row.gone_why,
            "why_zh": WHY_ZH[row.gone_why],
            "by": row.gone_by or "",
            "reason": row.gone_reason or "",
            "at": row.gone_at,
        }
    )
