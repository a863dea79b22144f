"""A running phone with six calls in progress, while spoilt packets come from everywhere.

    python -m tests.fuzz.under_fire --fire sip --packets 20000 --seed 1

`sip`: mutated messages, most of them made of the very messages of these calls, from the lines' own address, from other
ports, and over TCP. `media`: mutated RTP and RTCP, well-made forgeries from foreign addresses among them, and spoilt
ones from the right address for two of the calls. `none`: nothing; what the others are compared with.

What a request may rightly do in a dialog that it names is not tried (see `mutations.may_act`).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

import recordings
from sip.core import Address
from sip.media.capture import read_capture
from sip.media.rtp import build
from sip.phone import Phone, Script
from sip.record import CallRecord
from tests.fuzz import sound
from tests.fuzz.far_side import request_of
from tests.fuzz.lean_line import LeanLine, Talk
from tests.fuzz.mutations import BINARY, TEXT, Mutator, may_act, nearly

Fire = Literal["none", "sip", "media"]
LINES = ("b9-1", "b10-2", "w-1", "w-2", "w-3", "w-4")
DIRTY = ("b10-2", "w-2")
"""The lines whose own address sends spoilt sound, too."""
TALK_S = 10.0
TALKING_S = 2.0
"""When all of them talk."""
BURST = 20
PAUSE_S = 0.004
STRANGERS = 4
TCP_SHARE = 0.05
COLUMN = 160
LOUD = 500.0
"""The noise of a line has an RMS of 4,200."""


@dataclass
class Result:
    """What was left of a run."""

    records: dict[str, CallRecord] = field(default_factory=dict)
    durations_ms: dict[str, float] = field(default_factory=dict)
    """Of the recordings."""
    whole: dict[str, float] = field(default_factory=dict)
    """Which part of the talk the noise of the line is heard in."""
    sound_sent: dict[str, int] = field(default_factory=dict)
    """Packets of sound that a line sent."""
    fired: Counter[str] = field(default_factory=Counter)
    grown_mb: float = 0.0
    """What the phone's processes took more memory at the end of the fire than before it."""
    options: list[int | None] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    """Names of tasks that are left behind."""
    descriptors: int = 0
    """How many more are open than before."""
    internal: list[str] = field(default_factory=list)
    """Log lines that tell of an error of ours."""


class _Faults(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage()[:300])


@contextlib.contextmanager
def _listening_to_logs(found: list[str]) -> Iterator[None]:
    handler = _Faults(found)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def memory_mb() -> float:
    """Return what this process and those below it hold."""
    own = psutil.Process()
    total = 0
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6


