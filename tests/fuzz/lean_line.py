"""A far end that is all our own: its SIP socket and its sockets for sound send whatever we want, too.

It rings, answers after half a second and talks: steady noise, one packet each 20 ms, sent by a process of its own (see
`tests.fuzz.sound`). Lines whose name begins with `b` hang up after the time that follows (`b6-2`: 6 s); all others wait
for the caller to do so.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

from sip.core import (
    Acknowledged,
    Address,
    Datagram,
    Ended,
    Endpoint,
    Event,
    IncomingCall,
    IncomingInvite,
    build_answer,
)
from tests.fuzz import sound
from tests.fuzz.mutations import DialogNames

ANSWER_S = 0.5
MOST_CALLS = 8


@dataclass
class Talk:
    """One call and its sound."""

    call: IncomingCall
    near: Address
    """Where the phone hears."""
    sound: socket.socket
    number: int
    """Of the socket."""
    began: float = 0.0
    """When its sound began, in monotonic seconds."""
    ended: float | None = None
    ends: list[asyncio.TimerHandle] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many packets of sound have been sent, within one or two."""
        until = time.monotonic() if self.ended is None else self.ended
        return round((until - self.began) / sound.PERIOD_S) if self.began else 0

    @property
    def names(self) -> DialogNames:
        """How requests name the dialog; `ours` is the phone's tag."""
        request = self.call.request
        return DialogNames(request.call_id.encode(), request.from_.tag.encode(), self.call.local_tag.encode())


class LeanLine(asyncio.DatagramProtocol):
    """See the text of the module. `await LeanLine.open()`, then `close()`."""

    transport: asyncio.DatagramTransport
    endpoint: Endpoint

    def __init__(self) -> None:
        self.talks: list[Talk] = []
        self.heard: list[bytes] = []
        """SIP messages of the phone."""
        self.said: list[bytes] = []
        self.options: list[int | None] = []
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._sockets = [_bound() for _ in range(MOST_CALLS)]
        descriptors = [sock.fileno() for sock in self._sockets]
        self._speaker = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.sound", *map(str, descriptors)],
            stdin=subprocess.PIPE,
            pass_fds=descriptors,
            text=True,
            bufsize=1,
        )

    @classmethod
    async def open(cls) -> LeanLine:
        """Bind to a free port of the loopback."""
        line = cls()
        line.transport, _ = await line._loop.create_datagram_endpoint(
            lambda: line, local_addr=("127.0.0.1", 0)
        )
        line.endpoint = Endpoint(line.local, user_agent="lean line")
        return line

    @property
    def local(self) -> Address:
        """Where the lines are reached."""
        host, port = self.transport.get_extra_info("sockname")
        return Address(host, port)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a message; the refusals that spoilt packets get are nobody's here."""
        if data.startswith((b"SIP/2.0 4", b"SIP/2.0 5", b"SIP/2.0 100")):
            return
        if len(self.heard) < 500:
            self.heard.append(data)
        self.endpoint.receive(data, Address(*addr), time.monotonic())
        self.flush()

    def flush(self) -> None:
        """Send what is due and see what happened."""
        for event in self.endpoint.take_events():
            self._happened(event)
        for datagram in self.endpoint.take_datagrams():
            self._send(datagram)
        if self._timer is not None:
            self._timer.cancel()
        due = self.endpoint.deadline()
        self._timer = None if due is None else self._loop.call_at(due, self._advance)

    def _send(self, datagram: Datagram) -> None:
        if len(self.said) < 500:
            self.said.append(datagram.data)
        self.send(datagram.data, datagram.destination)

    def send(self, data: bytes, to: Address) -> None:
        """Send any bytes from the lines' own SIP address."""
        if not self.transport.is_closing():
            self.transport.sendto(data, (to.host, to.port))

    def _advance(self) -> None:
        self.endpoint.advance(time.monotonic())
        self.flush()

    def _happened(self, event: Event) -> None:
        if isinstance(event, IncomingInvite) and event.sdp is not None and event.sdp.address is not None:
            number = len(self.talks)
            talk = Talk(event.call, event.sdp.address, self._sockets[number], number)
            self.talks.append(talk)
            event.call.progress(180, time.monotonic())
            talk.ends.append(self._loop.call_later(ANSWER_S, self._answer, talk, event))
        elif isinstance(event, Acknowledged):
            talk = next(talk for talk in self.talks if talk.call.call_id == event.call_id)
            if not talk.began:
                talk.began = time.monotonic()
                self._tell(f"{talk.number} {talk.near.host} {talk.near.port}")
        elif isinstance(event, Ended):
            self._hush(next(talk for talk in self.talks if talk.call.call_id == event.call_id))

    def _answer(self, talk: Talk, event: IncomingInvite) -> None:
        assert event.sdp is not None
        if talk.call.over:
            return
        body = build_answer(event.sdp, Address(*talk.sound.getsockname()), 1)
        talk.call.answer(time.monotonic(), body, headers=(("Contact", f"<sip:line@{self.local}>"),))
        line = event.request.uri.partition(":")[2].partition("@")[0]
        if line.startswith("b"):
            talk.ends.append(self._loop.call_later(float(line[1:].partition("-")[0]), self._hang_up, talk))
        self.flush()

    def _hang_up(self, talk: Talk) -> None:
        self._hush(talk)
        talk.call.hang_up(time.monotonic())
        self.flush()

    def _hush(self, talk: Talk) -> None:
        if talk.ended is None:
            talk.ended = time.monotonic()
            self._tell(str(talk.number))

    def _tell(self, line: str) -> None:
        assert self._speaker.stdin is not None
        self._speaker.stdin.write(line + "\n")

    def ask_options(self, phone: Address) -> None:
        """Ask the phone whether it is there; `options` gets the status."""
        self.endpoint.send_options(
            f"sip:{phone}", phone, time.monotonic(), lambda result: self.options.append(result.status)
        )
        self.flush()

    async def close(self) -> None:
        """End everything."""
        assert self._speaker.stdin is not None
        self._speaker.stdin.close()
        await asyncio.to_thread(self._speaker.wait, 10)
        for sock in self._sockets:
            sock.close()
        for talk in self.talks:
            for handle in talk.ends:
                handle.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self.transport.close()
        await asyncio.sleep(0)


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock
