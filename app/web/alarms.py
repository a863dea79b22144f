"""Alarms of the recordings as they stand above the list of checks (录音与转写的告警)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import alarms
from app.checks.models import OfficeAlarm

REMEDIES_ZH = {
    "recordings_unstored": "录音暂时写不进存储。原始采集完好保留，每分钟重试，恢复后自动入库。请检查磁盘或存储服务。",
    "disk_low": "磁盘剩余空间不多。请腾出空间。",
    "disk_full": "磁盘已放不下新的录音，暂停拨测，以免录音残缺。请腾出空间，随后自动恢复。",
    "retention_failed": "到期或已封存的录音未能从存储中删除（已无法收听），每小时重试。请检查存储。",
    "transcription_behind": "有录音等待转写超过一小时。录音不受影响。请查看识别引擎是否可用。",
}
"""What it means and what to do, by kind. Alarms of plans and the calendar are no matter of this page."""


@dataclass(frozen=True, slots=True)
class RecordingAlarm:
    """One alarm that stands."""

    title: str
    remedy: str
    since: datetime
    detail: str


async def of_recordings(session: AsyncSession) -> Sequence[RecordingAlarm]:
    """Return the alarms of the recordings that stand now, the oldest first."""
    return [_shown(row) for row in await alarms.standing(session) if row.kind in REMEDIES_ZH]


def _shown(row: OfficeAlarm) -> RecordingAlarm:
    return RecordingAlarm(alarms.KINDS[row.kind][0], REMEDIES_ZH[row.kind], row.raised_at, row.detail)
