"""What the engine hands to the writer: the sound of calls, their logs of packets, and when they are closed."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any, Final

from sip.media.call import Call
from sip.media.capture import Block
from sip.media.channel import Channel
from sip.media.model import MediaReport

WRITER_LIMIT_BYTES: Final = 256 << 20
"""15 s of 1,000 calls, 150 s of 100: a stalled disk costs sound only after that."""
_LOG_LIMIT_BYTES: Final = WRITER_LIMIT_BYTES // 4
_GOODBYE_S: Final = 1.5

Tell = Callable[..., None]


class Keeper:
    """The engine's end of the writer; without one nothing is kept."""

    def __init__(self, writer: Channel | None, tell: Tell) -> None:
        self.channel = writer
        """None: there is no writer, or it is gone."""
        self._tell = tell
        """Takes verb, number of the session and what else there is to tell the parent."""
        self._closing: dict[int, MediaReport] = {}
        self._writes: list[tuple[int, bytes]] = []

    def begin(self, call: Call, t0: float, wall_time_s: float) -> None:
        """Have a call's files made; it leaves with `flush`."""
        if self.channel is None:
            return
        if call.spec.capture is not None:
            call.recorded = True
            self.channel.send(("open", call.number, str(call.spec.capture), wall_time_s))
        if call.spec.packets is not None:
            self.channel.send(("open_log", call.number, str(call.spec.packets), wall_time_s, t0))

    def store(self, call: Call, blocks: list[Block]) -> None:
        """Hand over sound; it leaves with `flush`."""
        if self.channel is None or not call.recorded:
            return
        self._writes.append((call.number, b"".join([block.pack() for block in blocks])))

    def flush(self, calls: dict[int, Call]) -> None:
        """Send what `store` was given, in one message, and as much as the writer takes now."""
        self._collect(calls)
        if self.channel is not None:
            self.channel.flush()

    def _collect(self, calls: dict[int, Call]) -> None:
        """Make one message of what `store` was given."""
        writes, self._writes = self._writes, []
        if (
            writes
            and self.channel is not None
            and not self.channel.send(("write", 0, writes), droppable=True)
        ):
            self._dropped(calls, [number for number, _ in writes])

    def _dropped(self, calls: dict[int, Call], numbers: list[int]) -> None:
        for number in numbers:
            if number in calls and calls[number].recorded:
                calls[number].recorded = False
            self._tell("capture_failed", number, "the disk has been stalled for too long")

    def store_log(self, call: Call) -> None:
        """Hand over the log of packets; it gives way before the captures do."""
        if call.log is None or self.channel is None:
            return
        count, records = call.log.take()
        message = ("write_log", call.number, records)
        if count and not self.channel.send(message, limit_bytes=_LOG_LIMIT_BYTES):
            call.unlogged += count

    def close(self, call: Call, report: MediaReport, calls: dict[int, Call]) -> None:
        """Have a call's files closed, and tell of its report after that; it leaves with `flush`."""
        if self.channel is None:
            self._tell("closed", call.number, report)
            return
        self._collect(calls)
        self._closing[call.number] = report
        self.channel.send(("close", call.number))

    def hear(self, calls: dict[int, Call]) -> None:
        """Take what the writer says."""
        if self.channel is None:
            return
        for verb, number, *rest in self.channel.receive():
            self._heard(verb, number, rest, calls)
        if self.channel.closed:
            self.channel = None
            self._tell("writer_lost")
            for number, report in self._closing.items():
                self._tell("closed", number, report)
            self._closing.clear()

    def _heard(self, verb: str, number: int, rest: list[Any], calls: dict[int, Call]) -> None:
        if verb == "closed":
            report = self._closing.pop(number, None)
            if report is not None:
                self._tell("closed", number, report)
            return
        call = calls.get(number)
        if call is None and number not in self._closing:
            return
        if verb == "log_failed":
            if call is not None:
                call.log = None
            self._tell("log_failed", number, rest[0])
            return
        if call is not None:
            call.recorded = False
        self._tell("capture_failed", number, rest[0])

    def leave(self, calls: dict[int, Call]) -> None:
        """Hand everything over within reason, and close the channel."""
        if self.channel is None:
            return
        self.flush(calls)
        end = time.monotonic() + _GOODBYE_S
        while self.channel.pending and time.monotonic() < end:
            select.select([], [self.channel], [], max(0.0, end - time.monotonic()))
            self.channel.flush()
        self.channel.close()
