"""A network that loses, repeats, holds back and delays packets by a plan, and keeps a log of each.

`BadNetwork` starts it as a process of its own (`python -m benchmarks.bad_network`), which needs root. That process
makes two network namespaces with nothing in them but one end (TUN) of a wire each, and is the wire itself: every IP
packet between the two goes through it. When it ends, the namespaces end with the programs in them.

`tc netem` would do the same to the packets, where a kernel has it; but it tells no more than sums. Here the log holds
the fate of each packet, so that what a call record says can be compared with the truth.

What happens to a packet is decided by the seed and by what it is: the third time that the 200 of the call to `61` is
sent, the tenth packet of its sound. So a plan does the same to the same call, however busy the machine is. The faults
of a call are named by its user: those of `61.loss-5` are those of the level `loss-5`. TCP is one level for all calls,
for connections are shared.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import json
import os
import random
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

NEAR, FAR = "10.77.0.1", "10.77.0.2"
LATE_S = 0.02
_LARGEST = 65_535
_UDP, _TCP = 17, 6
_CAPABILITIES = (12, 21)
"""CAP_NET_ADMIN and CAP_SYS_ADMIN (Linux <uapi/linux/capability.h>)."""
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8916, 0x891C, 0x8913, 0x8914
_IFF_UP = 0x1
_CALL_ID = re.compile(rb"^(?:Call-ID|i)\s*:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_TO = re.compile(rb"^(?:To|t)\s*:.*?sips?:([^@;>]+)@", re.IGNORECASE | re.MULTILINE)
_CSEQ = re.compile(rb"^CSeq\s*:\s*\d+\s+(\w+)", re.IGNORECASE | re.MULTILINE)
_AUDIO = re.compile(rb"^m=audio (\d+)", re.MULTILINE)
_START = re.compile(rb"^(?:SIP/2\.0 (\d{3})|([A-Z]+) sips?:)")


@dataclass(frozen=True, slots=True)
class Faults:
    """What is done to the packets of a call, each way."""

    loss: float = 0.0
    """Share that is lost."""
    repeat: float = 0.0
    """Share that arrives twice."""
    hold: float = 0.0
    """Share that is held back, so that those behind overtake it."""
    hold_ms: float = 50.0
    delay_ms: float = 0.0
    """Of every packet."""


def missing_rights() -> str | None:
    """Return what stands against a network of our own here, None where nothing does."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = int(re.findall(r"^CapEff:\s*(\w+)", status, re.MULTILINE)[0], 16)
    if not all(held >> capability & 1 for capability in _CAPABILITIES):
        return "a network of the test's own needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN)"
    if shutil.which("nsenter") is None:
        return "a network of the test's own needs nsenter (Debian package util-linux)"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "a network of the test's own needs /dev/net/tun"
    return None


class BadNetwork:
    """Two namespaces and the bad wire between them: `with BadNetwork(levels) as network: network.run("near", ...)`"""

    def __init__(self, levels: dict[str, Faults], *, seed: int = 1, tcp: str = "") -> None:
        self._plan = {
            "levels": {name: asdict(faults) for name, faults in levels.items()},
            "seed": seed,
            "tcp": tcp,
        }
        self._process: subprocess.Popen[str]
        self._places: dict[str, str] = {}

    def __enter__(self) -> BadNetwork:
        """Start it; raises `RuntimeError` where it does not start."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bad_network"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(self._plan) + "\n")
        self._process.stdin.flush()
        ready = self._process.stdout.readline()
        if not ready:
            raise RuntimeError(f"the network did not start (exit status {self._process.wait(5)})")
        self._places = json.loads(ready)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.communicate(timeout=20)

    def start(self, end: str, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program at one end, `near` or `far`."""
        within = ["nsenter", f"--net={self._places[end]}", *command]
        return subprocess.Popen(within, text=True, **options)

    def log(self) -> NetworkLog:
        """End the network; return what it did."""
        out, _ = self._process.communicate(timeout=30)
        return NetworkLog(**json.loads(out))


