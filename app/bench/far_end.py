"""The far end of `dutyring bench calls` and of the benchmarks, as a process: as lean as it can be made.

    python -m app.bench.far_end --calls 1000 --ring-s 4 [--no-early-sound] [--stamps]

It prints one JSON object with its `port`, answers calls there (127.0.0.1), and prints its counts as another one when
its standard input ends. No asyncio and no analysis: one loop, `sendmmsg`, responses from templates.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import select
import socket
import sys
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.bench.far_signalling import Manners, Out, Signalling
from app.bench.far_sound import BUFFER_BYTES, PERIOD_S, SAMPLES, SO_RCVBUFFORCE, Sound

HOST = "127.0.0.1"
BATCH = 32
"""Messages taken between two moments of the sound."""


def _codes(name: str) -> npt.NDArray[np.uint8]:
    """Return [packets, 160] A-law codes of a sound of the simulator."""
    from sip.media import encode
    from sip.simulator.clips import sound

    samples = sound(name)
    whole = samples[: len(samples) // SAMPLES * SAMPLES]
    return np.frombuffer(encode(whole, "PCMA"), np.uint8).reshape(-1, SAMPLES)


class FarEnd:
    """Socket, calls and sound in one loop."""

    def __init__(self, calls: int, manners: Manners, *, stamps: bool) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        self._socket.bind((HOST, 0))
        self.port = int(self._socket.getsockname()[1])
        self._sound = Sound(HOST, calls, _codes("ringback"), _codes("officer_01"))
        sound = self._sound
        self._signalling = Signalling(HOST, self.port, manners, sound.open, sound.answer, sound.close)
        self._stamps = stamps

    def run(self) -> None:
        """Serve until the standard input ends."""
        ends = self._sound.ends
        step_s = PERIOD_S / max(1, len(ends))
        moment, place = time.monotonic() + step_s, 0
        watched = [self._socket, sys.stdin]
        while True:
            until = moment if ends else time.monotonic() + 1.0
            deadline = self._signalling.deadline()
            wait_s = (until if deadline is None else min(until, deadline)) - time.monotonic()
            ready = select.select(watched, [], [], max(0.0, wait_s))[0]
            if self._socket in ready:
                self._take()
            self._send(self._signalling.advance(time.monotonic()))
            if sys.stdin in ready:
                return
            while ends and time.monotonic() >= moment:
                ends[place].receive()
                ends[place].send(moment)
                moment, place = moment + step_s, (place + 1) % len(ends)

    def _take(self) -> None:
        for _ in range(BATCH):
            try:
                data, source = self._socket.recvfrom(65_535)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._send(self._signalling.receive(data, source, time.monotonic()))

    def _send(self, messages: Sequence[Out]) -> None:
        for data, destination in messages:
            # A full buffer is a lost message: the other side's timers, or ours, repeat it.
            with contextlib.suppress(OSError):
                self._socket.sendto(data, destination)

    def counts(self) -> dict[str, object]:
        """Return what was counted."""
        calls = dataclasses.asdict(self._signalling.counts)
        stamps = {"sent_at": self._signalling.sent_at} if self._stamps else {}
        return {"calls": calls, "packets": self._sound.counts(), "open": self._open(), **stamps}

    def _open(self) -> int:
        return sum(not call.over for call in self._signalling.calls.values())


def main() -> None:
    """Be the far end."""
    parser = argparse.ArgumentParser(description="The far end of `dutyring bench calls`.")
    parser.add_argument("--calls", type=int, default=100, help="calls with sound at once; 0: no sound")
    parser.add_argument("--ring-s", type=float, default=4.0, help="from the bell to the answer")
    parser.add_argument("--early-sound", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--stamps", action="store_true", help="tell when each response left")
    parser.add_argument("--realtime", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    if options.realtime:
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    manners = Manners(options.ring_s, options.early_sound)
    far = FarEnd(options.calls, manners, stamps=options.stamps)
    _tell({"port": far.port})
    far.run()
    _tell(far.counts())


def _tell(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
