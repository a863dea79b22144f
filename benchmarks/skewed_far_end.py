"""A duty line whose clock is off: one call, with clicks at known times.

    python -m benchmarks.skewed_far_end PPM SECONDS

It prints its port, rings for two seconds, answers, sends sound at the pace of its own clock, a click every ten of its
seconds (the first one with the answer, the last one 0.1 s before the end), a digit right behind the third click, and
hangs up. Then it prints when each of these was due, how late a packet left at most, and when the packets with clicks of
ours came (the kernel's time), as JSON in seconds of the machine's monotonic clock. It is written down independently of
the product.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import sys
import time

import numpy as np

RATE_HZ = 8000
SAMPLES = 160
RING_S = 2.0
CLICK_PACKETS = 500
"""Packets from one click to the next."""
DIGIT_AFTER = 2
"""The click that a digit follows."""
SO_TIMESTAMPNS = 35
LAST_PACKETS = 5
SILENCE = b"\xd5"
LOUD = b"\xaa" * 8 + b"\x2a" * 8
"""A-law codes of the highest level of both signs."""
EVENT = 101
BODY = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)


class Line:
    """The signalling of one call."""

    def __init__(self, rtp_port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._body = BODY.format(port=rtp_port)
        self._invite = ""
        self.caller = ("", 0)

    def request(self, wait_s: float) -> str:
        """Return the next request of the caller, or nothing."""
        if not select.select([self.socket], [], [], max(0.0, wait_s))[0]:
            return ""
        data, source = self.socket.recvfrom(65536)
        text = data.decode()
        if text.startswith("INVITE "):
            self._invite, self.caller = text, source
        return "" if text.startswith("SIP/2.0") else text

    def answer(self, request: str, status: str, *, sound: bool = False) -> float:
        """Answer a request; return when that left."""
        kept = [
            f"{name}: {value}"
            for name, value in _headers(request)
            if name in ("Via", "From", "Call-ID", "CSeq")
        ]
        to = next(value for name, value in _headers(request) if name == "To")
        kept.append(f"To: {to}" if "tag=" in to else f"To: {to};tag=skewed")
        body = self._body if sound else ""
        kind = ["Content-Type: application/sdp"] if sound else []
        head = [f"SIP/2.0 {status}", *kept, f"Contact: <sip:line@127.0.0.1:{self.port}>", *kind]
        message = "\r\n".join([*head, f"Content-Length: {len(body)}", "", body])
        self.socket.sendto(message.encode(), self.caller)
        return time.monotonic()

    def serve(self) -> None:
        """Answer what the caller asks in mid-call."""
        while request := self.request(0.0):
            if not request.startswith("ACK "):
                self.answer(request, "200 OK", sound=request.startswith("INVITE "))

    def ring(self) -> float:
        """Wait for the call, ring, answer; return when the answer left."""
        while not self._invite:
            self.request(60.0)
        invite = self._invite
        self.answer(invite, "180 Ringing")
        time.sleep(RING_S)
        return self.answer(invite, "200 OK", sound=True)

    def media(self) -> tuple[str, int]:
        """Return where the caller wants its sound."""
        found = re.search(r"c=IN IP4 (\S+).*?m=audio (\d+)", self._invite, re.DOTALL)
        assert found is not None
        return found[1], int(found[2])

    def hang_up(self) -> float:
        """End the call; return when that left."""
        headers = dict(_headers(self._invite))
        target = headers["Contact"].split("<")[-1].split(">")[0]
        to = headers["To"] + ";tag=skewed"
        message = [
            f"BYE {target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bKskewed",
            f"From: {to}",
            f"To: {headers['From']}",
            f"Call-ID: {headers['Call-ID']}",
            "CSeq: 1 BYE",
            "Max-Forwards: 70",
            "Content-Length: 0",
        ]
        self.socket.sendto(("\r\n".join([*message, "", ""])).encode(), self.caller)
        return time.monotonic()


def _headers(message: str) -> list[tuple[str, str]]:
    lines = message.split("\r\n\r\n")[0].split("\r\n")[1:]
    return [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


class Ear:
    """Notes when clicks of the caller come."""

    def __init__(self, rtp: socket.socket) -> None:
        self._rtp = rtp
        rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.heard: list[float] = []

    def wait(self, until: float) -> None:
        """Listen until a moment."""
        while (wait_s := until - time.monotonic()) > 0:
            if not select.select([self._rtp], [], [], wait_s)[0]:
                return
            data, ancillary, _, _ = self._rtp.recvmsg(2048, 64)
            seconds, nanoseconds = struct.unpack("@qq", ancillary[0][2])
            at = seconds + nanoseconds / 1e9 - time.time() + time.monotonic()
            codes = np.frombuffer(data[12:], np.uint8) ^ 0x55
            if len(data) == 12 + SAMPLES and (codes & 0x7F).max() > 0x60:
                self.heard.append(at)


def talk(rtp: socket.socket, line: Line, ppm: float, seconds: float, began: float) -> dict[str, list[float]]:
    """Send the sound of the call; return when clicks, and the digit, left, and when the caller's clicks came."""
    ear, near = Ear(rtp), line.media()
    count = round(seconds * RATE_HZ / SAMPLES)
    clicks: list[float] = []
    digits: list[float] = []
    late_s = 0.0
    digit_at = DIGIT_AFTER * CLICK_PACKETS + 1
    for number in range(count):
        due = began + number * SAMPLES / RATE_HZ * (1 + ppm / 1e6)
        ear.wait(due)
        is_click = number % CLICK_PACKETS == 0 or number == count - LAST_PACKETS
        head = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * SAMPLES & 0xFFFFFFFF, 99)
        payload = (LOUD if is_click else b"").ljust(SAMPLES, SILENCE)
        event = number - digit_at
        if 0 <= event < 5:
            head = struct.pack(
                "!BBHII", 0x80, EVENT | (0x80 if not event else 0), number, digit_at * SAMPLES, 99
            )
            payload = struct.pack("!BBH", 5, 10 | (0x80 if event == 4 else 0), SAMPLES * (event + 1))
        rtp.sendto(head + payload, near)
        if is_click:
            clicks.append(due)
        elif not event:
            digits.append(due)
        late_s = max(late_s, time.monotonic() - due)
        line.serve()
    ear.wait(began + count * SAMPLES / RATE_HZ * (1 + ppm / 1e6))
    return {"clicks": clicks, "digits": digits, "heard": ear.heard, "late": [late_s]}


def serve() -> None:
    """Take one call."""
    ppm, seconds = float(sys.argv[1]), float(sys.argv[2])
    rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        rtp.bind(("127.0.0.1", 0))
        if rtp.getsockname()[1] % 2 == 0:
            break
        rtp.close()
        rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line = Line(rtp.getsockname()[1])
    print(line.port, flush=True)
    answered = line.ring()
    found = talk(rtp, line, ppm, seconds, answered)
    found["answered"], found["ended"] = [answered], [line.hang_up()]
    print(json.dumps(found), flush=True)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        line.request(0.1)


if __name__ == "__main__":
    serve()
