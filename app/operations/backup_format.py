"""What a backup is (`dutyring.backup/1`): a list of its files with their hashes, and where they lie.

A *file* is one tar archive: the files of the set, the recordings, and `backup.json` as its last member. A *folder*
keeps many sets, `sets/<UTC moment>/`, and the recordings once for all of them: `recordings/`. Within a set:

    database.sqlite3 | database.dump   the database, as it was at one moment
    data/...                           files of the data folder: attachments, prompts, manifest, captures, heads
    keys/...                           the keys, only where they were asked for
    recordings/...                     finished sounds and SIP traces, none of which ever changes
    backup.json                        this list
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, BinaryIO, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SCHEMA = "dutyring.backup/1"
LIST = "backup.json"
SQLITE_COPY, POSTGRES_DUMP = "database.sqlite3", "database.dump"
DATA, KEYS, RECORDINGS = "data", "keys", "recordings"
SET_NAME = re.compile(r"\d{8}T\d{6}Z")
BLOCK = 1 << 20


DatabaseKind = Literal["sqlite", "postgresql"]
Where = Literal["inside", "left out", "elsewhere"]


class BackupError(RuntimeError):
    """A backup cannot be made, read or restored; `str()` says why and what to do."""


def checked_path(text: str) -> str:
    """Return a path of the list. Raises ValueError for one that leads anywhere else."""
    path = PurePosixPath(text)
    tops = (DATA, KEYS, RECORDINGS)
    whole = text in (SQLITE_COPY, POSTGRES_DUMP) or (len(path.parts) > 1 and path.parts[0] in tops)
    if not whole or path.is_absolute() or ".." in path.parts or str(path) != text or "\\" in text:
        raise ValueError("that is no path of a backup")
    if any(not sign.isprintable() for sign in text):
        raise ValueError("that is no path of a backup")
    return text


class Kept(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(max_length=1000), AfterValidator(checked_path)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class BackupList(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[Literal["dutyring.backup/1"], Field(alias="schema")]
    made_at: datetime
    version: str
    revision: str
    """Of the database."""
    database: DatabaseKind
    keys: bool
    """Whether the keys are inside."""
    keys_apart: list[str]
    """Keys that there were and that are not inside: without them nothing sealed can be opened."""
    recordings: Where
    """`elsewhere`: they lie in S3, which is backed up by its own means."""
    missing: list[str]
    """Recordings that the manifest names and that could not be read."""
    files: list[Kept]

    def of(self, top: str) -> Iterator[Kept]:
        """The files below a folder."""
        return (one for one in self.files if one.path.startswith(f"{top}/"))


class Writer(Protocol):
    """Takes the files of a backup."""

    def add(self, path: str, source: BinaryIO, size: int) -> Kept:
        """Copy `size` bytes; return what was kept. Raises `OSError` and `BackupError`."""

    def known(self, path: str, size: int) -> Kept | None:
        """What an earlier set of the same folder holds under a path that never changes."""

    def finish(self, content: bytes) -> None:
        """Write the list; from here on the backup is one."""

    def abandon(self) -> None:
        """Leave nothing behind."""


class Reader(Protocol):
    """Gives the files of a backup."""

    def contents(self) -> BackupList:
        """Read the list. Raises `BackupError`."""

    def open(self, path: str) -> BinaryIO:
        """Open a file. Raises `BackupError`."""

    def close(self) -> None:
        """Let go of it."""


class Hashing:
    """Reads so many bytes of a file, not one more, and hashes them."""

    def __init__(self, source: BinaryIO, size: int, path: str) -> None:
        self._source, self._left, self._path = source, size, path
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on. Raises `BackupError` where the file has become shorter."""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._source.read(wanted)
        if wanted and not data:
            raise BackupError(f"{self._path} became shorter while it was read")
        self._left -= len(data)
        self._digest.update(data)
        return data

    def hexdigest(self) -> str:
        """SHA-256 of what was read."""
        return self._digest.hexdigest()


def digest_of(source: BinaryIO) -> tuple[int, str]:
    """Length and SHA-256 of a file from where it stands."""
    digest, length = hashlib.sha256(), 0
    while block := source.read(BLOCK):
        digest.update(block)
        length += len(block)
    return length, digest.hexdigest()
