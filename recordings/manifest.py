"""The manifest of recordings: every sound that was stored or erased, in a file that is only ever appended to.

Each entry carries the hash of the one before and is signed by this installation's Ed25519 key. An entry is on the disk
before anything counts as stored or erased. Several processes append: a lock on the file puts them in order.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.entries import FIRST, Entry, SignedHead, public_hex
from recordings.errors import ManifestError, UnwritableRecording
from recordings.files import sync_folder, write_whole
from recordings.signing import load_or_make, load_public

if TYPE_CHECKING:
    from recordings.chain import Problem

MANIFEST: Final = "manifest.jsonl"
_BACK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class _End:
    """How the file ends: what the next entry follows."""

    n: int
    sha256: str
    size: int
    """Bytes of whole lines."""
    torn: bytes
    """What stands after the last whole line: a line that was cut off in writing."""
    broken: bool
    """The last line is no entry."""


class Manifest:
    """The file `path` and the key that signs it. Every method may block. Raises `ManifestError`."""

    def __init__(
        self, path: Path, key_file: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.path = path
        self.key_file = key_file
        self.now = now

    @cached_property
    def key(self) -> Ed25519PrivateKey:
        """The key, made on first use. Raises `ManifestError` when the one that began it is gone or another."""
        key = load_or_make(self.key_file, may_make=not self._begun())
        first = next(self.entries(), None)
        if first is not None and first.kind == "opened":
            ours, theirs = public_hex(key.public_key()), first.members.get("public_key")
            if ours != theirs:
                raise ManifestError(
                    self.path, f"was begun with the key {theirs}; {self.key_file} holds {ours}"
                )
        return key

    def public_key(self) -> Ed25519PublicKey:
        """The public key, of the key's file or of the copy beside it; nothing is made. Raises `ManifestError`."""
        if self.key_file.exists():
            return load_or_make(self.key_file, may_make=False).public_key()
        return load_public(self.key_file.with_suffix(".pub"))

    def append(self, kind: str, /, **members: Any) -> Entry:
        """Write one entry; it is on the disk when this returns. Raises `UnwritableRecording` too."""
        return self.append_all([(kind, members)])[0]

    def append_all(self, said: Sequence[tuple[str, dict[str, Any]]]) -> list[Entry]:
        """Write several entries, kind and members of each, at once. Raises as `append` does."""
        key = self.key
        try:
            with self._held(fcntl.LOCK_EX) as file:
                end = _end_of(file)
                lead = [*self._mend(file, end), *said]
                if end.n == 0:
                    lead.insert(0, ("opened", {"public_key": public_hex(key.public_key())}))
                made = []
                n, previous = end.n, end.sha256
                for kind, members in lead:
                    entry = Entry.make(n + 1, self.now(), kind, members, previous, key)
                    n, previous = entry.n, entry.sha256
                    made.append(entry)
                _write(file, end.size, b"".join(entry.line() + b"\n" for entry in made))
        except OSError as error:
            raise UnwritableRecording(self.path, f"cannot be written: {error.strerror or error}") from error
        return made[len(made) - len(said) :]

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Yield the entries that can be read, as they stood when this was called; `start`: first byte to read."""
        for _, _, line in self.lines(start):
            try:
                yield Entry.read(line)
            except ValueError:
                continue

    def lines(self, start: int = 0) -> Iterator[tuple[int, bool, bytes]]:
        """Yield of each line, without its end, the byte after it and whether it is whole, as it stands now."""
        try:
            with self._held(fcntl.LOCK_SH) as file:
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return
        except OSError as error:
            raise ManifestError(self.path, f"cannot be read: {error.strerror or error}") from error
        with self.path.open("rb") as file:
            file.seek(start)
            while start < size:
                line = file.readline(size - start)
                if not line:
                    return
                start += len(line)
                yield start, line.endswith(b"\n"), line.removesuffix(b"\n")

    def end(self) -> int:
        """Return how many bytes the file has now: what is appended from here on begins there."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def verify(self, heads: Sequence[SignedHead] = ()) -> Iterator[Problem]:
        """Yield what does not hold of the manifest; see `recordings.chain.check_chain`."""
        from recordings.chain import check_chain

        return check_chain(self, self.public_key(), heads)

    def head(self) -> SignedHead:
        """Return the signed head as it is now. Raises `ManifestError` when there is no entry yet."""
        try:
            with self._held(fcntl.LOCK_SH) as file:
                end = _end_of(file)
        except OSError as error:
            raise ManifestError(self.path, f"cannot be read: {error.strerror or error}") from error
        if end.n == 0:
            raise ManifestError(self.path, "has no entry yet")
        return SignedHead.make(end.n, end.sha256, self.now(), self.key)

    def _begun(self) -> bool:
        return self.end() > 0

    @contextmanager
    def _held(self, lock: int) -> Iterator[BinaryIO]:
        """Open the file, for writing when the lock is exclusive, and hold the lock on it."""
        flags = os.O_RDONLY
        if lock == fcntl.LOCK_EX:
            flags = os.O_RDWR | os.O_CREAT
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self.path, flags | os.O_CLOEXEC, 0o640))
                sync_folder(self.path.parent)
        handle = os.open(self.path, flags | os.O_CLOEXEC, 0o640)
        with os.fdopen(handle, "r+b" if lock == fcntl.LOCK_EX else "rb", buffering=0) as file:
            fcntl.flock(file, lock)
            yield file

    def _mend(self, file: BinaryIO, end: _End) -> list[tuple[str, dict[str, Any]]]:
        """Set aside what was cut off; return the entries that tell of it and of a last line that is none."""
        told: list[tuple[str, dict[str, Any]]] = []
        if end.torn:
            digest = hashlib.sha256(end.torn).hexdigest()
            aside = self.path.with_name(f"{self.path.name}.torn-{end.n + 1}-{digest[:8]}")
            write_whole(aside, [end.torn])
            told.append(("torn", {"bytes": len(end.torn), "sha256": digest, "file": aside.name}))
        if end.broken:
            told.append(("resumed", {"line": end.n, "sha256": end.sha256}))
        return told


def _end_of(file: BinaryIO) -> _End:
    size = file.seek(0, os.SEEK_END)
    start, tail = size, b""
    # Back to the end of the line before the last: only then is the last one known whole.
    while start > 0 and tail.count(b"\n") < 2:
        step = min(start, max(_BACK, len(tail)))
        start -= step
        file.seek(start)
        tail = _exactly(file, step) + tail
    whole, newline, torn = tail.rpartition(b"\n")
    if not newline:
        return _End(0, FIRST, 0, tail, False)
    line = whole.rpartition(b"\n")[2]
    try:
        entry = Entry.read(line)
    except ValueError:
        file.seek(0)
        number = sum(block.count(b"\n") for block in iter(lambda: file.read(_BACK), b""))
        return _End(number, hashlib.sha256(line).hexdigest(), size - len(torn), torn, True)
    return _End(entry.n, entry.sha256, size - len(torn), torn, False)


def _exactly(file: BinaryIO, length: int) -> bytes:
    parts = []
    while length > 0 and (part := file.read(length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def _write(file: BinaryIO, size: int, data: bytes) -> None:
    """Append after `size` bytes, flushed to the disk; a disk that is full leaves the file as it was."""
    file.truncate(size)
    file.seek(size)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise
