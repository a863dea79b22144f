"""A witness of the wire: sees SIP responses on the loopback interface with the kernel's time of each packet.

Runs as a process of its own, so that nothing in the phone can disturb it: `python -m benchmarks.capture PORT`. It
prints `ready`, then, when its standard input closes, one JSON object: Call-ID -> status -> time of day in seconds of
the first such response to an INVITE. Needs root (a raw AF_PACKET socket).
"""

from __future__ import annotations

import ctypes
import json
import re
import select
import socket
import struct
import sys

ETH_P_IP = 0x0800
SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
RECEIVE_BUFFER_BYTES = 8 << 20
_RESPONSE = re.compile(rb"\ASIP/2\.0 (\d{3})")
_CALL_ID = re.compile(rb"\r\n(?:Call-ID|i)\s*:\s*([^\r\n]+)", re.IGNORECASE)
_INVITE = re.compile(rb"\r\nCSeq\s*:\s*\d+\s+INVITE", re.IGNORECASE)


def port_filter(port: int) -> list[tuple[int, int, int, int]]:
    """Return a classic BPF program that lets IPv4 UDP packets from `port` through (Ethernet header of 14 bytes)."""
    return [
        (0x28, 0, 0, 12),  # ldh ethertype
        (0x15, 0, 6, ETH_P_IP),
        (0x30, 0, 0, 23),  # ldb protocol
        (0x15, 0, 4, socket.IPPROTO_UDP),
        (0xB1, 0, 0, 14),  # ldxb 4 * (IHL)
        (0x48, 0, 0, 14),  # ldh source port
        (0x15, 0, 1, port),
        (0x06, 0, 0, 0xFFFF),  # take it whole
        (0x06, 0, 0, 0),
    ]


def open_witness(port: int) -> socket.socket:
    """Open a raw socket on `lo` that sees what leaves this UDP port, with kernel times."""
    witness = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    program = b"".join(struct.pack("HBBI", *line) for line in port_filter(port))
    buffer = ctypes.create_string_buffer(program)
    fprog = struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
    witness.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)
    witness.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    witness.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    witness.bind(("lo", ETH_P_IP))
    return witness


def kernel_time(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Return the packet's time of day in seconds."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("ll", data[:16])
            return float(seconds + nanoseconds / 1e9)
    raise RuntimeError("the kernel gave a packet no time")


def note(frame: bytes, at: float, seen: dict[str, dict[int, float]]) -> None:
    """Keep the time of the first response of each status to each call's INVITE."""
    payload = frame[14 + 4 * (frame[14] & 0x0F) + 8 :]
    response, call = _RESPONSE.match(payload), _CALL_ID.search(payload)
    if response and call and _INVITE.search(payload):
        seen.setdefault(call.group(1).decode().strip(), {}).setdefault(int(response.group(1)), at)


def watch(port: int) -> dict[str, dict[int, float]]:
    """Watch until standard input closes."""
    seen: dict[str, dict[int, float]] = {}
    with open_witness(port) as witness:
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([witness, sys.stdin], [], [])
            if witness in ready:
                frame, ancillary, _, address = witness.recvmsg(65_535, 256)
                if address[2] != socket.PACKET_OUTGOING:
                    note(frame, kernel_time(ancillary), seen)
            elif sys.stdin in ready:
                return seen


if __name__ == "__main__":
    print(json.dumps(watch(int(sys.argv[1]))))
