"""Whether this machine's clock is right: by a time server, else by what the kernel says; and whether it jumps.

The times of calls are evidence. While the clock is more than a second off, or has jumped by more than that, the alarm
`clock_off` stands: no order is claimed and nothing is drawn. It ends once the clock is known to be right again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.checks import alarms
from app.database import Database
from app.sntp import Server, SntpError, offset_s
from sip.system_clock import KernelClock, kernel_clock

log = structlog.get_logger(__name__)

MOST_OFF_S = 1.0
ASK_S = 120.0
"""How often the time server is asked, and how often while the clock is off or nobody answered."""
ASK_AGAIN_S = 10.0
LOOK_S = 1.0
"""How often the wall clock is compared with the one that never jumps."""
MOST_UNSURE_S = 0.5
"""A kernel that cannot bound its error by this says nothing of the second that we need."""
SUBJECT = "clock"


def steady() -> float:
    """Seconds of a clock that neither jumps nor stands still while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the watch looks; tests bring clocks of their own."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = steady
    kernel: Callable[[], KernelClock | None] = kernel_clock


class ClockWatch:
    """Keeps an eye on the clock as long as `run` is awaited."""

    def __init__(self, database: Database, server: Server | None, sources: Sources | None = None) -> None:
        self._database = database
        self._server = server
        self._sources = sources or Sources()
        self._base = self._difference()
        self._reference_s: float | None = None
        """How far we are ahead by the last answer that counted."""
        self._told: str | None = None
        self._wrong = ""
        self._unanswered = False

    @property
    def offset_ms(self) -> float | None:
        """How far this machine's clock is ahead now, negative: behind; None: nobody can tell."""
        if self._reference_s is None:
            return None
        return (self._reference_s + self._jumped_s()) * 1000

    async def run(self) -> None:
        """Watch until cancelled."""
        asked_at: float | None = None
        while True:
            pause_s = ASK_AGAIN_S if self._wrong or self._unanswered else ASK_S
            if asked_at is None or self._sources.steady() - asked_at >= pause_s:
                asked_at = self._sources.steady()
                await self.ask()
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def ask(self) -> None:
        """Ask how far the clock is off."""
        found = await self._by_server() if self._server is not None else None
        self._unanswered = self._server is not None and found is None
        found = self._by_kernel() if found is None else found
        if found is not None:
            self._reference_s, self._base = found, self._difference()

    async def look(self) -> None:
        """Raise or clear the alarm by what is known now."""
        self._wrong = self._what_is_wrong()
        unproven = not self._wrong and self._server is not None and self._reference_s is None
        if self._wrong == self._told or unproven:
            # An alarm of an earlier process ends only once the server has been asked.
            return
        try:
            async with self._database.unit_of_work() as session:
                if self._wrong:
                    await alarms.raise_alarm(session, "clock_off", SUBJECT, self._wrong)
                else:
                    await alarms.clear_alarm(session, "clock_off", SUBJECT)
        except SQLAlchemyError:
            # The next look tries again.
            log.exception("the alarm of the clock could not be written")
            return
        if self._wrong:
            log.error("the clock is off", reason=self._wrong)
        self._told = self._wrong

    def _what_is_wrong(self) -> str:
        if self._reference_s is not None:
            off_s = self._reference_s + self._jumped_s()
            if abs(off_s) > MOST_OFF_S:
                return f"本机时钟{'快' if off_s > 0 else '慢'} {abs(off_s):.1f} 秒"
            return ""
        jumped_s = self._jumped_s()
        if abs(jumped_s) > MOST_OFF_S:
            return f"本机时钟跳变 {jumped_s:+.1f} 秒，无从核对"
        return ""

    async def _by_server(self) -> float | None:
        assert self._server is not None
        try:
            return await offset_s(self._server, self._sources.wall)
        except SntpError as error:
            log.warning("time server", reason=str(error))
            return None

    def _by_kernel(self) -> float | None:
        told = self._sources.kernel()
        if told is None or not told.synchronised or told.most_error_s > MOST_UNSURE_S:
            return None
        return -told.offset_s

    def _difference(self) -> float:
        return self._sources.wall() - self._sources.steady()

    def _jumped_s(self) -> float:
        """How far the wall clock has moved by itself since it was last compared."""
        return self._difference() - self._base
