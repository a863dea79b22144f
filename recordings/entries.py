"""The lines of the manifest of recordings, and its signed head.

A line is one JSON object in one form only (sorted members, no spaces, ASCII), so that no byte of it can change
unseen: `sha256` is the hash of the line without itself and its signature, `previous` that of the line before,
`signature` the Ed25519 signature of what was hashed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.errors import ManifestError

FIRST: Final = "0" * 64
"""What the first entry has as the hash of the one before."""
_ENTRY: Final = b"dutyring manifest entry\n"
_HEAD: Final = b"dutyring manifest head\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the manifest."""

    n: int
    """1 for the first."""
    at: str
    """When it was written, ISO 8601 in UTC."""
    kind: str
    """`opened`, `stored`, `added`, `adopted`, `erased`, `torn` or `resumed`."""
    members: dict[str, Any]
    previous: str
    """SHA-256 of the entry before."""
    sha256: str
    signature: str

    @classmethod
    def make(
        cls, n: int, at: datetime, kind: str, members: dict[str, Any], previous: str, key: Ed25519PrivateKey
    ) -> Self:
        """Return a signed entry."""
        when = at.astimezone(UTC).isoformat(timespec="milliseconds")
        said = _canonical({"n": n, "at": when, "kind": kind, "members": members, "previous": previous})
        sha256 = hashlib.sha256(said).hexdigest()
        return cls(n, when, kind, members, previous, sha256, key.sign(_ENTRY + said).hex())

    @classmethod
    def read(cls, line: bytes) -> Self:
        """Return the entry of a line without its end. Raises `ValueError`, which says what is wrong."""
        try:
            value = json.loads(line)
            entry = cls(**value)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError("is not an entry") from error
        if type(entry.n) is not int or not isinstance(entry.members, dict):
            raise ValueError("is not an entry")
        if entry.line() != line:
            raise ValueError("is not written as an entry is")
        if hashlib.sha256(entry._said()).hexdigest() != entry.sha256:
            raise ValueError("was changed: its SHA-256 is another")
        return entry

    def line(self) -> bytes:
        """Return the entry as it stands in the file, without the end of its line."""
        return _canonical(asdict(self))

    def signed_by(self, key: Ed25519PublicKey) -> bool:
        """Whether this key signed it."""
        return _holds(key, self.signature, _ENTRY + self._said())

    def _said(self) -> bytes:
        said = {"n": self.n, "at": self.at, "kind": self.kind, "members": self.members}
        return _canonical(said | {"previous": self.previous})


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The last entry of the manifest at a moment, for somebody who keeps it elsewhere."""

    n: int
    sha256: str
    at: str
    """When it was taken, ISO 8601 in UTC."""
    public_key: str
    """Ed25519, 32 bytes in hex."""
    signature: str

    @classmethod
    def make(cls, n: int, sha256: str, at: datetime, key: Ed25519PrivateKey) -> Self:
        """Return the signed head."""
        when = at.astimezone(UTC).isoformat(timespec="milliseconds")
        public = public_hex(key.public_key())
        return cls(n, sha256, when, public, key.sign(_HEAD + _head_said(n, sha256, when, public)).hex())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a head's file. Raises `ManifestError`."""
        try:
            value = json.loads(path.read_text("utf-8"))
            head = cls(**value)
            if type(head.n) is not int or not all(
                isinstance(one, str) for one in (head.sha256, head.at, head.public_key, head.signature)
            ):
                raise ValueError("a member is of a wrong kind")
        except OSError as error:
            raise ManifestError(path, f"cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise ManifestError(path, "is not the head of a manifest") from error
        return head

    def to_json(self) -> str:
        """Return the text of its file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def holds(self) -> bool:
        """Whether the key that it names signed it."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
        except ValueError:
            return False
        return _holds(key, self.signature, _HEAD + _head_said(self.n, self.sha256, self.at, self.public_key))


def public_hex(key: Ed25519PublicKey) -> str:
    """The public key's 32 bytes in hex."""
    return key.public_bytes_raw().hex()


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _head_said(n: int, sha256: str, at: str, public_key: str) -> bytes:
    return _canonical({"n": n, "sha256": sha256, "at": at, "public_key": public_key})


def _holds(key: Ed25519PublicKey, signature: str, said: bytes) -> bool:
    try:
        raw = bytes.fromhex(signature)
        if raw.hex() != signature:
            return False  # capitals or spaces: not a byte of it may change
        key.verify(raw, said)
    except (ValueError, InvalidSignature):
        return False
    return True
