"""The far end of the soak: simulated lines and odd ones in one process, which keeps its own book of the dialogs.

    python -m benchmarks.soak_far_end LINES

It prints its two addresses as JSON. When its standard input closes it waits for what is still under way and prints its
book: what began, was answered, acknowledged and ended, by whom, and what is left.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from benchmarks.odd_far_end import OddFarEnd
from sip.core import Acknowledged, Datagram, Ended, Event, IncomingInvite
from sip.simulator import Simulator
from sip.simulator.line import LineCall
from sip.transport import ClockSource

HOST = "127.0.0.1"
PATIENCE_S = 40.0
"""Longer than a 2xx or BYE may be repeated (64*T1, 32 s)."""


class Booked:
    """The handler of a simulated line's call, with an eye on what happens to it."""

    def __init__(self, call: LineCall, book: Counter[str]) -> None:
        self._call, self._book = call, book
        self._answered = self._acknowledged = False

    def on_event(self, event: Event, clock: ClockSource) -> None:
        """Note it and pass it on."""
        if isinstance(event, Acknowledged) and not self._acknowledged:
            self._acknowledged = True
            self._book["acknowledged"] += 1
        elif isinstance(event, Ended):
            self._book[f"ended by {event.by}"] += 1
            self._book["answered, never acknowledged"] += self._answered and not self._acknowledged
        self._call.on_event(event, clock)

    def on_sent(self, datagram: Datagram, at: float) -> None:
        """Note the first 2xx."""
        if not datagram.is_request and datagram.method == "INVITE" and datagram.status == 200:
            self._book["answered"] += not self._answered
            self._answered = True
        self._call.on_sent(datagram, at)


class BookedSimulator(Simulator):
    """Simulated lines whose dialogs are counted."""

    def __init__(self, lines: int) -> None:
        super().__init__(lines=lines)
        self.book: Counter[str] = Counter()

    def _incoming(self, invite: IncomingInvite) -> LineCall | None:
        call = super()._incoming(invite)
        if call is None:
            return None
        self.book["begun"] += 1
        return Booked(call, self.book)  # type: ignore[return-value]


async def serve(lines: int) -> None:
    """Answer until the standard input closes."""
    odd = await OddFarEnd.open(HOST)
    simulator = BookedSimulator(lines)
    async with simulator:
        print(json.dumps({"lines": simulator.local.port, "odd": odd.port}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        for _ in range(int(PATIENCE_S / 0.1)):
            if not simulator.live_calls:
                break
            await asyncio.sleep(0.1)
        left = simulator.live_calls
        await odd.close()
        print(
            json.dumps({"lines": dict(simulator.book) | {"left": left}, "odd": dict(odd.counts)}), flush=True
        )


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