@dataclass(slots=True)
class NetworkLog:
    """What was done to the packets of all calls."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    """SIP messages by UDP: `user`, `way` (`out` from the near end, `in`), `what` (`INVITE`, `200 INVITE`), `at_s` and
    `arrived_s` (monotonic; a list, empty where it was lost)."""
    sound: list[dict[str, Any]] = field(default_factory=list)
    """Streams of RTP: `user`, `way`, `ssrc`, and what a receiver who is there all the time must find: `sent`, `lost`
    (between the first and the last that arrived), `repeated`, `overtaken`, `arrived`."""
    other: dict[str, int] = field(default_factory=dict)
    """Packets by kind: `rtcp`, `tcp`, `other`; and `late`, those that the network handed on more than 20 ms later than
    it should have, for the machine was busy."""

    def of(self, user: str, way: str, what: str) -> list[dict[str, Any]]:
        """Return every copy of a message of a call."""
        return [m for m in self.messages if (m["user"], m["way"], m["what"]) == (user, way, what)]


@dataclass(slots=True)
class _Stream:
    user: str
    way: str
    ssrc: int
    sent: list[int] = field(default_factory=list)
    arrived: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Count as RFC 3550 does, with numbers that go on past 65535."""
        newest, seen, overtaken = None, set[int](), 0
        for number in _unwrapped(self.arrived):
            if number not in seen and newest is not None and number < newest:
                overtaken += 1
            seen.add(number)
            newest = number if newest is None else max(newest, number)
        span = max(seen) - min(seen) + 1 if seen else 0
        return {
            "user": self.user,
            "way": self.way,
            "ssrc": self.ssrc,
            "sent": len(self.sent),
            "arrived": len(self.arrived),
            "lost": span - len(seen),
            "repeated": len(self.arrived) - len(seen),
            "overtaken": overtaken,
        }


def _unwrapped(numbers: list[int]) -> list[int]:
    whole: list[int] = []
    for number in numbers:
        last = whole[-1] if whole else number
        whole.append(last + ((number - last + 0x8000) & 0xFFFF) - 0x8000)
    return whole


