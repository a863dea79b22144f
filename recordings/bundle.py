"""The evidence bundle: a ZIP that says what it holds, signed, and that anybody can check without us.

    bundle.json              the statement: what this is, and size and SHA-256 of every file
    bundle.sig               Ed25519 signature of the bytes of bundle.json
    SHA256SUMS               for `sha256sum -c`
    manifest/                entries of the recordings in the manifest, its signed head, the public key

Besides them it may hold any files. It is written as a stream; the statement comes last, when all hashes are known.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.entries import Entry, SignedHead

SCHEMA: Final = "dutyring.bundle/1"
STATEMENT: Final = "bundle.json"
SIGNATURE: Final = "bundle.sig"
SUMS: Final = "SHA256SUMS"
ENTRIES: Final = "manifest/entries.jsonl"
HEAD: Final = "manifest/head.json"
KEY: Final = "manifest/public-key.pem"
OF_OUR_OWN: Final = (STATEMENT, SIGNATURE, SUMS)
_BLOCK: Final = 256 * 1024
_NAME: Final = re.compile(r"[a-z0-9][A-Za-z0-9_.-]*(/[a-z0-9][A-Za-z0-9_.-]*)*")
_AS_IT_IS: Final = (".flac", ".ogg", ".mp3", ".wav")
"""Sound is compressed already, or is wanted as it is."""


class BundleError(Exception):
    """A bundle cannot be made: what goes into it is not what it should be."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a bundle."""

    name: str
    """ASCII, with `/` between folders."""
    content: bytes | Callable[[], BinaryIO]
    """Read in blocks when it is opened for."""
    sha256: str | None = None
    """What it must have; None: whatever it has."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the manifest says of the recordings in a bundle."""

    entries: tuple[Entry, ...]
    head: SignedHead | None
    key: Ed25519PrivateKey

    def parts(self) -> Iterator[Part]:
        """Yield its files."""
        yield Part(ENTRIES, b"".join(entry.line() + b"\n" for entry in self.entries))
        if self.head is not None:
            yield Part(HEAD, self.head.to_json().encode())
        yield Part(KEY, public_pem(self.key.public_key()))


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Return the key as PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def pack(parts: Iterable[Part], proof: Proof, about: dict[str, Any], made_at: datetime) -> Iterator[bytes]:
    """Yield the ZIP in pieces, its files in the given order; `about` are members of the statement.

    Blocks while it reads. Raises `BundleError` for a part whose hash is another than it must be, and whatever opening
    or reading a part raises.
    """
    sink = _Sink()
    when = made_at.astimezone(UTC)
    files: dict[str, dict[str, Any]] = {}
    # Its type asks for what only a file that can go back has.
    with zipfile.ZipFile(cast(BinaryIO, sink), "w") as archive:
        for part in (*parts, *proof.parts()):
            if part.name in files or part.name in OF_OUR_OWN or not _NAME.fullmatch(part.name):
                raise BundleError(f"{part.name}: no name for a file of a bundle, or there twice")
            for size, digest in _add(archive, part, when):
                files[part.name] = {"size": size, "sha256": digest}
                yield from sink.take()
        sums = "".join(f"{told['sha256']}  {name}\n" for name, told in files.items()).encode()
        files[SUMS] = {"size": len(sums), "sha256": hashlib.sha256(sums).hexdigest()}
        key = proof.key.public_key().public_bytes_raw().hex()
        made = {"schema": SCHEMA, "made_at": when.isoformat(timespec="seconds")}
        statement = json.dumps(
            made | about | {"public_key": key, "files": files}, ensure_ascii=False, indent=1
        )
        said = statement.encode() + b"\n"
        for name, data in ((SUMS, sums), (STATEMENT, said), (SIGNATURE, proof.key.sign(said))):
            for _ in _add(archive, Part(name, data), when):
                pass
            yield from sink.take()
    yield from sink.take()


def _add(archive: zipfile.ZipFile, part: Part, when: datetime) -> Iterator[tuple[int, str]]:
    """Write a file block by block; yield, after each, its size and hash so far."""
    info = zipfile.ZipInfo(part.name, when.timetuple()[:6])
    info.external_attr = 0o644 << 16
    info.create_system = 3
    is_sound = part.name.endswith(_AS_IT_IS)
    info.compress_type = zipfile.ZIP_STORED if is_sound else zipfile.ZIP_DEFLATED
    digest, size = hashlib.sha256(), 0
    with archive.open(info, "w") as target:
        for block in _blocks(part.content):
            target.write(block)
            digest.update(block)
            size += len(block)
            yield size, digest.hexdigest()
    if part.sha256 is not None and digest.hexdigest() != part.sha256:
        raise BundleError(f"{part.name}: its SHA-256 is {digest.hexdigest()}, not {part.sha256}")
    yield size, digest.hexdigest()


def _blocks(content: bytes | Callable[[], BinaryIO]) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content() as file:
        while block := file.read(_BLOCK):
            yield block


class _Sink:
    """What zipfile writes to: it cannot go back, so sizes and sums come after each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> Iterator[bytes]:
        """Yield what came since the last time."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            yield b"".join(pieces)
