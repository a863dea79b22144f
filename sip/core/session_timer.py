"""Session timers (RFC 4028): a call whose far side has silently gone does not stay up for ever.

The interval and who refreshes it stand in the Session-Expires of each 2xx to an INVITE or UPDATE. The refresher
sends at half the interval; the other side hangs up a third of it, at most 32 s, before it runs out (section 10).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .framing import Message
from .timers import Timer, TimerQueue
from .types import HeaderList

MIN_SE_S = 90
"""The least interval that anybody may ask for (section 4)."""
MOST_S = 86_400
"""More than a day is taken as a day."""
Refresher = Literal["uac", "uas"]


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The value of Session-Expires."""

    interval_s: int
    refresher: Refresher | None
    """As seen by the transaction that carries it: `uac` is who sent its request."""

    @property
    def field(self) -> tuple[str, str]:
        """The header field that says this."""
        role = f";refresher={self.refresher}" if self.refresher else ""
        return "Session-Expires", f"{self.interval_s}{role}"


def session_expires(message: Message) -> SessionExpires | None:
    """Return the session interval of a message, None without one that can be read."""
    number, _, rest = (message.header("session-expires") or "").partition(";")
    interval_s = _seconds(number)
    if interval_s is None:
        return None
    role = rest.replace(" ", "").lower()
    refresher: Refresher | None = (
        "uac" if "refresher=uac" in role else "uas" if "refresher=uas" in role else None
    )
    return SessionExpires(interval_s, refresher)


def min_se_s(message: Message) -> int | None:
    """Return the seconds of Min-SE, None without one that can be read."""
    return _seconds((message.header("min-se") or "").partition(";")[0])


def asking(interval_s: int | None, least_s: int, refresher: Refresher | None = None) -> HeaderList:
    """Return the fields of a request that asks for an interval; `least_s` is the largest Min-SE that we were told."""
    fields = (("Min-SE", str(least_s)),) if least_s > MIN_SE_S else ()
    return fields if interval_s is None else (SessionExpires(interval_s, refresher).field, *fields)


class SessionTimer:
    """The clock of one session: calls `refresh(now)` or `expire(now)`."""

    def __init__(
        self, queue: TimerQueue, refresh: Callable[[float], None], expire: Callable[[float], None]
    ) -> None:
        self._queue = queue
        self._refresh = refresh
        self._expire = expire
        self._running: list[Timer] = []
        self.interval_s: int | None = None
        """None while no session timer runs."""
        self.ours = False
        """Whether we refresh."""

    def start(self, interval_s: int, ours: bool, now: float) -> None:
        """Begin anew with the interval of a 2xx."""
        self.stop()
        self.interval_s, self.ours = interval_s, ours
        # An interval below the least is somebody's mistake: we refresh in time for it and do not hang up by it.
        limit = max(interval_s, MIN_SE_S)
        if ours:
            self._running.append(self._queue.start(now + max(interval_s / 2, 1.0), self._refresh))
        else:
            limit -= min(32, limit // 3)
        self._running.append(self._queue.start(now + limit, self._expire))

    def again(self, delay_s: float, now: float) -> None:
        """Refresh once more after a while; the session's end stays where it is."""
        self._running.append(self._queue.start(now + delay_s, self._refresh))

    def stop(self) -> None:
        """The session has no limit, or is over."""
        for timer in self._running:
            timer.stop()
        self._running.clear()
        self.interval_s = None


def _seconds(text: str) -> int | None:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        return None
    return min(int(text), MOST_S)
