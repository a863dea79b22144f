"""Reliable provisional responses (RFC 3262): RSeq counts them, PRACK acknowledges them.

The side that calls counts in `Dialog.remote_rseq`, each early dialog for itself, and takes only the next
number; what comes out of order is left for its repetition. This file holds the other side.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .framing import Request, Response
from .timers import Timer
from .transactions import ServerTransaction
from .types import Datagram, HeaderList

MOST_RSEQ = 2**32 - 1
FIRST_RSEQ_BELOW = 2**31
"""The first number is chosen by chance below this (section 3)."""


def rseq_of(response: Response) -> int | None:
    """Return the number of a reliable provisional response; None if it is an ordinary one."""
    if response.status == 100 or "100rel" not in [option.lower() for option in response.values("require")]:
        return None
    number = _number(response.header("rseq") or "")
    return number or None


def rack(response: Response, rseq: int) -> tuple[str, str]:
    """Return the RAck of the PRACK for a response."""
    return "RAck", f"{rseq} {response.cseq.number} {response.cseq.method}"


@dataclass(frozen=True, slots=True)
class Reliable:
    """A provisional response that wants a PRACK."""

    rseq: int
    status: int
    reason: str | None
    headers: HeaderList
    body: bytes


class ReliableSender:
    """The reliable provisional responses to one INVITE: one on its way, the others wait for its PRACK."""

    def __init__(
        self, transaction: ServerTransaction, to_tag: str, on_timeout: Callable[[float], None]
    ) -> None:
        self._transaction = transaction
        self._to_tag = to_tag
        self._on_timeout = on_timeout
        self._next = 1 + secrets.randbelow(FIRST_RSEQ_BELOW - 1)
        self._waiting: deque[Reliable] = deque()
        """The first has been sent."""
        self._timers: list[Timer] = []

    @property
    def describes(self) -> bool:
        """Whether one that is not acknowledged holds a session description: the 2xx has to wait (section 3)."""
        return any(entry.body for entry in self._waiting)

    def send(self, status: int, reason: str | None, headers: HeaderList, body: bytes, now: float) -> None:
        """Send a response, or keep it until those before it are acknowledged."""
        self._waiting.append(Reliable(self._next, status, reason, headers, body))
        self._next += 1
        if len(self._waiting) == 1:
            self._send_first(now)

    def acknowledge(self, prack: Request) -> Reliable | None:
        """Return the response that a PRACK acknowledges, None if it matches none (481)."""
        words = (prack.header("rack") or "").split()
        first = self._waiting[0] if self._waiting else None
        invite = self._transaction.request.cseq.number
        if first is None or len(words) != 3 or words[2] != "INVITE":
            return None
        if (_number(words[0]), _number(words[1])) != (first.rseq, invite):
            return None
        self._waiting.popleft()
        self._stop_timers()
        return first

    def go_on(self, now: float) -> None:
        """Send the next one that waits."""
        if self._waiting and not self._timers:
            self._send_first(now)

    def stop(self) -> None:
        """A final response has been sent: nothing more leaves, a late PRACK of the last is still known."""
        self._stop_timers()
        while len(self._waiting) > 1:
            self._waiting.pop()

    def _send_first(self, now: float) -> None:
        entry, wire = self._waiting[0], self._transaction.wire
        headers = (("Require", "100rel"), ("RSeq", str(entry.rseq)), *entry.headers)
        self._transaction.respond(
            entry.status, now, entry.reason, to_tag=self._to_tag, headers=headers, body=entry.body
        )
        self._timers.append(wire.queue.start(now + wire.timers.timeout, self._give_up))
        self._repeat_after(wire.timers.t1, wire.datagrams[-1], now)

    def _repeat_after(self, interval: float, sent: Datagram, now: float) -> None:
        """T1, doubling without a limit and on every transport (section 3)."""

        def again(at: float) -> None:
            self._timers.remove(timer)
            self._transaction.wire.repeat(sent)
            self._repeat_after(2 * interval, sent, at)

        timer = self._transaction.wire.queue.start(now + interval, again)
        self._timers.append(timer)

    def _give_up(self, now: float) -> None:
        self._stop_timers()
        self._waiting.clear()
        self._on_timeout(now)

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.stop()
        self._timers.clear()


def _number(text: str) -> int | None:
    text = text.strip()
    known = text.isascii() and text.isdigit() and len(text) < 11
    return int(text) if known and int(text) <= MOST_RSEQ else None
