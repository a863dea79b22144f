"""Whether there is room for recordings: a call that could not be recorded whole is not placed.

Looked at each second, and once more before anything is dialled. `disk_low` warns early. `disk_full` stands while the
free space is below the reserve and what the calls under way, and one more, may still need; then nothing is dialled.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.checks import alarms
from app.database import Database
from app.planning.spec import MOST_TALK_S
from app.settings import Settings

log = structlog.get_logger(__name__)

MB = 1_000_000
CAPTURE_BYTES_PER_S = 16_000
"""Two sides of G.711 (ITU-T G.711: 64 kbit/s each) as the writer keeps them."""
SOUND_BYTES_PER_S = 32_000
"""The sound file beside it at the end of the call, at most: 8 kHz, 16 bit, two sides; FLAC takes less."""
MOST_RING_S = 120.0
"""Longest ringing that a plan may ask for (`app.planning.spec`)."""
SET_UP_S = 32.0
"""Until a call without any response is given up (64 * T1, RFC 3261 section 17.1.1.2)."""
MARGIN = 0.1
"""Share of the reserve that must be free above it before calls go on, so that the alarm does not come and go."""
KINDS = ("disk_low", "disk_full")

Free = Callable[[Path], int]
"""Returns the free bytes of the disk of a folder. Raises OSError."""


def free_bytes(folder: Path) -> int:
    """Return what the disk of a folder, which need not be there yet, has left for us. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def recording_folders(settings: Settings) -> dict[str, Path]:
    """The folders that recordings are written to, by the Chinese name that alarms give them."""
    found = {"数据目录": settings.data_dir.absolute()}
    url = settings.recordings_url
    if url is not None and (url.startswith("file://") or "://" not in url):
        found["录音目录"] = Path(url.removeprefix("file://")).absolute()
    return found


def bytes_of_call(settings: Settings) -> int:
    """Room that a call may take, from its INVITE to its finished recording."""
    ring_s = max(settings.max_ring_s, MOST_RING_S)
    talk_s = max(settings.max_talk_s, MOST_TALK_S)
    return round((SET_UP_S + ring_s + talk_s) * (CAPTURE_BYTES_PER_S + SOUND_BYTES_PER_S))


@dataclass(frozen=True, slots=True)
class _Found:
    """What one look found of one folder."""

    name: str
    free: int | None
    """None: it cannot be read."""


class DiskWatch:
    """Keeps an eye on the disks of one office. `live` is how many calls are under way."""

    def __init__(self, database: Database, settings: Settings, free: Free = free_bytes) -> None:
        self._database = database
        self._settings = settings
        self._folders = recording_folders(settings)
        self._free = free
        self._call = bytes_of_call(settings)
        self._full = False
        self._told: dict[str, str] | None = None
        """The detail by kind of the alarms that stand, as far as we wrote them; None: not known yet."""

    async def look(self, live: int) -> None:
        """Measure, and raise or clear the alarms."""
        await self.room(live)

    async def room(self, live: int) -> int:
        """Measure, and say how many calls may begin now."""
        # In a thread: a disk on another machine may take its time.
        found = await asyncio.to_thread(self._measure)
        await self._judge(found, live)
        return 0 if self._full else max(0, self._fitting(found) - live)

    def _fitting(self, found: Sequence[_Found]) -> int:
        """How many calls at once the disks bear."""
        reserve = self._settings.disk_reserve_mb * MB
        return min(0 if each.free is None else max(0, each.free - reserve) // self._call for each in found)

    async def _judge(self, found: Sequence[_Found], live: int) -> None:
        fitting = self._fitting(found)
        if fitting <= live:
            self._full = True
        elif self._full:
            above = round(self._settings.disk_reserve_mb * MB * (1 + MARGIN)) + (live + 1) * self._call
            self._full = any(each.free is None or each.free < above for each in found)
        low = self._settings.disk_alarm_mb * MB
        scarce = [each for each in found if each.free is None or each.free < low]
        standing = {"disk_low": _detail(scarce)} if scarce else {}
        if self._full:
            standing["disk_full"] = _detail(found)
        await self._tell(standing, found)

    async def _tell(self, standing: dict[str, str], found: Sequence[_Found]) -> None:
        if standing == self._told:
            return
        try:
            async with self._database.unit_of_work() as session:
                for kind in KINDS:
                    if kind in standing:
                        await alarms.raise_alarm(session, kind, "", standing[kind])
                    else:
                        await alarms.clear_alarm(session, kind)
        except SQLAlchemyError:
            # A disk that is full to the last byte takes no alarm either; the next look tries again.
            log.exception("the alarm of the disk could not be written")
            return
        if set(standing) != set(self._told or ()):
            log.warning("room on the disks", alarms=sorted(standing), free=[each.free for each in found])
        self._told = standing

    def _measure(self) -> Sequence[_Found]:
        return [_Found(name, self._one(folder)) for name, folder in self._folders.items()]

    def _one(self, folder: Path) -> int | None:
        try:
            return self._free(folder)
        except OSError:
            return None


def _detail(found: Sequence[_Found]) -> str:
    """Say it in Chinese, in steps of 50 MB: not every second brings a new alarm."""
    return "；".join(
        f"{each.name}无法读取" if each.free is None else f"{each.name}剩余约 {each.free // MB // 50 * 50} MB"
        for each in found
    )
