"""Sound encrypted at rest: AES-256-GCM in chunks, so that a part can be read without the rest.

```
header  8s "DRSEALED"  u8 version 1  u8 16 (chunks of 2^16 bytes)  u16 0  8s key id  16s salt  8s nonce prefix
chunk   up to 64 KiB of the content, encrypted, and its tag of 16 bytes; only the last is shorter
```

All numbers are big-endian. Each object has a key of its own, HKDF-SHA256 of the key and the salt, and each chunk the
nonce `prefix, u32 number`. Bound to every chunk are the header, what the object is (its name), the chunk's number and
whether it is the last: objects and chunks cannot change places, and nothing can be cut off or added.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from recordings.errors import RecordingChanged, RecordingLocked

KEY_BYTES: Final = 32
MAGIC: Final = b"DRSEALED"
CHUNK: Final = 1 << 16
TAG: Final = 16
_VERSION: Final = 1
_HEADER: Final = struct.Struct(">8sBBH8s16s8s")
_PLACE: Final = struct.Struct(">QB")
_COUNTER: Final = struct.Struct(">I")
HEADER_BYTES: Final = _HEADER.size


class Keyring:
    """Keys of this installation: the first encrypts, all of them open. Raises `ValueError` for one of a wrong size."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise ValueError("there is no key")
        for number, key in enumerate(keys, 1):
            if len(key) != KEY_BYTES:
                raise ValueError(f"key {number} has {len(key)} bytes; it takes {KEY_BYTES}")
        self._keys = {key_id(key): key for key in keys}
        self.first = keys[0]

    def find(self, wanted: bytes) -> bytes | None:
        """The key of this id."""
        return self._keys.get(wanted)

    @property
    def names(self) -> list[str]:
        """The ids of the keys, as hex."""
        return [name.hex() for name in self._keys]


def key_id(key: bytes) -> bytes:
    """What names a key without telling it: 8 bytes."""
    return hashlib.sha256(b"dutyring recordings key\n" + key).digest()[:8]


def seal(file: BinaryIO, name: str, keys: Keyring) -> Iterator[bytes]:
    """Yield the encrypted form of what is left of a file: the header, then chunk by chunk."""
    salt, prefix = os.urandom(16), os.urandom(8)
    header = _HEADER.pack(MAGIC, _VERSION, CHUNK.bit_length() - 1, 0, key_id(keys.first), salt, prefix)
    cipher = _Cipher(keys.first, header, name)
    yield header
    chunk, number = file.read(CHUNK), 0
    while True:
        following = file.read(CHUNK) if len(chunk) == CHUNK else b""
        yield cipher.seal(chunk, number, last=not following)
        if not following:
            return
        chunk, number = following, number + 1


class Opened:
    """An encrypted object that is being read: its content's length, and each chunk of it."""

    def __init__(self, header: bytes, stored_bytes: int, name: str, keys: Keyring | None) -> None:
        """`stored_bytes` is the whole object's. Raises `RecordingLocked` or `RecordingChanged`."""
        if len(header) < HEADER_BYTES:
            raise RecordingChanged(name, "is cut off within its header")
        magic, version, size, zero, wanted, _, _ = _HEADER.unpack(header)
        if (magic, version, 1 << size, zero) != (MAGIC, _VERSION, CHUNK, 0):
            raise RecordingChanged(name, "has a header that this program does not know")
        if keys is None:
            raise RecordingLocked(name, f"is encrypted with the key {wanted.hex()}, and no key is given")
        key = keys.find(wanted)
        if key is None:
            given = ", ".join(keys.names)
            raise RecordingLocked(name, f"is encrypted with the key {wanted.hex()}; given are {given}")
        sealed = stored_bytes - HEADER_BYTES
        self.chunks = max(1, -(-sealed // (CHUNK + TAG)))
        self.length = sealed - self.chunks * TAG
        if self.length < (self.chunks - 1) * CHUNK:
            raise RecordingChanged(name, "is cut off")
        self._name = name
        self._cipher = _Cipher(key, header, name)

    def place(self, number: int) -> tuple[int, int]:
        """Where a chunk lies in the object: its first byte, and how many there are."""
        length = min(CHUNK, self.length - number * CHUNK)
        return HEADER_BYTES + number * (CHUNK + TAG), length + TAG

    def chunk(self, number: int, sealed: bytes) -> bytes:
        """Return the content of a chunk. Raises `RecordingChanged`."""
        try:
            return self._cipher.open(sealed, number, last=number == self.chunks - 1)
        except InvalidTag as error:
            raise RecordingChanged(self._name, f"chunk {number + 1} of {self.chunks} was changed") from error


class _Cipher:
    def __init__(self, key: bytes, header: bytes, name: str) -> None:
        salt, prefix = _HEADER.unpack(header)[-2:]
        derived = HKDF(SHA256(), KEY_BYTES, salt, b"dutyring recording").derive(key)
        self._prefix: bytes = prefix
        self._aead = AESGCM(derived)
        self._bound = header + name.encode() + b"\n"

    def seal(self, chunk: bytes, number: int, *, last: bool) -> bytes:
        return self._aead.encrypt(self._nonce(number), chunk, self._bound + _PLACE.pack(number, last))

    def open(self, sealed: bytes, number: int, *, last: bool) -> bytes:
        bound = self._bound + _PLACE.pack(number, last)
        return self._aead.decrypt(self._nonce(number), sealed, bound)

    def _nonce(self, number: int) -> bytes:
        return self._prefix + _COUNTER.pack(number)
