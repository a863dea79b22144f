"""Far ends that misbehave, each on a UDP socket and a thread of its own, and a registrar that does not."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

from . import weapons
from .weapons import SDP, Address, header, request, response, status

CONTENT = "Content-Type: application/sdp"


class FarEnd:
    """Takes datagrams one by one; `behave(far_end, data)` says what comes of each."""

    def __init__(self, behave: Callable[[FarEnd, bytes], None]) -> None:
        self._behave = behave
        self._sock = weapons.udp()
        self._sock.settimeout(0.05)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.address: Address = self._sock.getsockname()
        self.peer: Address = ("", 0)
        """Where the phone's last message came from."""
        self.asked: list[bytes] = []
        """All that came."""
        self.done = threading.Event()
        """Set by whoever behaves, once the attack is over."""

    def __enter__(self) -> FarEnd:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(10)
        self._sock.close()

    @property
    def uri(self) -> str:
        """Whom the phone calls."""
        return f"sip:1@{self.address[0]}:{self.address[1]}"

    def count(self, method: str) -> int:
        """How many requests of a method have come."""
        return sum(data.startswith(method.encode() + b" ") for data in list(self.asked))

    def statuses(self, method: str) -> list[int]:
        """The statuses of the responses to requests of a method."""
        return [status(data) for data in list(self.asked) if status(data) and method in header(data, "CSeq")]

    def send(self, data: bytes) -> None:
        """Send a datagram to the phone."""
        self._sock.sendto(data, self.peer)

    def answer(self, data: bytes, code: int = 200, tag: str = "far") -> None:
        """Answer a request; an INVITE by a session description whose sound goes nowhere."""
        if data.startswith(b"INVITE") and code in (180, 183, 200):
            body = SDP.format(host=self.address[0], port=9)
            contact = f"Contact: <sip:1@{self.address[0]}:{self.address[1]}>"
            self.send(response(data, code, tag=tag, headers=(CONTENT, contact), body=body))
        else:
            self.send(response(data, code, tag=tag))

    def within(self, method: str, invite: bytes, cseq: int, *, body: str = "", tag: str = "far") -> bytes:
        """Return a request of this side within the dialog that the phone's INVITE began."""
        own = header(invite, "From").partition("tag=")[2]
        return request(
            method,
            self.peer,
            self.address,
            call_id=header(invite, "Call-ID"),
            from_tag=tag,
            to_tag=own,
            cseq=cseq,
            headers=(CONTENT,) if body else (),
            body=body,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                data, self.peer = self._sock.recvfrom(65_535)
            except TimeoutError:
                continue
            if data.strip():
                self.asked.append(data)
                self._behave(self, data)


def polite(far: FarEnd, data: bytes) -> None:
    """Answer all but ACK with 200."""
    if not data.startswith((b"ACK", b"SIP/2.0")):
        far.answer(data)


def repeating(count: int, *, tags: bool = False, code: int = 200) -> Callable[[FarEnd, bytes], None]:
    """Answer the INVITE over and over, with a new tag or in other words each time; the BYE as well."""

    def behave(far: FarEnd, data: bytes) -> None:
        if data.startswith((b"ACK", b"SIP/2.0")):
            return
        if not data.startswith((b"INVITE", b"BYE")) or (data.startswith(b"BYE") and far.done.is_set()):
            far.answer(data)
            return
        for number in range(count):
            tag = secrets.token_hex(4) if tags else "far"
            if data.startswith(b"BYE"):
                far.answer(data, 200)
            elif code < 200 and not tags:
                far.send(response(data, code, headers=(f"Subject: {number} {'x' * 200}",)))
            else:
                far.answer(data, code, tag)
            if number % 50 == 49:
                time.sleep(0.004)
        if data.startswith(b"BYE"):
            far.done.set()
        elif code < 200:
            far.answer(data)

    return behave


def storming(count: int, method: str) -> Callable[[FarEnd, bytes], None]:
    """Answer the call, then send requests within it as fast as they are taken."""

    def behave(far: FarEnd, data: bytes) -> None:
        if data.startswith((b"INVITE", b"BYE", b"CANCEL")):
            far.answer(data)
        elif data.startswith(b"ACK") and not far.done.is_set():
            far.done.set()
            first = far.asked[0]
            body = SDP.format(host=far.address[0], port=9) if method in ("INVITE", "UPDATE") else ""
            for number in range(count):
                far.send(far.within(method, first, number + 1, body=body))
                if number % 50 == 49:
                    time.sleep(0.004)

    return behave


def bombing(rounds: int) -> Callable[[FarEnd, bytes], None]:
    """Send each of the bombs as early media and as requests within the call, so many times."""

    def behave(far: FarEnd, data: bytes) -> None:
        if data.startswith(b"INVITE"):
            for number in range(rounds):
                for headers, body in weapons.BOMBS.values():
                    far.send(response(data, 183, headers=(*headers, f"Subject: {number}"), body=body))
                    time.sleep(0.002)
            far.answer(data)
        elif data.startswith(b"ACK") and not far.done.is_set():
            for number, (headers, body) in enumerate(weapons.BOMBS.values()):
                asked = far.within("UPDATE", far.asked[0], number + 1, body=body)
                far.send(
                    asked.replace(b"Max-Forwards: 70\r\n", "".join(f"{h}\r\n" for h in headers).encode())
                )
                time.sleep(0.002)
            far.done.set()
        elif data.startswith(b"BYE"):
            far.answer(data)

    return behave
