"""Reading anywhere in an object: its content comes in blocks, plain or decrypted."""

from __future__ import annotations

import io
import os
from typing import Final, Protocol

from recordings import cipher
from recordings.errors import RecordingChanged

_PLAIN_BLOCK: Final = 1 << 16


class Source(Protocol):
    """The stored bytes of one object."""

    length: int

    def read_at(self, start: int, length: int) -> bytes:
        """Return up to `length` bytes from `start` on; fewer only at the end."""

    def close(self) -> None:
        """Let go of it."""


class Blocks(Protocol):
    """How the content of an object lies in its stored bytes."""

    length: int
    """Bytes of the content."""
    size: int
    """Bytes of each block of the content but the last."""

    def block(self, number: int, source: Source) -> bytes:
        """Return a block of the content."""


class Plain:
    """Content that is stored as it is."""

    size = _PLAIN_BLOCK

    def __init__(self, length: int) -> None:
        self.length = length

    def block(self, number: int, source: Source) -> bytes:
        """Return a block of the content."""
        return source.read_at(number * self.size, self.size)


class Sealed:
    """Encrypted content."""

    size = cipher.CHUNK

    def __init__(self, opened: cipher.Opened, source: Source) -> None:
        """Raises `RecordingChanged` for an empty object that was once none: of that nothing will be read."""
        self._opened = opened
        self.length = opened.length
        if not self.length:
            self.block(0, source)

    def block(self, number: int, source: Source) -> bytes:
        """Return a block of the content. Raises `RecordingChanged`."""
        return self._opened.chunk(number, source.read_at(*self._opened.place(number)))


class BlockReader(io.RawIOBase):
    """A file on blocks; the last one read is kept."""

    def __init__(self, blocks: Blocks, source: Source) -> None:
        self._blocks = blocks
        self._source = source
        self._position = 0
        self._number = -1
        self._block = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to another place of the content; one beyond its end reads as nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._blocks.length}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # what io calls it with
        """Read from where it stands, at most to the end of the block."""
        if self._position >= self._blocks.length or not len(buffer):
            return 0
        number, start = divmod(self._position, self._blocks.size)
        if number != self._number:
            self._block = self._blocks.block(number, self._source)
            self._number = number
        part = self._block[start : start + len(buffer)]
        if not part:
            raise RecordingChanged("a recording", "became shorter while it was read")
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def close(self) -> None:
        """Let go of the object."""
        if not self.closed:
            self._source.close()
        super().close()
