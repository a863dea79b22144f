"""All sockets of one endpoint: UDP, TCP and TLS side by side, on one port number where that is possible."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from sip.core import Address, Datagram, TransportName
from sip.trunks import TlsSettings

from .connection import StreamLimits
from .errors import BindError
from .failures import TransportFailure, Trouble
from .stream import OnMessage, OnRefused, OnSent, StreamTransport
from .stream_framing import PING
from .udp import UdpTransport

PORT_TRIES = 32
"""How many free ports are tried until one is free for all transports."""


class Transports:
    """Sends each message by the transport of its destination. Open with `open`."""

    def __init__(self, on_message: OnMessage, on_refused: OnRefused) -> None:
        self._on_message = on_message
        self._on_refused = on_refused
        self._loop = asyncio.get_running_loop()
        self._udp: UdpTransport | None = None
        self._streams: dict[TransportName, StreamTransport] = {}
        self._keep_alives: dict[Address, asyncio.TimerHandle] = {}
        self.locals: tuple[Address, ...] = ()
        """Our address on each transport, in the order in which they were asked for."""

    @classmethod
    def open(
        cls,
        bind: Address,
        names: Sequence[TransportName],
        on_message: OnMessage,
        on_refused: OnRefused,
        *,
        tls: TlsSettings | None = None,
        dscp: int = 0,
        limits: StreamLimits | None = None,
    ) -> Transports:
        """Bind all transports. UDP and TCP share the port; TLS has the next one, unless it stands alone.

        Port 0 takes free ports. Raises `BindError` that names transport and port, and `TlsError`.
        """
        if not names or len(set(names)) != len(names):
            raise BindError(f"transports {names!r}: it takes udp, tcp and tls, each once and at least one")
        tries = 1 if bind.port else PORT_TRIES
        while True:
            tries -= 1
            opened = cls(on_message, on_refused)
            try:
                opened._bind(bind, names, tls, dscp, limits)
            except BindError:
                opened.close()
                if not tries:
                    raise
            except BaseException:
                opened.close()
                raise
            else:
                return opened

    def _bind(
        self,
        bind: Address,
        names: Sequence[TransportName],
        tls: TlsSettings | None,
        dscp: int,
        limits: StreamLimits | None,
    ) -> None:
        shared = bind.port
        for name in names:
            alone = name == "tls" and len(names) > 1
            port = (bind.port + 1 if bind.port else 0) if alone else shared
            where = Address(bind.host, port, name)
            if name == "udp":
                self._udp = UdpTransport.open(where, self._on_message, self._on_refused, dscp=dscp)
                local = self._udp.local
            else:
                stream = StreamTransport.open(
                    where, self._on_message, self._on_refused, tls=tls, dscp=dscp, limits=limits
                )
                self._streams[name] = stream
                local = stream.local
            if not alone:
                shared = local.port
            self.locals = (*self.locals, local)

    def send(self, datagram: Datagram, on_sent: OnSent) -> None:
        """Send a message of the core; `on_sent` is told when it is handed over, at once or later."""
        destination = datagram.destination
        if destination.transport == "udp":
            if self._udp is None:
                self._refuse_soon(destination)
            else:
                on_sent(self._udp.send(datagram.data, destination), destination)
            return
        stream = self._streams.get(destination.transport)
        if stream is None:
            self._refuse_soon(destination)
        elif datagram.is_request:
            stream.send(datagram.data, destination, on_sent, datagram.otherwise)
        else:
            # The port that a request came from is no port to connect to.
            if datagram.otherwise is not None and not stream.connected(destination):
                destination = datagram.otherwise
            stream.send(datagram.data, destination, on_sent)

    def local_to(self, remote: Address) -> Address:
        """Return the local end of the way to an address."""
        if remote.transport == "udp" and self._udp is not None:
            return self._udp.local
        stream = self._streams.get(remote.transport)
        return self.locals[0] if stream is None else stream.local_to(remote)

    def keep_alive(self, destination: Address, interval_s: float) -> None:
        """Send a keep-alive (RFC 5626 section 4.4.1) at this interval in seconds; 0 ends it.

        Over UDP an empty datagram of two line ends keeps a NAT's binding; a connection is pinged while it stands.
        """
        stream = self._streams.get(destination.transport)
        if stream is not None:
            stream.keep_alive(destination, interval_s)
        elif destination.transport == "udp":
            if (timer := self._keep_alives.pop(destination, None)) is not None:
                timer.cancel()
            if interval_s > 0:
                self._keep_udp(destination, interval_s)

    def keeps(self, destination: Address) -> bool:
        """Whether a connection with an address is to be kept alive."""
        stream = self._streams.get(destination.transport)
        return stream is not None and stream.keeps(destination)

    def expect_name(self, destination: Address, name: str) -> None:
        """Let the certificate at a TLS destination bear this name."""
        if (stream := self._streams.get(destination.transport)) is not None:
            stream.expect_name(destination, name)

    def close(self) -> None:
        """Close everything. May be called twice."""
        for timer in self._keep_alives.values():
            timer.cancel()
        self._keep_alives.clear()
        if self._udp is not None:
            self._udp.close()
        for stream in self._streams.values():
            stream.close()

    def _keep_udp(self, destination: Address, interval_s: float) -> None:
        if self._udp is not None:
            self._udp.send(PING, destination)
            again = self._loop.call_later(interval_s, self._keep_udp, destination, interval_s)
            self._keep_alives[destination] = again

    def _refuse_soon(self, destination: Address) -> None:
        what = (
            f"this endpoint has no {destination.transport.upper()}, by which {destination} is to be reached"
        )
        trouble = Trouble(TransportFailure.UNREACHABLE, what, unsent=True)
        self._loop.call_soon(self._on_refused, destination, time.monotonic(), trouble)
