"""Attacks by TCP and TLS: connections that drip, that never read, that promise too much, and too many of them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.peers import skip_for

from . import weapons
from .attacked import Attacked

pytestmark = pytest.mark.timeout(90)
CONNECTIONS = 300
EACH = 100
"""Connections from one address, fewer than are allowed."""


@contextlib.contextmanager
def connections(target: weapons.Address, count: int, each: int = EACH) -> Iterator[list[socket.socket]]:
    """Open connections from as many addresses as it takes; those that are turned away are among them."""
    with contextlib.ExitStack() as stack:
        hosts = weapons.sources(-(-count // each))
        yield [
            stack.enter_context(weapons.tcp(target, host)) for host in hosts for _ in range(min(each, count))
        ]


def ask(sock: socket.socket, target: weapons.Address) -> int:
    """Ask OPTIONS over a connection; returns the status, 0 if it was closed."""
    sock.sendall(weapons.request("OPTIONS", target, sock.getsockname(), transport="TCP"))
    with contextlib.suppress(ConnectionError, TimeoutError):
        return weapons.status(sock.recv(4_096))
    return 0


def honest(target: weapons.Address) -> int:
    """A server that connects and asks whether we are there."""
    with weapons.tcp(target, "127.0.0.9") as sock:
        return ask(sock, target)


def put(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)


def test_slow_drip(attacked: Attacked) -> None:
    """A byte now and then on many connections: each costs little, and is not waited for for ever."""
    with (
        attacked.talking(),
        attacked.bounded(packets=CONNECTIONS * 10) as grown,
        connections(attacked.sip, CONNECTIONS) as socks,
    ):
        message = weapons.request("OPTIONS", attacked.sip, ("127.0.0.1", 9), transport="TCP")
        for byte in message[:10]:
            for sock in socks:
                put(sock, bytes((byte,)))
            time.sleep(0.2)
        held = attacked.ask("counts")
        assert honest(attacked.sip) == 200
    assert CONNECTIONS <= held["connections"] <= 512
    assert held["buffered"] < 100_000
    assert grown["connections"] <= CONNECTIONS


def test_a_message_that_drips_is_given_up(attacked: Attacked) -> None:
    with weapons.tcp(attacked.sip) as sock:
        began = time.monotonic()
        sock.settimeout(0.5)
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 20:
                sock.sendall(b"O")
                with contextlib.suppress(TimeoutError):
                    assert sock.recv(100) == b""
                    break
    assert time.monotonic() - began < 13


def test_more_connections_than_there_is_room_for(attacked: Attacked) -> None:
    """All places are taken by connections without a word: who has something to say finds room."""
    with (
        attacked.talking(),
        attacked.bounded(packets=900, log_lines=6) as grown,
        connections(attacked.sip, 900) as socks,
    ):
        held = attacked.ask("counts")
        for _ in range(5):
            assert honest(attacked.sip) == 200
        del socks
    assert held["connections"] <= 512 + 32
    assert grown["files"] < 600


def test_one_source_takes_its_share_and_no_more(attacked: Attacked) -> None:
    with attacked.bounded(packets=400, log_lines=6), connections(attacked.sip, 400, each=400) as socks:
        held = attacked.ask("counts")
        assert honest(attacked.sip) == 200
        del socks
    assert held["connections"] <= 128 + 5


def test_bodies_that_are_promised_and_never_end(attacked: Attacked) -> None:
    """Each connection sends nearly all of the longest body that is taken: 36 MB in all, of which 16 are held."""
    with attacked.talking(), attacked.bounded(packets=CONNECTIONS * 50, mb=60) as grown:
        with connections(attacked.sip, CONNECTIONS) as socks:
            head = weapons.request(
                "MESSAGE", attacked.sip, ("127.0.0.1", 9), transport="TCP", length=128 << 10
            )
            for sock in socks:
                put(sock, head + bytes(120_000))
            held = attacked.ask("counts")
            assert honest(attacked.sip) == 200
        assert held["buffered"] < 17 << 20
    assert grown["buffered"] < 1 << 20


def test_a_body_longer_than_any(attacked: Attacked) -> None:
    with weapons.tcp(attacked.sip) as sock:
        put(sock, weapons.request("MESSAGE", attacked.sip, ("127.0.0.1", 9), transport="TCP", length=10**8))
        assert sock.recv(100) == b""


def test_peers_that_never_read(attacked: Attacked) -> None:
    """They ask and ask and take no answer: no more is read of them than they take."""
    count = 60
    with attacked.talking(), attacked.bounded(packets=count * 600, mb=45) as grown:
        with connections(attacked.sip, count) as socks:
            asked = weapons.request("OPTIONS", attacked.sip, ("127.0.0.1", 9), transport="TCP") * 10
            for sock in socks:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
                sock.setblocking(False)
            for _ in range(60):
                for sock in socks:
                    with contextlib.suppress(OSError):
                        sock.send(asked)
                time.sleep(0.02)
            held = attacked.ask("counts")
            assert honest(attacked.sip) == 200
        assert held["buffered"] < 17 << 20
    assert grown["connections"] <= 2


def test_half_open_tls(attacked: Attacked) -> None:
    """Connections to the TLS port that never shake hands are gone after 5 s, and keep nobody out before."""
    if "secure" not in attacked.addresses:
        skip_for("openssl is missing (`make peers` installs it)")
    target = attacked.addresses["secure"]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        attacked.talking(talk_s=8.0),
        attacked.bounded(packets=700, mb=70, log_lines=6) as grown,
        connections(target, 700, each=50) as socks,
    ):
        for sock in socks[::2]:
            put(sock, b"\x16\x03\x01\x02\x00\x01\x00")
        held = attacked.ask("counts")
        with (
            weapons.tcp(target, "127.0.0.9") as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as sock,
        ):
            assert ask(sock, target) == 200
        time.sleep(6.5)
        left = attacked.ask("counts")
    assert 64 < held["connections"] <= 128 + 32
    assert left["connections"] <= 2
    assert grown["tasks"] <= 10
    assert grown["files"] <= 10
