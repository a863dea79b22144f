"""Messages between the processes of the media: pickled tuples behind their length, on a local stream socket.

Both ends are our own processes, so pickle is safe here. Nothing ever blocks the engine: what the other side
does not take stays queued up to a bound, beyond which messages that may be dropped are.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections import deque
from typing import Any, Final

_LENGTH: Final = struct.Struct("<I")
_READ_BYTES: Final = 1 << 18
_BATCH: Final = 64
"""Buffers handed to one sendmsg; far below IOV_MAX."""

Message = tuple[Any, ...]


def frame(message: Message) -> bytes:
    """Return a message as it goes over the socket."""
    body = pickle.dumps(message, protocol=5)
    return _LENGTH.pack(len(body)) + body


class Unframer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes; return the messages that are complete."""
        self._buffer += data
        messages: list[Message] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._buffer, start)
            end = start + _LENGTH.size + size
            if end > len(self._buffer):
                break
            messages.append(pickle.loads(memoryview(self._buffer)[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return messages


class Channel:
    """One end of a socket pair that never blocks."""

    def __init__(self, sock: socket.socket, limit_bytes: int) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._limit_bytes = limit_bytes
        self._queue: deque[bytes | memoryview] = deque()
        self._queued_bytes = 0
        self._unframer = Unframer()
        self.closed = False

    def fileno(self) -> int:
        """Return the socket's descriptor, for `select`."""
        return self._socket.fileno()

    @property
    def pending(self) -> bool:
        """Whether something still waits to be taken by the other side."""
        return bool(self._queue) and not self.closed

    def send(self, message: Message, *, droppable: bool = False, limit_bytes: int | None = None) -> bool:
        """Queue a message; return False when it was dropped because the other side has been stalled for too long.

        A message with a limit of its own gives way before the others.
        """
        limit_bytes = self._limit_bytes if droppable and limit_bytes is None else limit_bytes
        if self.closed or (limit_bytes is not None and self._queued_bytes > limit_bytes):
            return False
        body = pickle.dumps(message, protocol=5)
        self._queue += (_LENGTH.pack(len(body)), body)  # joined by `sendmsg`: a body may be large
        self._queued_bytes += _LENGTH.size + len(body)
        return True

    def flush(self) -> None:
        """Hand over as much as the socket takes."""
        while self._queue and not self.closed:
            try:
                taken = self._socket.sendmsg([self._queue[i] for i in range(min(_BATCH, len(self._queue)))])
            except BlockingIOError:
                return
            except OSError:
                self._end()
                return
            self._taken(taken)

    def _taken(self, count: int) -> None:
        self._queued_bytes -= count
        while count:
            head = self._queue.popleft()
            if count < len(head):
                self._queue.appendleft(memoryview(head)[count:])
                return
            count -= len(head)

    def receive(self) -> list[Message]:
        """Return the messages that have arrived; `closed` is set at the end of the stream."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self._end()
        return self._unframer.feed(data)

    def _end(self) -> None:
        self.closed = True
        self._queue.clear()
        self._queued_bytes = 0

    def close(self) -> None:
        """Close the socket: the other side sees the end of the stream."""
        self.closed = True
        self._socket.close()
