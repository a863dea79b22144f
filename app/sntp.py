"""How far a clock is off by a time server: SNTP (RFC 4330, RFC 5905 section 14), client side, in bounded time."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

PORT = 123
ANSWER_S = 1.5
"""How long one answer may take; a slower one says too little."""
ASKS = 3
"""Questions of one measurement: their median is taken."""
_PACKET = struct.Struct("!BBbb11I")
_SINCE_1900_S = 2_208_988_800
_ERA_S = 2**32
_CLIENT = 0b00_100_011
"""No leap warning, version 4, mode 3."""
_SERVER_MODE = 4
_UNSYNCHRONISED = 3
_MOST_STRATUM = 15


class SntpError(RuntimeError):
    """The server gave no answer that can be used."""


@dataclass(frozen=True, slots=True)
class Server:
    """A time server."""

    host: str
    port: int = PORT

    @classmethod
    def parse(cls, text: str) -> Server:
        """Read `host`, `host:port` or `[IPv6]:port`. Raises ValueError."""
        plain = text.strip()
        host, port = plain, ""
        if plain.startswith("["):
            host, _, rest = plain[1:].partition("]")
            port = rest.removeprefix(":")
            if rest and not rest.startswith(":"):
                raise ValueError(f"{text!r} is no time server")
        elif plain.count(":") == 1:
            host, _, port = plain.partition(":")
        if (
            not host
            or (plain.endswith(":") and not plain.endswith("::"))
            or any(sign.isspace() or sign == "/" for sign in host)
        ):
            raise ValueError(f"{text!r} is no time server")
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError(f"{text!r} names no port")
        return cls(host, int(port) if port else PORT)


async def offset_s(server: Server, wall: Callable[[], float] = time.time) -> float:
    """Return how many seconds our clock is ahead of the server's, negative: behind; the median of a few answers.

    Takes at most `ASKS * ANSWER_S` and the time of resolving the name. Raises `SntpError`.
    """
    found: list[float] = []
    reason = ""
    for _ in range(ASKS):
        try:
            found.append(await _ask(server, wall))
        except (SntpError, OSError) as error:
            reason = str(error)
    if not found:
        raise SntpError(f"{server.host} gives no time: {reason}")
    return statistics.median_low(found)


async def _ask(server: Server, wall: Callable[[], float]) -> float:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[bytes, float]] = loop.create_future()
    # What we send as our time is a word that only the server can know; the true time stays here.
    word = secrets.token_bytes(8)

    class Client(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            # The originate field repeats our word: anything else is no answer to us.
            if len(data) >= _PACKET.size and data[24:32] == word and not answer.done():
                answer.set_result((data, wall()))

        def error_received(self, exc: Exception) -> None:
            if not answer.done():
                answer.set_exception(SntpError(str(exc)))

    try:
        async with asyncio.timeout(ANSWER_S):
            transport, _ = await loop.create_datagram_endpoint(Client, remote_addr=(server.host, server.port))
            try:
                sent_at = wall()
                transport.sendto(_PACKET.pack(_CLIENT, 0, 0, 0, *([0] * 11))[:40] + word)
                data, came_at = await answer
            finally:
                transport.close()
    except TimeoutError as error:
        raise SntpError(f"no answer within {ANSWER_S:g} s") from error
    return _offset(data, sent_at, came_at)


def _offset(data: bytes, sent_at: float, came_at: float) -> float:
    first, stratum, *_ = _PACKET.unpack(data[: _PACKET.size])
    if first & 7 != _SERVER_MODE or first >> 6 == _UNSYNCHRONISED or not 0 < stratum <= _MOST_STRATUM:
        raise SntpError("the server is not synchronised itself")
    received, answered = (_posix(data[start : start + 8], came_at) for start in (32, 40))
    ahead_of_us = ((received - sent_at) + (answered - came_at)) / 2
    return -ahead_of_us


def _posix(stamp: bytes, near: float) -> float:
    """Read a timestamp of 32 bits of seconds since 1900 and 32 bits of fractions; of the era nearest to our time."""
    seconds, fraction = struct.unpack("!II", stamp)
    if seconds == 0 and fraction == 0:
        raise SntpError("the server's answer holds no time")
    at = seconds - _SINCE_1900_S + fraction / 2**32
    return float(at + round((near - at) / _ERA_S) * _ERA_S)
