"""The simulated carrier's announcements, marked as samples: the demo shows how they are recognised and hung up on."""

from __future__ import annotations

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from app.samples import service
from app.samples.service import Description, PresentSampleError
from sip.progress.marking import mark
from sip.record import AnnouncementMeaning
from sip.simulator.clips import sound

ANNOUNCEMENTS: dict[str, tuple[AnnouncementMeaning, str, bool]] = {
    "powered_off": ("powered_off", "演示运营商：已关机", True),
    "not_reachable": ("not_reachable", "演示运营商：暂时无法接通", False),
    "in_call": ("in_call", "演示运营商：正在通话中", False),
    "empty_number": ("unobtainable", "演示运营商：空号", False),
    "transfer_notice": ("transfer", "演示运营商：呼叫转移", False),
    "mailbox": ("mailbox", "演示运营商：语音信箱", False),
}
"""Clip of the simulator: what it says, its name, whether only a mobile network says it (暂时无法接通 is heard of dead
terminals, too)."""


async def mark_announcements(session: AsyncSession) -> int:
    """Mark the announcements that are no samples yet; return how many were marked."""
    count = 0
    for name, (meaning, label, mobile) in ANNOUNCEMENTS.items():
        wave = (sound(name) / 32768.0).astype(np.float32)
        about = Description(meaning, label, mobile, source=f"simulated announcement {name}", by="demo")
        try:
            await service.add(session, mark(wave), about)
        except PresentSampleError:
            continue
        count += 1
    return count
