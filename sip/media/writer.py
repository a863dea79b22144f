"""The writer process: appends what the engine hands it to the captures and packet logs, and does nothing else.

Run as `python -m sip.media.writer FD`, FD being its end of a socket pair with the engine. It ends when the
engine's end closes, after everything that was received is on its file.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from typing import Final, TypeAlias

from sip.media.capture_header import pack_header
from sip.media.channel import Message, Unframer, frame
from sip.media.packet_log import pack_log_header

_LOG: Final = "log"
_CAPTURE: Final = "capture"
_File: TypeAlias = tuple[int, str]
"""The number of a session and which of its files it is."""


class Writer:
    """The open files."""

    def __init__(self) -> None:
        self._files: dict[_File, tuple[int, str]] = {}

    def handle(self, message: Message) -> list[Message]:
        """Do what the engine asks; return the answers."""
        verb, session, *rest = message
        if verb == "close":
            return [*self._close((session, _LOG)), *self._close((session, _CAPTURE)), ("closed", session)]
        if verb == "write":
            return [failure for number, data in rest[0] for failure in self._write((number, _CAPTURE), data)]
        file = (session, _LOG if verb.endswith("_log") else _CAPTURE)
        try:
            if verb in ("open", "open_log"):
                self._open(file, *rest)
        except OSError as error:
            return [self._give_up(file, error)]
        return self._write(file, *rest) if verb == "write_log" else []

    def _write(self, file: _File, data: bytes) -> list[Message]:
        try:
            self._append(file, data)
        except OSError as error:
            return [self._give_up(file, error)]
        return []

    def _open(self, file: _File, path: str, *times: float) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._files[file] = descriptor, path
        if os.fstat(descriptor).st_size:
            raise FileExistsError(errno.EEXIST, "the file holds something already", path)
        self._append(file, pack_log_header(*times) if file[1] == _LOG else pack_header(*times))

    def _append(self, file: _File, data: bytes) -> None:
        if file not in self._files:
            return
        descriptor, path = self._files[file]
        if not os.fstat(descriptor).st_nlink:
            raise FileNotFoundError(errno.ENOENT, "the file was removed during the call", path)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def _give_up(self, file: _File, error: OSError) -> Message:
        descriptor, path = self._files.pop(file, (-1, ""))
        if descriptor >= 0:
            os.close(descriptor)
        verb = "log_failed" if file[1] == _LOG else "failed"
        return (verb, file[0], f"{path or error.filename}: {error.strerror or error}")

    def _close(self, file: _File) -> list[Message]:
        """Close a file; what the disk says only then is told."""
        try:
            if file in self._files:
                os.close(self._files.pop(file)[0])
        except OSError as error:
            return [self._give_up(file, error)]
        return []


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
