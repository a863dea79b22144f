"""The writer process: appends what the engine hands it to the captures, and does nothing else.

Run as `python -m sip.media.writer FD`, FD being its end of a socket pair with the engine. It ends when the
engine's end closes, after everything that was received is on its file.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys

from sip.media.capture import pack_header
from sip.media.channel import Message, Unframer, frame


class Writer:
    """The open captures, by the number of their session."""

    def __init__(self) -> None:
        self._files: dict[int, tuple[int, str]] = {}

    def handle(self, message: Message) -> list[Message]:
        """Do what the engine asks; return the answers."""
        verb, session, *rest = message
        try:
            if verb == "open":
                self._open(session, *rest)
            elif verb == "write":
                self._append(session, *rest)
            elif verb == "close":
                self._close(session)
                return [("closed", session)]
        except OSError as error:
            return [("failed", session, self._give_up(session, error))]
        return []

    def _open(self, session: int, path: str, wall_time_s: float) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._files[session] = descriptor, path
        if os.fstat(descriptor).st_size:
            raise FileExistsError(errno.EEXIST, "the file holds something already", path)
        self._append(session, pack_header(wall_time_s))

    def _append(self, session: int, data: bytes) -> None:
        if session not in self._files:
            return
        descriptor, path = self._files[session]
        if not os.fstat(descriptor).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the file was removed during the call", path)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def _give_up(self, session: int, error: OSError) -> str:
        descriptor, path = self._files.pop(session, (-1, ""))
        if descriptor >= 0:
            os.close(descriptor)
        return f"{path or error.filename}: {error.strerror or error}"

    def _close(self, session: int) -> None:
        if session in self._files:
            os.close(self._files.pop(session)[0])


def run(channel: socket.socket) -> None:
    """Serve the engine until it closes its end."""
    writer, unframer = Writer(), Unframer()
    while data := channel.recv(1 << 18):
        answers = b"".join(frame(a) for m in unframer.feed(data) for a in writer.handle(m))
        try:
            channel.sendall(answers)
        except OSError:
            continue  # the engine is gone; what it sent before still has to be written


def main() -> None:
    """Run the writer on the descriptor of the command line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