def strangers() -> list[socket.socket]:
    """Return sockets that have nothing to do with any call."""
    found = []
    for _ in range(STRANGERS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        found.append(sock)
    return found


class SipFire:
    """Mutated SIP for the phone at `target`."""

    def __init__(self, far: LeanLine, target: Address, seed: int, fired: Counter[str]) -> None:
        self._far, self._target, self._fired = far, target, fired
        self._mutator = Mutator(seed)
        self._strangers = strangers()
        self._dialogs = [talk.names for talk in far.talks]
        self._packets = [*far.heard, *far.said, *self._asked()]
        self._tcp: asyncio.StreamWriter | None = None

    def _asked(self) -> list[bytes]:
        """What a far side may ask within each call, rightly addressed."""
        found = []
        for talk, names in zip(self._far.talks, self._dialogs, strict=True):
            call_id, ours, theirs = (part.decode() for part in (names.call_id, names.ours, names.theirs))
            for number, method in enumerate(
                ("BYE", "INVITE", "UPDATE", "INFO", "OPTIONS", "CANCEL", "ACK", "PRACK")
            ):
                branch = f"z9hG4bKfuzz{number}{talk.call.local_tag}"
                # Their To is our From: the far side swaps the tags.
                found.append(
                    request_of(method, 10 + number, call_id, ours, theirs, branch, str(self._far.local))
                )
        return found

    async def shoot(self) -> None:
        """Send one packet."""
        chance = self._mutator.random
        data = self._harmless()
        if chance.random() < TCP_SHARE:
            await self._by_tcp(data)
        elif chance.random() < 0.5:
            self._far.send(data, self._target)
            self._fired["from the lines"] += 1
        else:
            with contextlib.suppress(OSError):
                chance.choice(self._strangers).sendto(data, (self._target.host, self._target.port))
            self._fired["from others"] += 1

    def _harmless(self) -> bytes:
        """Return the next packet that may not rightly change a call."""
        chance = self._mutator.random
        while True:
            if chance.random() < 0.25:
                data = self._nearly(chance.choice(self._packets))
            else:
                data = self._mutator.spoil(self._packets, TEXT)
            if may_act(data, self._dialogs):
                data = self._nearly(data)
            if not may_act(data, self._dialogs):
                return data
            self._fired["left out"] += 1

    def _nearly(self, data: bytes) -> bytes:
        """Spoil one name of whichever dialog the packet belongs to."""
        for dialog in self._dialogs:
            data = nearly(self._mutator.random, data, dialog)
        return data

    async def _by_tcp(self, data: bytes) -> None:
        try:
            if self._tcp is None or self._tcp.is_closing():
                _, self._tcp = await asyncio.open_connection(self._target.host, self._target.port)
            self._tcp.write(data)
            await self._tcp.drain()
            self._fired["by TCP"] += 1
        except OSError:
            self._drop_tcp()

    def _drop_tcp(self) -> None:
        if self._tcp is not None:
            self._tcp.transport.abort()
        self._tcp = None

    def close(self) -> None:
        """Let go of the sockets."""
        self._drop_tcp()
        for sock in self._strangers:
            sock.close()


class MediaFire:
    """Mutated RTP and RTCP for the phone's sockets of all calls."""

    def __init__(self, far: LeanLine, seed: int, fired: Counter[str]) -> None:
        self._mutator = Mutator(seed)
        self._fired = fired
        self._strangers = strangers()
        self._talks = far.talks
        self._dirty = [talk for talk in far.talks if name_of(talk) in DIRTY]

    async def shoot(self) -> None:
        """Send one packet."""
        chance = self._mutator.random
        dirty = [talk for talk in self._dirty if not talk.call.over]
        if chance.random() < 0.4 and dirty:
            talk = chance.choice(dirty)
            _send(talk.sound, self._mutator.spoil(self._made(talk), BINARY), talk.near)
            self._fired["from the lines"] += 1
            return
        talk = chance.choice(self._talks)
        packets = self._made(talk)
        # Copies of what the line is just sending, and the packets that it will send next, are the best forgeries.
        data = self._mutator.spoil(packets, BINARY) if chance.random() < 0.7 else chance.choice(packets)
        near = talk.near if chance.random() < 0.7 else talk.near._replace(port=talk.near.port + 1)
        _send(chance.choice(self._strangers), data, near)
        self._fired["from others"] += 1

    def _made(self, talk: Talk) -> list[bytes]:
        number = talk.sent
        stamp = number * 160
        ahead = [
            build(8, number + step & 0xFFFF, stamp + 160 * step & 0xFFFFFFFF, sound.SSRC, b"\x2a" * 160)
            for step in (1, 2, 50, 40_000)
        ]
        events = [build(101, number + 1 & 0xFFFF, stamp, 77, bytes((5, end, 0, 160))) for end in (0, 0x80)]
        noise = build(13, number + 1 & 0xFFFF, stamp + 160 & 0xFFFFFFFF, 77, b"\x40")
        reports = [
            struct.pack("!BBHIIIIII", 0x80, 200, 6, 77, 1, 2, 3, 4, 5),
            struct.pack("!BBHI", 0x80, 201, 1, 77) + struct.pack("!BBHI", 0x81, 203, 1, 77),
        ]
        latest = [sound.packet(max(0, number - step)) for step in range(6)]
        return [*latest, *ahead, *events, noise, *reports]

    def close(self) -> None:
        """Let go of the sockets."""
        for sock in self._strangers:
            sock.close()


def _send(sock: socket.socket, data: bytes, near: Address) -> None:
    with contextlib.suppress(OSError):
        sock.sendto(data, (near.host, near.port))


def name_of(talk: Talk) -> str:
    """Return the line that was called."""
    return talk.call.request.uri.partition(":")[2].partition("@")[0]


async def _fire(weapon: SipFire | MediaFire, packets: int) -> None:
    for number in range(packets):
        await weapon.shoot()
        if number % BURST == BURST - 1:
            await asyncio.sleep(PAUSE_S)
    weapon.close()


@contextlib.asynccontextmanager
async def _lines() -> AsyncIterator[LeanLine]:
    far = await LeanLine.open()
    try:
        yield far
    finally:
        await far.close()


async def run(fire: Fire, packets: int, seed: int, folder: Path) -> Result:
    """Place the calls, fire while they talk, and return what came of them."""
    result = Result()
    before = set(asyncio.all_tasks())
    gc.collect()
    descriptors = psutil.Process().num_fds()
    with _listening_to_logs(result.internal):
        async with _lines() as far, Phone() as phone:
            await _calls(phone, far, fire, packets, seed, folder, result)
    await asyncio.sleep(0.2)
    gc.collect()
    result.tasks = [repr(task) for task in asyncio.all_tasks() if task not in before]
    result.descriptors = psutil.Process().num_fds() - descriptors
    return result


async def _calls(
    phone: Phone, far: LeanLine, fire: Fire, packets: int, seed: int, folder: Path, result: Result
) -> None:
    def call(name: str) -> asyncio.Task[CallRecord]:
        script = Script(
            max_ring_s=20, max_talk_s=TALK_S if name.startswith("w") else 60, capture=folder / name
        )
        return asyncio.ensure_future(phone.call(f"sip:{name}@{far.local}", script))

    placed = {name: call(name) for name in LINES}
    await asyncio.sleep(TALKING_S)
    held = memory_mb()
    if fire != "none":
        weapon: SipFire | MediaFire
        if fire == "sip":
            weapon = SipFire(far, phone.addresses[0], seed, result.fired)
        else:
            weapon = MediaFire(far, seed, result.fired)
        await _fire(weapon, packets)
        result.grown_mb = memory_mb() - held
    for name, task in placed.items():
        result.records[name] = await task
    far.ask_options(phone.addresses[0])
    for _ in range(100):
        if far.options:
            break
        await asyncio.sleep(0.05)
    result.options = far.options
    for talk in far.talks:
        result.sound_sent[name_of(talk)] = talk.sent
    for name, record in result.records.items():
        info = await asyncio.to_thread(
            recordings.encode, folder / name, folder / f"{name}.flac", record.ended_ms
        )
        result.durations_ms[name] = info.duration_ms
        result.whole[name] = _whole(folder / name, record)


def _whole(path: Path, record: CallRecord) -> float:
    """Return the part of the talk, its first second and its last half left out, in which the noise is heard."""
    heard = read_capture(path).right.astype(np.float64)
    start, end = (record.connected_ms or 0.0) + 1000, record.ended_ms - 500
    talk = heard[round(start * 8) : round(end * 8)]
    columns = talk[: len(talk) // COLUMN * COLUMN].reshape(-1, COLUMN)
    return float((np.sqrt((columns**2).mean(axis=1)) > LOUD).mean()) if len(columns) else 0.0


def main() -> int:
    """Run one kind of fire over and over; print what came of each, and return 1 when a call was changed."""
    from tests.fuzz.comparing import differences

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fire", choices=("sip", "media"), required=True)
    parser.add_argument("--packets", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the first round's; it counts up")
    parser.add_argument("--seconds", type=float, default=0.0, help="go on for so long; 0: one round")
    given = parser.parse_args()
    until, seed, bad = time.monotonic() + given.seconds, given.seed, 0
    with tempfile.TemporaryDirectory(prefix="dutyring-fuzz-") as name:
        folder = Path(name)
        for part in ("none", "fire"):
            (folder / part).mkdir()
        control = asyncio.run(run("none", 0, 0, folder / "none"))
        while True:
            result = asyncio.run(run(given.fire, given.packets, seed, folder / "fire"))
            found = differences(control, result, given.fire)
            bad += bool(found)
            print(f"seed {seed}: {dict(result.fired)}, {result.grown_mb:.1f} MB more, whole {result.whole}")
            print("".join(f"  {line}\n" for line in found), end="", flush=True)
            seed += 1
            for path in (folder / "fire").iterdir():
                path.unlink()
            if time.monotonic() >= until:
                return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
