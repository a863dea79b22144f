"""The lines of the audit trail as they are chained, exported and checked: pure, no database.

A line's digest is SHA-256 over the digest before it, as 32 bytes, and the line as JSON in one form only (members
sorted, no spaces, ASCII). So no byte of a line can change, and no line can be taken out or put in between, without
every digest after it becoming another. What could still go unseen is a trail cut off at its end: the signed heads tell
of it that were kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.accounts.models import AuditEvent

FIRST: Final = "0" * 64
"""What the first line has as the digest before it."""
EXPORT: Final = "dutyring.audit/1"
HEAD: Final = "dutyring.audit-head/1"
_SIGNED: Final = b"dutyring audit head\n"


class AuditFileError(ValueError):
    """A file is no export of the trail, or no head of it. `str()` says what is wrong."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not hold."""

    number: int
    """Of the line in the chain; 0 for the trail as a whole."""
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}" if self.number else self.reason


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the trail with its place in the chain."""

    number: int
    event: dict[str, Any]
    digest: str
    """As it was sealed."""

    def to_json(self) -> str:
        """Return the line of an export, without its end."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the line of an export. Raises `AuditFileError`."""
        try:
            value = json.loads(text)
            line = cls(**value)
        except (ValueError, TypeError, RecursionError) as error:
            raise AuditFileError("is no line of the trail") from error
        kinds = type(line.number) is int and isinstance(line.event, dict) and isinstance(line.digest, str)
        if not kinds:
            raise AuditFileError("is no line of the trail")
        return line


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of the chain at a moment, signed, for somebody who keeps it elsewhere."""

    schema: str
    number: int
    digest: str
    at: str
    """ISO 8601 in UTC."""
    public_key: str
    """Ed25519, 32 bytes in hex."""
    signature: str

    @classmethod
    def make(cls, number: int, digest: str, at: datetime, key: Ed25519PrivateKey) -> Self:
        """Return the signed head."""
        when = at.astimezone(UTC).isoformat(timespec="milliseconds")
        public = key.public_key().public_bytes_raw().hex()
        return cls(HEAD, number, digest, when, public, key.sign(_head_said(number, digest, when)).hex())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a head's file. Raises `AuditFileError`."""
        try:
            head = cls(**json.loads(path.read_text("utf-8")))
        except OSError as error:
            raise AuditFileError(f"{path} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, RecursionError) as error:
            raise AuditFileError(f"{path} is no head of the audit trail") from error
        texts = (head.digest, head.at, head.public_key, head.signature)
        if type(head.number) is not int or head.schema != HEAD or not all(isinstance(t, str) for t in texts):
            raise AuditFileError(f"{path} is no head of the audit trail")
        return head

    def to_json(self) -> str:
        """Return the text of its file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    def holds(self) -> bool:
        """Whether the key that it names signed it."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.public_key))
            key.verify(bytes.fromhex(self.signature), _head_said(self.number, self.digest, self.at))
        except (ValueError, InvalidSignature):
            return False
        return True


def told(event: AuditEvent) -> dict[str, Any]:
    """Return an event as it is chained and exported."""
    return {
        "id": event.id,
        "at": event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "who": event.who,
        "account_id": event.account_id,
        "address": event.address,
        "action": event.action,
        "subject": event.subject,
        "detail": event.detail,
        "done": event.done,
    }


def digest(previous: str, number: int, event: dict[str, Any]) -> str:
    """Return the digest of a line that follows `previous` (hex)."""
    return hashlib.sha256(
        bytes.fromhex(previous) + _canonical({"number": number, "event": event})
    ).hexdigest()


def broken(
    lines: Iterable[Line], previous: str, number: int, heads: Sequence[Head] = ()
) -> Iterator[Problem]:
    """Yield what does not hold of consecutive lines after line `number`, whose digest is `previous`."""
    by_number = {head.number: head for head in heads}
    for line in lines:
        if line.number != number + 1:
            yield Problem(line.number, f"stands after line {number}: what was between is missing")
        elif digest(previous, line.number, line.event) != line.digest:
            yield Problem(line.number, "was changed, or what stands before it: its digest is another")
        head = by_number.get(line.number)
        if head is not None and head.digest != line.digest:
            yield Problem(line.number, f"is not the one whose head was signed at {head.at}")
        # A line that is wrong is told once: the ones after it are held against what it says of itself.
        number, previous = line.number, line.digest


def _canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _head_said(number: int, digest: str, at: str) -> bytes:
    return _SIGNED + _canonical({"number": number, "digest": digest, "at": at})
