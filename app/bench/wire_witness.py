"""A witness of the wire: sees the SIP messages of one port on the loopback interface with the kernel's time of each.

Runs as a process of its own, so that nothing in the phone can disturb it: `python -m app.bench.wire_witness PORT`. It
prints `ready`, then, when its standard input ends, one JSON object: Call-ID -> `INVITE` or the status of a response to
one -> time of day in seconds of the first such message. Needs the right to open raw sockets (CAP_NET_RAW, root).
"""

from __future__ import annotations

import ctypes
import json
import re
import select
import socket
import struct
import subprocess
import sys

ETH_P_IP = 0x0800
SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
"""Linux <linux/if_packet.h>: on loopback every packet would be seen twice."""
RECEIVE_BUFFER_BYTES = 32 << 20
_START_LINE = re.compile(rb"\A(?:SIP/2\.0 (?P<status>\d{3})|(?P<method>INVITE) )")
_CALL_ID = re.compile(rb"\r\n(?:Call-ID|i)\s*:\s*([^\r\n]+)", re.IGNORECASE)
_INVITE = re.compile(rb"\r\nCSeq\s*:\s*\d+\s+INVITE", re.IGNORECASE)

Times = dict[str, dict[str, float]]


def port_filter(port: int) -> list[tuple[int, int, int, int]]:
    """Return a classic BPF program that lets IPv4 UDP packets of `port` through (Ethernet header of 14 bytes)."""
    return [
        (0x28, 0, 0, 12),  # ldh ethertype
        (0x15, 0, 8, ETH_P_IP),
        (0x30, 0, 0, 23),  # ldb protocol
        (0x15, 0, 6, socket.IPPROTO_UDP),
        (0xB1, 0, 0, 14),  # ldxb 4 * (IHL)
        (0x48, 0, 0, 14),  # ldh source port
        (0x15, 2, 0, port),
        (0x48, 0, 0, 16),  # ldh destination port
        (0x15, 0, 1, port),
        (0x06, 0, 0, 0xFFFF),  # take it whole
        (0x06, 0, 0, 0),
    ]


def open_witness(port: int) -> socket.socket:
    """Open a raw socket on `lo` that sees what this UDP port sends and is sent, with kernel times.

    Raises OSError where raw sockets are not ours to open.
    """
    witness = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    program = b"".join(struct.pack("HBBI", *line) for line in port_filter(port))
    buffer = ctypes.create_string_buffer(program)
    fprog = struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
    witness.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
    witness.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    witness.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    witness.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    witness.bind(("lo", ETH_P_IP))
    return witness


def kernel_time(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Return the packet's time of day in seconds."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("ll", data[:16])
            return float(seconds + nanoseconds / 1e9)
    raise RuntimeError("the kernel gave a packet no time")


def note(frame: bytes, at: float, seen: Times) -> None:
    """Keep the time of each call's first INVITE and of the first response of each status to it."""
    payload = frame[14 + 4 * (frame[14] & 0x0F) + 8 :]
    start, call = _START_LINE.match(payload), _CALL_ID.search(payload)
    if start and call and (start["method"] or _INVITE.search(payload)):
        what = (start["method"] or start["status"]).decode()
        seen.setdefault(call[1].decode("latin-1").strip(), {}).setdefault(what, at)


def watch(port: int) -> Times:
    """Watch until standard input ends."""
    seen: Times = {}
    with open_witness(port) as witness:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([witness, sys.stdin], [], [])
            if witness in ready:
                frame, ancillary, _, _ = witness.recvmsg(65_535, 256)
                note(frame, kernel_time(ancillary), seen)
            elif sys.stdin in ready:
                return seen


class Witness:
    """The witness as a process; `times` are its findings after the end, and nothing where it may not look."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.bench.wire_witness", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.times: Times = {}
        self.sees = False
        """Whether it has the right to look."""

    def __enter__(self) -> Witness:
        assert self._process.stdout is not None
        self.sees = self._process.stdout.readline().strip() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        out, _error = self._process.communicate(timeout=30)
        self.times = json.loads(out) if self.sees else {}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(watch(int(sys.argv[1]))))
