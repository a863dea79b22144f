"""Caps of a trunk, enforced in the phone itself: no plan, page or command can go beyond them.

Two of them pass by waiting (concurrency and rate: another call ends, the bucket fills), two refuse (calls to
one number, calls from one identity: the window is long, and a queue of hours would be a plan). All are told
by the same `CapError`; whoever drives the phone waits for the first kind and gives up at the second.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from sip.numbers import HOME, NumberError, parse_number

Quota = tuple[int, float]
"""At most so many calls in so many seconds (a sliding window)."""
Which = Literal["concurrency", "rate", "per_called", "per_caller"]
MAX_REMEMBERED = 10_000
"""Numbers whose calls are remembered; beyond it those whose windows have passed are forgotten at each call."""
_A_HAIR = 1e-9
"""Of a token: what floating point may lose between `next_slot` and the call at that time."""


class CapError(RuntimeError):
    """A call would exceed a cap of the trunk; nothing was sent."""

    def __init__(self, which: Which, retry_after_s: float | None, detail: str) -> None:
        super().__init__(detail)
        self.which = which
        self.retry_after_s = retry_after_s
        """Seconds until the same call could be admitted; None where only the end of another call can tell."""

    @property
    def passes_by_waiting(self) -> bool:
        """Whether the call may be queued for a short while; otherwise it is refused."""
        return self.which in ("concurrency", "rate")


@dataclass(frozen=True, slots=True)
class Caps:
    """What a trunk bears. None: no limit. Raises `ValueError` for what would admit no call ever."""

    concurrency: int | None = 2
    """Calls at one time."""
    calls_per_s: float | None = 1.0
    """Refill of the token bucket."""
    burst: int = 1
    """Size of the bucket: calls that may leave at once after a pause."""
    per_called: Quota | None = (6, 3600.0)
    """To one number: (count, window_s)."""
    per_caller: Quota | None = None
    """From one identity of ours: (count, window_s)."""

    def __post_init__(self) -> None:
        """Refuse caps that would admit nothing."""
        for name in ("concurrency", "calls_per_s", "burst"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} takes a number above 0, not {value!r}")
        for name in ("per_called", "per_caller"):
            quota = getattr(self, name)
            if quota is not None and not (quota[0] > 0 and quota[1] > 0):
                raise ValueError(f"{name} takes a count and seconds above 0, not {quota!r}")

    @classmethod
    def unlimited(cls) -> Caps:
        """No caps at all."""
        return cls(None, None, 1, None, None)


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to one call under way; given back with `Admission.release`."""

    number: int
    called: str
    """The called number in its one form."""
    caller: str
    admitted_at: float


class Admission:
    """Counts the calls of one trunk. Times are seconds of any one clock that does not go back."""

    def __init__(self, caps: Caps, *, area_code: str | None = None, country: str = HOME) -> None:
        self.caps = caps
        self._area_code = area_code
        self._country = country
        self._under_way: dict[int, Ticket] = {}
        self._count = 0
        self._tokens = float(caps.burst)
        self._filled_at: float | None = None
        self._called = _Window(caps.per_called)
        self._caller = _Window(caps.per_caller)

    @property
    def calls_now(self) -> int:
        """Calls under way."""
        return len(self._under_way)

    def admit(self, now: float, called: str, caller: str = "") -> Ticket:
        """Admit a call or raise `CapError`; a refused call counts for nothing.

        The refusals come first, so that no call waits for a slot it could not use.
        """
        number = self._form(called)
        self._refuse_full("per_called", self._called.wait_s(number, now), "calls to this number")
        self._refuse_full("per_caller", self._caller.wait_s(caller, now), "calls from this identity")
        caps = self.caps
        if caps.concurrency is not None and self.calls_now >= caps.concurrency:
            raise CapError(
                "concurrency", None, f"{self.calls_now} calls are under way, as many as the trunk bears"
            )
        self._fill(now)
        wait_s = self._rate_wait_s()
        if wait_s > 0:
            raise CapError(
                "rate", wait_s, f"{caps.calls_per_s:g} calls a second are as many as the trunk bears"
            )
        if caps.calls_per_s is not None:
            self._tokens -= 1
        self._called.add(number, now)
        self._caller.add(caller, now)
        self._count += 1
        ticket = Ticket(self._count, number, caller, now)
        self._under_way[ticket.number] = ticket
        return ticket

    def release(self, ticket: Ticket) -> None:
        """The call is over. Giving a ticket back twice does nothing."""
        self._under_way.pop(ticket.number, None)

    def withdraw(self, ticket: Ticket) -> None:
        """The call could not leave after all: as `release`, and it counts towards no quota."""
        if self._under_way.pop(ticket.number, None) is not None:
            self._called.remove(ticket.called, ticket.admitted_at)
            self._caller.remove(ticket.caller, ticket.admitted_at)

    def next_slot(self, now: float) -> float | None:
        """Return when the next call may leave as far as the rate is concerned; None while all slots are taken."""
        if self.caps.concurrency is not None and self.calls_now >= self.caps.concurrency:
            return None
        self._fill(now)
        return now + self._rate_wait_s()

    def _form(self, called: str) -> str:
        try:
            return parse_number(called, self._area_code, self._country).key
        except NumberError:
            return called.strip().lower()

    def _refuse_full(self, which: Which, wait_s: float, what: str) -> None:
        if wait_s > 0:
            quota = self.caps.per_called if which == "per_called" else self.caps.per_caller
            assert quota is not None
            raise CapError(which, wait_s, f"{quota[0]} {what} in {quota[1]:g} s are as many as are allowed")

    def _fill(self, now: float) -> None:
        if self._filled_at is not None and self.caps.calls_per_s is not None:
            passed_s = max(0.0, now - self._filled_at)
            self._tokens = min(float(self.caps.burst), self._tokens + passed_s * self.caps.calls_per_s)
        self._filled_at = now if self._filled_at is None else max(now, self._filled_at)

    def _rate_wait_s(self) -> float:
        rate = self.caps.calls_per_s
        if rate is None or self._tokens >= 1 - _A_HAIR:
            return 0.0
        return (1 - self._tokens) / rate


class _Window:
    """The times of the last calls of each key."""

    def __init__(self, quota: Quota | None) -> None:
        self._quota = quota
        self._times: dict[str, deque[float]] = {}

    def wait_s(self, key: str, now: float) -> float:
        """Seconds until another call fits; 0 when it fits now."""
        if self._quota is None:
            return 0.0
        count, window_s = self._quota
        times = self._times.get(key, ())
        if len(times) < count:
            return 0.0
        return max(0.0, times[-count] + window_s - now)

    def add(self, key: str, now: float) -> None:
        if self._quota is None:
            return
        count, window_s = self._quota
        if len(self._times) >= MAX_REMEMBERED:
            self._times = {k: v for k, v in self._times.items() if v[-1] + window_s > now}
        self._times.setdefault(key, deque(maxlen=count)).append(now)

    def remove(self, key: str, at: float) -> None:
        times = self._times.get(key)
        if times is not None and at in times:
            times.remove(at)