class _Wire:
    """Takes packets from one end and hands them to the other."""

    def __init__(self, plan: dict[str, Any], ends: dict[str, int]) -> None:
        self._levels = {name: Faults(**faults) for name, faults in plan["levels"].items()}
        self._seed, self._tcp = plan["seed"], plan["tcp"]
        self._ends = ends
        self._due: list[tuple[float, int, int, bytes, list[Any], Any]] = []
        self._order = 0
        self._chance: dict[tuple[str, ...], random.Random] = {}
        self._users: dict[bytes, str] = {}
        """By Call-ID."""
        self._ports: dict[int, str] = {}
        """Who is called, by the near end's RTP port."""
        self._streams: dict[tuple[str, str, int], _Stream] = {}
        self.log = NetworkLog()
        self._counts: Counter[str] = Counter()

    def run(self) -> None:
        """Carry packets until the standard input closes."""
        sources = {fd: name for name, fd in self._ends.items()}
        command = sys.stdin.fileno()
        while True:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else 1.0
            ready = select.select([*sources, command], [], [], wait_s)[0]
            if command in ready:
                break
            for fd in ready:
                self._take_all(fd, "out" if sources[fd] == "near" else "in")
            self._deliver()
        self.log.sound = [stream.summary() for stream in self._streams.values()]
        self.log.other = {name: self._counts[name] for name in ("rtcp", "tcp", "other", "late")}

    def _take_all(self, fd: int, way: str) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._take(os.read(fd, _LARGEST), way, time.monotonic())

    def _take(self, packet: bytes, way: str, at_s: float) -> None:
        if packet[0] >> 4 != 4:
            return  # the kernel's own IPv6 neighbour talk
        start = (packet[0] & 15) * 4
        if packet[9] == _UDP:
            self._take_udp(packet, start, way, at_s)
        elif packet[9] == _TCP:
            body = packet[start + (packet[start + 12] >> 4) * 4 :]
            self._learn(body, way)
            faults = self._levels.get(self._tcp, Faults())
            self._send(packet, way, at_s, faults, self._random("tcp", way), [])
            self._counts["tcp"] += 1
        else:
            self._counts["other"] += 1
            self._send(packet, way, at_s, Faults(), self._random("other"), [])

    def _take_udp(self, packet: bytes, start: int, way: str, at_s: float) -> None:
        source, destination = struct.unpack_from("!HH", packet, start)
        body = packet[start + 8 :]
        arrived: list[Any] = []
        if _START.match(body):
            user, what = self._learn(body, way)
            entry = {"user": user, "way": way, "what": what, "at_s": at_s, "arrived_s": arrived}
            self.log.messages.append(entry)
            self._counts[f"{user}|{way}|{what}"] += 1
            times = self._counts[f"{user}|{way}|{what}"]
            chance = random.Random(f"{self._seed}|{user}|{way}|{what}|{times}")
            self._send(packet, way, at_s, self._faults(user), chance, arrived)
            return
        near = source if way == "out" else destination
        user = self._ports.get(near, self._ports.get(near - 1, ""))
        if near not in self._ports or len(body) < 12:
            self._counts["rtcp"] += 1
            self._send(packet, way, at_s, self._faults(user), self._random(user, way, "rtcp"), arrived)
            return
        number, ssrc = struct.unpack_from("!2xH4xI", body)
        key = (user, way, ssrc)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(user, way, ssrc)
        stream.sent.append(number)
        chance = self._random(user, way, "rtp")
        self._send(packet, way, at_s, self._faults(user), chance, stream.arrived, number)

    def _learn(self, body: bytes, way: str) -> tuple[str, str]:
        """Return whose call a SIP message belongs to and what it is; remember what tells its sound."""
        start, call_id, method = _START.match(body), _CALL_ID.search(body), _CSEQ.search(body)
        if start is None or call_id is None or method is None:
            return "", "other"
        to = _TO.search(body)
        if start[2] == b"INVITE" and way == "out" and to is not None:
            self._users[call_id[1]] = to[1].decode("ascii", "replace")
        user = self._users.get(call_id[1], "")
        audio = _AUDIO.search(body)
        if audio is not None and way == "out":
            self._ports[int(audio[1])] = user
        word = method[1].decode()
        return user, f"{start[1].decode()} {word}" if start[1] else start[2].decode()

    def _faults(self, user: str) -> Faults:
        return self._levels.get(user.partition(".")[2], Faults())

    def _random(self, *key: str) -> random.Random:
        found = self._chance.get(key)
        if found is None:
            found = self._chance[key] = random.Random("|".join((str(self._seed), *key)))
        return found

    def _send(
        self,
        packet: bytes,
        way: str,
        at_s: float,
        faults: Faults,
        chance: random.Random,
        arrived: list[Any],
        number: int | None = None,
    ) -> None:
        lost, twice, held = (chance.random() for _ in range(3))
        if lost < faults.loss:
            return
        due_s = at_s + (faults.delay_ms + (faults.hold_ms if held < faults.hold else 0.0)) / 1000
        for _ in range(2 if twice < faults.repeat else 1):
            self._order += 1
            end = self._ends["far" if way == "out" else "near"]
            heapq.heappush(self._due, (due_s, self._order, end, packet, arrived, number))

    def _deliver(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            due_s, _, end, packet, arrived, number = heapq.heappop(self._due)
            self._counts["late"] += time.monotonic() - due_s > LATE_S
            with contextlib.suppress(OSError):
                os.write(end, packet)
                arrived.append(time.monotonic() if number is None else number)


_LIBC = ctypes.CDLL(None, use_errno=True)


def _new_namespace(address: str) -> tuple[int, int]:
    """Enter a network namespace of our own; return its descriptor and that of the end of a wire in it."""
    if _LIBC.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace can be made")
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", b"wire", _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.0")):
            inet = struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(value)
            fcntl.ioctl(control, request, struct.pack("16s8s16x", b"wire", inet))
        for name in (b"lo", b"wire"):
            flags = struct.unpack_from(
                "=H", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16s24x", name)), 16
            )
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name, flags[0] | _IFF_UP))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY), end


def serve() -> None:
    """Be the network."""
    plan = json.loads(sys.stdin.readline())
    near, near_end = _new_namespace(NEAR)
    far, far_end = _new_namespace(FAR)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    places = {"near": f"/proc/{os.getpid()}/fd/{near}", "far": f"/proc/{os.getpid()}/fd/{far}"}
    print(json.dumps(places), flush=True)
    wire = _Wire(plan, {"near": near_end, "far": far_end})
    wire.run()
    print(json.dumps(asdict(wire.log)), flush=True)


if __name__ == "__main__":
    serve()
