"""Checks an evidence bundle with nothing but the file itself and, where the checker has it, the public key."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recordings.bundle import ENTRIES, HEAD, KEY, OF_OUR_OWN, SCHEMA, SIGNATURE, STATEMENT, SUMS, public_pem
from recordings.entries import Entry, SignedHead
from recordings.index import KEPT

ERASED: Final = "erased"
_MOST: Final = 64 * 2**20
"""Bytes of a file of the statement's own, unpacked."""
_BLOCK: Final = 256 * 1024
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_LOCAL: Final = struct.Struct("<4s22xHH")
_DESCRIPTOR: Final = 16
_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError),
)


def check(path: Path, trusted: Ed25519PublicKey | None = None) -> Iterator[str]:
    """Yield one line for each thing that does not hold; none: the bundle is as it was signed.

    `trusted` is the public key as the checker knows it; without it the bundle's own is taken, which only shows that
    nothing was changed after the signing. Raises OSError where the file cannot be opened at all.
    """
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield from _Checker(archive, trusted).faults()
                yield from _around(archive)
        except _UNREADABLE as error:
            yield f"the file is no whole ZIP: {str(error) or type(error).__name__}"


class _Checker:
    def __init__(self, archive: zipfile.ZipFile, trusted: Ed25519PublicKey | None) -> None:
        self._archive = archive
        self._trusted = trusted
        self._names = Counter(info.filename for info in archive.infolist())

    def faults(self) -> Iterator[str]:
        """Yield what does not hold, the most telling first."""
        yield from (f"{name}: is there twice" for name, count in self._names.items() if count > 1)
        said = self._read(STATEMENT)
        if said is None:
            yield f"{STATEMENT}: is missing or cannot be read; there is nothing to check against"
            return
        own = self._own_key()
        if own is None:
            yield f"{KEY}: is missing or is no Ed25519 key"
        elif self._trusted is not None and own.public_bytes_raw() != self._trusted.public_bytes_raw():
            yield f"{KEY}: is another key than the one given"
        key = self._trusted or own
        if key is not None and not _signed(key, self._read(SIGNATURE), said):
            yield f"{STATEMENT}: its signature does not hold"
        statement = _statement(said)
        if statement is None:
            yield f"{STATEMENT}: is no statement of schema {SCHEMA}"
            return
        if key is not None and statement.get("public_key") != key.public_bytes_raw().hex():
            yield f"{STATEMENT}: names another key"
        yield from self._files(statement["files"])
        if key is not None:
            yield from self._manifest(statement, key)

    def _files(self, files: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        for name, told in files.items():
            if name not in self._names:
                yield f"{name}: is missing"
                continue
            size, digest = self._digest(name, told["size"])
            if (size, digest) != (told["size"], told["sha256"]):
                yield f"{name}: was changed"
        for name in sorted(set(self._names) - set(files) - {STATEMENT, SIGNATURE}):
            yield f"{name}: does not belong to the bundle"
        sums = "".join(
            f"{told['sha256']}  {name}\n" for name, told in files.items() if name not in OF_OUR_OWN
        )
        if self._read(SUMS) != sums.encode():
            yield f"{SUMS}: does not say what the statement says"

    def _manifest(self, statement: Mapping[str, Any], key: Ed25519PublicKey) -> Iterator[str]:
        entries: list[Entry] = []
        for number, line in enumerate((self._read(ENTRIES) or b"").splitlines(), 1):
            try:
                entry = Entry.read(line)
            except ValueError as error:
                yield f"{ENTRIES}: line {number} {error}"
                continue
            if not entry.signed_by(key):
                yield f"{ENTRIES}: the signature of entry {entry.n} does not hold"
            else:
                entries.append(entry)
        for recording in statement["recordings"]:
            yield from _recorded(recording, entries, statement["files"])
        yield from self._head(entries, key)

    def _head(self, entries: list[Entry], key: Ed25519PublicKey) -> Iterator[str]:
        data = self._read(HEAD)
        if data is None:
            if entries:
                yield f"{HEAD}: is missing"
            return
        try:
            head = SignedHead(**json.loads(data))
            holds = head.holds() and head.public_key == key.public_bytes_raw().hex()
        except (ValueError, TypeError, AttributeError, RecursionError):
            holds = False
        if not holds:
            yield f"{HEAD}: is no head signed by this key"
        elif type(head.n) is int and any(entry.n > head.n for entry in entries):
            yield f"{HEAD}: is older than an entry in {ENTRIES}"

    def _own_key(self) -> Ed25519PublicKey | None:
        data = self._read(KEY)
        try:
            key = None if data is None else serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            return None
        # One form only: the file is covered by the statement, but it is read before.
        return key if isinstance(key, Ed25519PublicKey) and public_pem(key) == data else None

    def _read(self, name: str) -> bytes | None:
        """Return a small file, None where it is not there or cannot be read."""
        if name not in self._names:
            return None
        try:
            with self._archive.open(name) as file:
                data = file.read(_MOST + 1)
        except _UNREADABLE:
            return None
        return data if len(data) <= _MOST else None

    def _digest(self, name: str, most: int) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        try:
            with self._archive.open(name) as file:
                while size <= most and (block := file.read(_BLOCK)):
                    digest.update(block)
                    size += len(block)
        except _UNREADABLE:
            return -1, ""
        return size, digest.hexdigest()


def _recorded(
    recording: Mapping[str, Any], entries: list[Entry], files: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Yield what the manifest does not say of a recording as the statement does."""
    digest, file = recording["sha256"], recording.get("file")
    kinds = {entry.kind for entry in entries if entry.members.get("sha256") == digest}
    what = f"recording {recording.get('recording')}"
    if not kinds.intersection(KEPT):
        yield f"{what}: no manifest entry carries the hash of its sound, {digest}"
    if file is not None and files.get(file, {}).get("sha256") != digest:
        yield f"{what}: {file} has another hash than the recording"
    gone = recording.get("gone")
    # Without a moment it was about to be deleted when the bundle was made.
    if isinstance(gone, dict) and gone.get("at") is not None and ERASED not in kinds:
        yield f"{what}: no manifest entry says that its sound was erased"


def _signed(key: Ed25519PublicKey, signature: bytes | None, said: bytes) -> bool:
    try:
        key.verify(signature or b"", said)
    except InvalidSignature:
        return False
    return True


def _statement(said: bytes) -> dict[str, Any] | None:
    """Return the statement where it has the form of one."""
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        return None
    files, recordings = value.get("files"), value.get("recordings")
    if not isinstance(files, dict) or not isinstance(recordings, list):
        return None
    sound = all(_is_file(told) for told in files.values())
    sound = sound and all(isinstance(one, dict) and isinstance(one.get("sha256"), str) for one in recordings)
    return value if sound else None


def _is_file(told: object) -> bool:
    if not isinstance(told, dict) or not isinstance(told.get("sha256"), str):
        return False
    return type(told.get("size")) is int and bool(_HASH.fullmatch(told["sha256"]))


def _around(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield whether there are bytes in the ZIP that belong to none of its files."""
    file, at = archive.fp, 0
    if archive.comment:
        yield "the ZIP carries a comment, which nobody signed"
    if file is None:
        return
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset != at:
            yield f"{info.filename}: there are bytes before it that belong to no file"
            return
        file.seek(at)
        _, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
        at += _LOCAL.size + name + extra + info.compress_size + (_DESCRIPTOR if info.flag_bits & 8 else 0)
    if at != archive.start_dir:
        yield "there are bytes behind the files that belong to none"
