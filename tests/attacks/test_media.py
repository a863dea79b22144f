"""Attacks on the sound of calls in progress: packets of strangers on live RTP and RTCP ports."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from types import TracebackType

import pytest

from . import weapons
from .attacked import Attacked
from .far_ends import CONTENT, FarEnd
from .weapons import SDP, Address, response, rtp

pytestmark = pytest.mark.timeout(90)
PACKETS = weapons.scaled(3000)
QUIET, LOUD = b"\xd5" * 160, b"\x2a" * 160
"""Codes of G.711 A-law: next to nothing, and as loud as it gets."""


class Speaker:
    """A far end that speaks softly, from where it says or (`elsewhere`) from another port, as behind NAT."""

    def __init__(self, *, elsewhere: bool = False) -> None:
        self._announced, other = weapons.udp(), weapons.udp()
        self._mouth = other if elsewhere else self._announced
        self._other = other
        self.ssrc = secrets.randbits(32)
        self.sent = 0
        self.phone: Address = ("", 0)
        """Where the phone wants its sound."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self.signalling = FarEnd(self._behave)

    def __enter__(self) -> Speaker:
        self.signalling.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.signalling.__exit__(kind, error, trace)
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._announced.close()
        self._other.close()

    def packet(self, ahead: int, payload: bytes) -> bytes:
        """Return a packet of the stream, so many after the one that was sent last."""
        number = self.sent + ahead
        return rtp(number, ssrc=self.ssrc, timestamp=160 * number, payload=payload)

    def _behave(self, far: FarEnd, data: bytes) -> None:
        if data.startswith(b"INVITE"):
            port = int(data.partition(b"m=audio ")[2].split(b" ")[0])
            self.phone = (far.address[0], port)
            body = SDP.format(host=far.address[0], port=self._announced.getsockname()[1])
            contact = f"Contact: <sip:1@{far.address[0]}:{far.address[1]}>"
            far.done.set()
            time.sleep(0.2)
            far.send(response(data, 200, headers=(CONTENT, contact), body=body))
            self._thread.start()
        elif data.startswith(b"BYE"):
            far.answer(data)

    def _speak(self) -> None:
        due = time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            self._mouth.sendto(self.packet(1, QUIET), self.phone)
            self.sent += 1
            due += 0.02


def inject(speaker: Speaker, sock: socket.socket, seconds: float) -> int:
    """Send what would come next in the stream, always a little before it does; returns how many packets."""
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for ahead in (1, 2, 3):
            sock.sendto(speaker.packet(ahead, LOUD), speaker.phone)
            count += 1
        time.sleep(0.01)
    return count


def test_sound_is_not_injected(attacked: Attacked) -> None:
    """From before the answer on: same SSRC, next numbers, known payload, another port. Nothing of it is heard."""
    with Speaker() as speaker, attacked.talking(1) as calls, weapons.udp("127.0.0.2") as sock:
        attacked.ask("call", uri=speaker.signalling.uri, calls=1, talk_s=3.0, until="begun")
        assert speaker.signalling.done.wait(10)
        with attacked.bounded(packets=900):
            sent = inject(speaker, sock, 3.0)
    heard = attacked.other
    assert sent > 300
    assert heard["outcome"] == "answered"
    assert heard["loud"] == 0
    assert heard["media"]["received"] > 130
    assert heard["media"]["lost"] == 0
    assert heard["media"]["late"] < calls.witness.allows(heard["media"]["sent"])


def test_sound_of_a_far_side_behind_nat_is_not_replaced(attacked: Attacked) -> None:
    """It was latched first and lives: whoever comes later is not heard, though no kernel filter stands there."""
    with Speaker(elsewhere=True) as speaker, attacked.talking(1), weapons.udp("127.0.0.2") as sock:
        attacked.ask("call", uri=speaker.signalling.uri, calls=1, talk_s=4.0, until="begun")
        assert speaker.signalling.done.wait(10)
        time.sleep(1.2)
        with attacked.bounded(packets=900):
            inject(speaker, sock, 2.5)
    heard = attacked.other
    assert heard["loud"] == 0
    assert heard["media"]["received"] > 180
    assert heard["media"]["lost"] == 0
    assert heard["media"]["ignored"] > 200


def test_a_flood_on_live_ports(attacked: Attacked) -> None:
    """Once a call's far side has settled, the kernel lets nobody else through."""
    with attacked.talking(talk_s=5.0), attacked.bounded(packets=4 * PACKETS) as grown:
        time.sleep(1.5)
        ports = [(host, port) for host, port in attacked.ask("media")]
        for host in ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"):
            with weapons.udp(host) as sock:
                for number in range(PACKETS // 3):
                    for at, (to, port) in enumerate(ports):
                        packet = rtp(number, ssrc=at, timestamp=160 * number, payload=LOUD)
                        weapons.throw(sock, packet, (to, port))
                    if number % 10 == 9:
                        time.sleep(0.004)
    # 100 microseconds for a packet that is thrown away.
    assert grown["media_cpu_s"] < 1.0 + 1e-4 * 4 * PACKETS


def test_a_flood_on_the_port_of_a_call_behind_nat(attacked: Attacked) -> None:
    """Here each packet of strangers is looked at: two thousand a second cost no packet of the call."""
    talk_s = 3.0 + PACKETS / 2000
    with Speaker(elsewhere=True) as speaker, attacked.talking(1, talk_s=talk_s + 0.5) as calls:
        attacked.ask("call", uri=speaker.signalling.uri, calls=1, talk_s=talk_s, until="begun")
        assert speaker.signalling.done.wait(10)
        time.sleep(1.2)
        with attacked.bounded(packets=PACKETS), weapons.udp("127.0.0.2") as sock:
            for number in range(PACKETS):
                weapons.throw(sock, rtp(number, ssrc=1, timestamp=160 * number, payload=LOUD), speaker.phone)
                if number % 10 == 9:
                    time.sleep(0.005)
    heard = attacked.other
    assert heard["loud"] == 0
    assert heard["media"]["lost"] == 0
    assert heard["media"]["late"] < calls.witness.allows(heard["media"]["sent"])
    assert heard["media"]["ignored"] > PACKETS // 2


BYE = bytes((0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1))


@pytest.mark.parametrize("muxed", [False, True])
def test_a_bye_of_rtcp_ends_nothing(attacked: Attacked, muxed: bool) -> None:
    """To the RTCP port or among the RTP packets, with the right SSRC: a call ends by SIP alone."""
    with Speaker() as speaker, attacked.talking(1), weapons.udp("127.0.0.2") as sock:
        attacked.ask("call", uri=speaker.signalling.uri, calls=1, talk_s=2.5, until="answered")
        host, port = speaker.phone
        for _ in range(500):
            weapons.throw(sock, BYE + speaker.ssrc.to_bytes(4, "big"), (host, port + (not muxed)))
            time.sleep(0.001)
    heard = attacked.other
    assert heard["outcome"] == "answered"
    assert heard["ended_by"] == "us"
    assert heard["media"]["received"] > 110
    assert heard["media"]["lost"] == 0
