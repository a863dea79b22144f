"""A relay between the phone and sipp that changes what passes, where sipp itself cannot send or lose such a thing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable


class Back(bytes):
    """A datagram that the relay sends back to where the one before it came from."""


Change = Callable[[bytes], tuple[bytes, ...]]


def unchanged(datagram: bytes) -> tuple[bytes, ...]:
    """Pass everything on as it is."""
    return (datagram,)


class Relay(threading.Thread):
    """Forwards what `inward` makes of our datagrams to sipp, and what `outward` makes of those of sipp to us."""

    def __init__(self, outward: Change, inward: Change) -> None:
        super().__init__(daemon=True)
        self._outward, self._inward = outward, inward
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._far = ("127.0.0.1", 0)
        self._done = threading.Event()

    def connect(self, far_port: int) -> None:
        """Start forwarding between the phone and this port."""
        self._far = ("127.0.0.1", far_port)
        self.start()

    def run(self) -> None:
        near = None
        while not self._done.is_set():
            try:
                data, source = self._socket.recvfrom(65_535)
            except (TimeoutError, ConnectionError):
                continue
            if source != self._far:
                near = source
                self._send(self._inward(data), self._far, near)
            elif near is not None:
                self._send(self._outward(data), near, self._far)

    def _send(
        self, datagrams: tuple[bytes, ...], destination: tuple[str, int], source: tuple[str, int]
    ) -> None:
        for datagram in datagrams:
            self._socket.sendto(datagram, source if isinstance(datagram, Back) else destination)

    def stop(self) -> None:
        """End the thread and close the socket."""
        self._done.set()
        if self.is_alive():
            self.join(5)
        self._socket.close()
