"""A far end on TCP that cuts and joins its messages as a stream may, which sipp cannot."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

Cut = Callable[[list[bytes]], list[bytes]]
"""Makes the writes to the socket of messages that are to be sent together."""
LIMIT_S = 40.0


def whole(messages: list[bytes]) -> list[bytes]:
    """Each message in a segment of its own."""
    return messages


def joined(messages: list[bytes]) -> list[bytes]:
    """All messages in one segment, with a keep-alive (RFC 5626) in front and between them."""
    return [b"\r\n\r\n" + b"\r\n".join(messages)]


def crumbs(messages: list[bytes]) -> list[bytes]:
    """Pieces of seven bytes, so that header names, lines and bodies are cut anywhere."""
    data = b"".join(messages)
    return [data[start : start + 7] for start in range(0, len(data), 7)]


class TcpPeer(threading.Thread):
    """Takes one connection: rings and answers its INVITE, then the BYE; or closes it after the ACK."""

    def __init__(self, cut: Cut = whole, *, closes: bool = False, description: str = "") -> None:
        super().__init__(daemon=True)
        self._cut, self._closes, self._description = cut, closes, description
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LIMIT_S)
        self.port: int = self._listener.getsockname()[1]
        self.received: list[bytes] = []
        """Whole messages, in order, of all connections."""

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    connection.settimeout(LIMIT_S)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        unread = b""
        while True:
            data = connection.recv(65_535)
            if not data:
                return
            unread += data
            while (message := _first_message(unread)) is not None:
                unread = unread[len(message) :]
                if not message.strip():
                    continue
                self.received.append(message)
                if message.startswith(b"ACK ") and self._closes:
                    return
                self._answer(connection, message)

    def _answer(self, connection: socket.socket, request: bytes) -> None:
        if request.startswith(b"INVITE "):
            # The 200 leaves with the 180, so that both may lie in one segment.
            replies = [self._reply(request, "180 Ringing"), self._reply(request, "200 OK", self._description)]
        elif request.startswith(b"BYE "):
            replies = [self._reply(request, "200 OK")]
        else:
            return
        for piece in self._cut(replies):
            connection.sendall(piece)
            time.sleep(0.001)

    def _reply(self, request: bytes, status: str, body: str = "") -> bytes:
        text = request.decode()
        kept = re.findall(r"(?im)^(?:Via|From|Call-ID|CSeq):[^\r\n]*", text)
        to = re.findall(r"(?im)^To:[^\r\n]*", text)[0]
        lines = [f"SIP/2.0 {status}", *kept, to if "tag=" in to else f"{to};tag=far"]
        lines += [f"Contact: <sip:62@127.0.0.1:{self.port};transport=tcp>"]
        lines += ["Content-Type: application/sdp"] if body else []
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    def methods(self) -> list[str]:
        """Return the methods of what came, in order."""
        return [message.split(None, 1)[0].decode() for message in self.received]

    def stop(self) -> None:
        """Close the listener; the thread ends with the connection."""
        self._listener.close()
        self.join(5)


def _first_message(data: bytes) -> bytes | None:
    """Return the first whole message of a stream, or the blank lines before it; None where there is none yet."""
    if data.startswith((b"\r\n", b"\n")):
        return data[: len(data) - len(data.lstrip(b"\r\n"))]
    head, end, rest = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^(?:Content-Length|l)\s*:\s*(\d+)", head)
    size = int(length[1]) if length else 0
    return data[: len(head) + 4 + size] if end and len(rest) >= size else None
