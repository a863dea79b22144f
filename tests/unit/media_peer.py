"""The far end of the media tests: a plain UDP socket that sends RTP packets of the test's making."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class LoudnessBank:
    """A bank of one feature: the column's mean power. Named on the engine's command line by the tests."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def reset(self, row: int) -> None:
        assert 0 <= row < self.capacity

    def push(self, rows: npt.NDArray[Any], pcm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        assert pcm.shape == (len(rows), 160)
        assert len(set(rows.tolist())) in (len(rows), 1)  # 1: the rest of a call
        return np.mean(pcm**2, axis=1, keepdims=True).astype(np.float32)


BANK = "tests.unit.media_peer:LoudnessBank"


def rtp(
    sequence: int, timestamp: int, payload: bytes, *, ssrc: int = 77, pt: int = 8, marker: bool = False
) -> bytes:
    """An RTP packet, written down independently of the product."""
    second = pt | (0x80 if marker else 0)
    head = struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return head + payload


class Peer:
    """A far end with a socket of its own."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((host, port))
        self.address: tuple[str, int] = self.socket.getsockname()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, packet: bytes, to: tuple[str, int]) -> None:
        self.socket.sendto(packet, to)

    async def stream(
        self,
        to: tuple[str, int],
        payloads: list[bytes],
        *,
        ssrc: int = 77,
        pt: int = 8,
        sequence: int = 100,
        timestamp: int = 5000,
    ) -> None:
        """Send packets at their pace (8 codes to a millisecond)."""
        due = time.monotonic()
        for payload in payloads:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.send(rtp(sequence, timestamp, payload, ssrc=ssrc, pt=pt), to)
            due += len(payload) / 8000
            sequence += 1
            timestamp += len(payload)

    def received(self) -> list[bytes]:
        """Everything that has come so far."""
        packets = []
        while True:
            try:
                packets.append(self.socket.recv(2048))
            except BlockingIOError:
                return packets


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        return state not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def tone(seconds: float, frequency_hz: float = 450.0, level: int = 8000) -> npt.NDArray[np.int16]:
    time_s = np.arange(round(seconds * 8000)) / 8000
    return (level * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.int16)
