"""The sound of the lean lines, in a process of its own: what the test's loop is busy with does not make it late.

    python -m tests.fuzz.sound DESCRIPTOR...

Each line of the standard input is `number host port` (socket `number` sends to there from now on) or `number` (it sends
no more). The packets of a socket are those of `packet`, one each 20 ms.
"""

from __future__ import annotations

import os
import random
import select
import socket
import struct
import sys
import time

PERIOD_S = 0.02
SSRC = 77
_SAMPLES = 160


def _a_law(sample: int) -> int:
    """Return the code of a 13-bit sample (ITU-T G.711)."""
    sign, size = (0x80, sample) if sample >= 0 else (0, -sample - 1)
    segment = max(0, size.bit_length() - 5)
    code = segment << 4 | (size >> max(1, segment) & 0x0F)
    return (sign | code) ^ 0x55


def _noise() -> list[bytes]:
    """Return a second of noise, RMS 4,200 of 32,768: its kind stays what it is when some packets are late."""
    chance = random.Random(SSRC)
    return [
        bytes(_a_law(max(-4095, min(4095, round(chance.gauss(0.0, 525.0))))) for _ in range(_SAMPLES))
        for _ in range(round(1 / PERIOD_S))
    ]


NOISE = _noise()


def packet(number: int) -> bytes:
    """Return the packet of that number of a line's sound."""
    marker = 0x80 if number == 0 else 0
    head = struct.pack("!BBHII", 0x80, 8 | marker, number & 0xFFFF, number * _SAMPLES & 0xFFFFFFFF, SSRC)
    return head + NOISE[number % len(NOISE)]


def _heed(words: list[str], towards: dict[int, tuple[str, int]]) -> None:
    if len(words) > 1:
        towards[int(words[0])] = (words[1], int(words[2]))
    else:
        towards.pop(int(words[0]), None)


def main() -> None:
    """Send until the standard input ends."""
    sockets = [socket.socket(fileno=int(word)) for word in sys.argv[1:]]
    towards: dict[int, tuple[str, int]] = {}
    sent = [0] * len(sockets)
    slot, rest = time.monotonic(), b""
    while True:
        slot += PERIOD_S
        while (wait_s := slot - time.monotonic()) > 0 or not towards:
            if select.select([0], [], [], max(0.0, wait_s) if towards else None)[0]:
                # Lines may come together; a buffered reader would keep the second one from `select`.
                if not (data := os.read(0, 4096)):
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    _heed(line.decode().split(), towards)
                slot = max(slot, time.monotonic())
        for number, near in towards.items():
            sockets[number].sendto(packet(sent[number]), near)
            sent[number] += 1


if __name__ == "__main__":
    main()
