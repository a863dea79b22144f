"""Where finished recordings are kept: objects in a folder, in S3 or, for tests, in memory.

An object has a key such as `objects/ab/abcd....flac`. What is put under a key of `objects/` is never overwritten.
Objects are encrypted where keys are given; those that were stored before are read as they are.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store

from recordings import cipher
from recordings.errors import RecordingError, RecordingMissing, UnwritableRecording
from recordings.files import DRAFT, write_whole
from recordings.reading import BlockReader, Blocks, Plain, Sealed, Source

if TYPE_CHECKING:
    from obstore.store import RetryConfig

_WINDOW: Final = 1 << 19
"""Bytes that are fetched from afar at one time."""
_PATIENCE: Final[RetryConfig] = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
"""With a store that does not answer: the capture is kept and tried again later."""
_TROUBLE: Final = (BaseError, OSError)


class Vault:
    """Objects by key. Every method may block; use it in a thread. Raises `RecordingError`s that name the key."""

    def __init__(
        self, store: ObjectStore | None, keys: cipher.Keyring | None = None, *, folder: Path | None = None
    ) -> None:
        """`folder`: where the objects of a local store are; it is made on first use."""
        self._given = store
        self._keys = keys
        self.folder = folder

    @cached_property
    def _store(self) -> ObjectStore:
        if self._given is not None:
            return self._given
        try:
            return LocalStore(self.folder, mkdir=True)
        except _TROUBLE as error:
            raise UnwritableRecording(str(self.folder), _reason(error)) from error

    @classmethod
    def at(cls, url: str | Path, keys: cipher.Keyring | None = None) -> Vault:
        """Return the vault of a folder, of `s3://BUCKET/PREFIX`, or of `memory:`. Raises `ValueError`."""
        if isinstance(url, str) and url.startswith("s3://"):
            try:
                return cls(S3Store.from_url(url, retry_config=_PATIENCE), keys)
            except BaseError as error:
                raise ValueError(f"{url}: {_reason(error)}") from error
        if url == "memory:":
            return cls(MemoryStore(), keys)
        if isinstance(url, str) and "://" in url:
            raise ValueError(f"{url}: it takes a folder or s3://BUCKET/PREFIX")
        return cls(None, keys, folder=Path(url).absolute())

    @property
    def encrypts(self) -> bool:
        """Whether what is put here is encrypted."""
        return self._keys is not None

    def put(self, key: str, source: Path) -> bool:
        """Store a file's content under its key, on the disk when this returns; True when it was not there yet.

        An object that is there already stays, whoever put it. Raises `UnwritableRecording`.
        """
        try:
            with source.open("rb") as file:
                return self._put(key, self._outer(key, file), replace=False)
        except _TROUBLE as error:
            raise UnwritableRecording(key, f"cannot be stored: {_reason(error)}") from error

    def write(self, key: str, data: bytes) -> None:
        """Store bytes under a key, in place of what is there. Raises `UnwritableRecording`."""
        try:
            self._put(key, self._outer(key, io.BytesIO(data)), replace=True)
        except _TROUBLE as error:
            raise UnwritableRecording(key, f"cannot be stored: {_reason(error)}") from error

    def _outer(self, key: str, file: BinaryIO) -> Iterator[bytes]:
        if self._keys is None:
            return iter(lambda: file.read(cipher.CHUNK), b"")
        return cipher.seal(file, key, self._keys)

    def _put(self, key: str, parts: Iterator[bytes], *, replace: bool) -> bool:
        if self.folder is not None:
            return write_whole(self.folder / key, parts, replace=replace)
        data = b"".join(parts)
        if replace:
            obstore.put(self._store, key, data)
            return True
        try:
            obstore.put(self._store, key, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        except NotSupportedError:
            # A server without conditional writes: under one key there is only ever one content.
            obstore.put(self._store, key, data)
        return True

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading anywhere in it; only what is asked for is fetched and decrypted.

        Raises `RecordingMissing`, `RecordingLocked` or `RecordingChanged`, the last while reading too.
        """
        source = self._source(key)
        try:
            blocks = self._blocks(key, source)
        except BaseException:
            source.close()
            raise
        return cast(BinaryIO, io.BufferedReader(BlockReader(blocks, source), cipher.CHUNK))

    def read(self, key: str) -> bytes:
        """Return the whole content of an object. Raises as `open` does."""
        with self.open(key) as file:
            return file.read()

    def size(self, key: str) -> int:
        """Return how many bytes the content of an object has. Raises as `open` does."""
        source = self._source(key)
        try:
            return self._blocks(key, source).length
        finally:
            source.close()

    def exists(self, key: str) -> bool:
        """Whether there is an object of this key."""
        try:
            obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        except _TROUBLE as error:
            raise RecordingError(key, f"cannot be looked up: {_reason(error)}") from error
        return True

    def delete(self, key: str) -> None:
        """Delete an object, should there be one. Raises `UnwritableRecording`."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except _TROUBLE as error:
            raise UnwritableRecording(key, f"cannot be deleted: {_reason(error)}") from error
        if self.folder is not None:
            with contextlib.suppress(OSError):
                (self.folder / key).parent.rmdir()  # only once it is empty

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys of all objects below `prefix`, a folder. Raises `RecordingError`."""
        try:
            for page in obstore.list(self._store, prefix):
                yield from (item["path"] for item in page if not item["path"].endswith(DRAFT))
        except _TROUBLE as error:
            raise RecordingError(prefix, f"cannot be listed: {_reason(error)}") from error

    def _source(self, key: str) -> Source:
        if self.folder is not None:
            return _LocalSource(self.folder / key, key)
        return _StoreSource(self._store, key)

    def _blocks(self, key: str, source: Source) -> Blocks:
        header = source.read_at(0, min(cipher.HEADER_BYTES, source.length))
        if header.startswith(cipher.MAGIC):
            return Sealed(cipher.Opened(header, source.length, key, self._keys), source)
        return Plain(source.length)


class _LocalSource:
    def __init__(self, path: Path, key: str) -> None:
        self._key = key
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise RecordingMissing(key, "is not in the archive") from error
        except OSError as error:
            raise RecordingError(key, f"cannot be read: {_reason(error)}") from error
        self.length = os.fstat(self._handle).st_size

    def read_at(self, start: int, length: int) -> bytes:
        try:
            return os.pread(self._handle, length, start)
        except OSError as error:
            raise RecordingError(self._key, f"cannot be read: {_reason(error)}") from error

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class _StoreSource:
    """An object of a store, fetched in windows: each request costs a way there and back."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store = store
        self._key = key
        self._start = 0
        self._window = b""
        try:
            self.length = obstore.head(store, key)["size"]
        except FileNotFoundError as error:
            raise RecordingMissing(key, "is not in the archive") from error
        except _TROUBLE as error:
            raise RecordingError(key, f"cannot be read: {_reason(error)}") from error

    def read_at(self, start: int, length: int) -> bytes:
        length = min(length, self.length - start)
        if length <= 0:
            return b""
        if not self._start <= start <= start + length <= self._start + len(self._window):
            wanted = min(max(length, _WINDOW), self.length - start)
            try:
                self._window = bytes(obstore.get_range(self._store, self._key, start=start, length=wanted))
            except _TROUBLE as error:
                raise RecordingError(self._key, f"cannot be read: {_reason(error)}") from error
            self._start = start
        return self._window[start - self._start : start - self._start + length]

    def close(self) -> None:
        self._window = b""


def _reason(error: Exception) -> str:
    """What went wrong, without the store's own picture of it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).splitlines()[0] if str(error) else type(error).__name__
