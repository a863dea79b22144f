"""Puts a backup back where nothing is yet (恢复): every byte is compared with its hash before the first is written."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.models import Session
from app.database import make_private_folder, upgrade
from app.operations import backup_database
from app.operations.backup import key_files
from app.operations.backup_format import (
    BLOCK,
    DATA,
    KEYS,
    POSTGRES_DUMP,
    RECORDINGS,
    SQLITE_COPY,
    BackupError,
    BackupList,
    Hashing,
    Kept,
    Reader,
    digest_of,
)
from app.operations.backup_places import open_private
from app.operations.readiness import archive_folder, is_local, known_revisions
from app.settings import Settings
from recordings.places import OBJECTS

ENDED = "restored from a backup"


@dataclass
class Restored:
    """What was put back."""

    contents: BackupList
    files: int = 0
    revision: str = ""
    """Of the database, after its migrations."""
    keys_missing: list[str] = field(default_factory=list)
    """Keys that were not in the backup and are not where the settings say."""


def restore(settings: Settings, reader: Reader, *, with_recordings: bool = True) -> Restored:
    """Put a backup into the data folder and the database of the settings. It may block for long.

    Raises `BackupError`; what was written until then is taken away again.
    """
    told = reader.contents()
    _refuse(settings, told)
    wanted = [one for one in told.files if with_recordings or not one.path.startswith(f"{RECORDINGS}/")]
    for one in wanted:
        with contextlib.closing(reader.open(one.path)) as source:
            if digest_of(source) != (one.bytes, one.sha256):
                raise BackupError(f"{one.path} is not what was backed up: its SHA-256 is another")
    places = [(one, _place(settings, one)) for one in wanted]
    written: list[Path] = []
    try:
        make_private_folder(settings.data_dir)
        for one, place in places:
            if place is not None:
                _write(reader, one, place, written)
        _load(settings, reader, told, written)
        revision = upgrade(settings) or ""
    except OSError as error:
        _take_away(written)
        raise BackupError(f"the backup cannot be put back: {error.strerror or error}") from error
    except BaseException:
        _take_away(written)
        raise
    keys = key_files(settings)
    gone = [name for name in told.keys_apart if name not in keys or not keys[name].is_file()]
    return Restored(told, len(wanted), revision, gone)


async def note(session: AsyncSession, told: BackupList) -> None:
    """End every session of the time of the backup, and say in the trail that it was put back."""
    await session.execute(
        update(Session).where(Session.ended_at.is_(None)).values(ended_at=clock.now(), end_reason=ENDED)
    )
    made = told.made_at.isoformat(timespec="seconds")
    await audit.record(session, "restore", "backup", f"backup of {made}, revision {told.revision}")


def _refuse(settings: Settings, told: BackupList) -> None:
    if told.revision not in known_revisions():
        raise BackupError(
            f"the backup is of a newer version (revision {told.revision} of the database): install that one"
        )
    kind = backup_database.kind_of(settings)
    if told.database != kind:
        raise BackupError(f"the backup is of {told.database}; DUTYRING_DATABASE_URL names {kind}")
    folders = [settings.data_dir]
    if is_local(settings):
        folders.append(archive_folder(settings))
    for folder in folders:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise BackupError(
                f"{folder} is not empty; restore goes into an empty folder, and overwrites nothing"
            )
    for name, place in key_files(settings).items():
        if place.exists() and any(one.path == f"{KEYS}/{name}" for one in told.files):
            raise BackupError(f"{place} is there already; restore overwrites nothing")
    backup_database.refuse_full(settings)


def _place(settings: Settings, one: Kept) -> Path | None:
    """Where a file goes; None for the database. Its path was checked when the list was read."""
    if one.path in (SQLITE_COPY, POSTGRES_DUMP):
        return None
    top, _, inner = one.path.partition("/")
    if top == KEYS:
        found = key_files(settings).get(inner)
        return found if found is not None else settings.data_dir / inner
    if top == DATA:
        heads = settings.heads_dir
        if heads is not None and inner.startswith("heads/"):
            return heads / inner.removeprefix("heads/")
        return settings.data_dir / inner
    objects = inner.startswith(f"{OBJECTS}/") and is_local(settings)
    return (archive_folder(settings) if objects else settings.recordings_dir) / inner


def _write(reader: Reader, one: Kept, place: Path, written: list[Path]) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.closing(reader.open(one.path)) as source, open_private(place) as file:
        written.append(place)
        hashing = Hashing(source, one.bytes, one.path)
        shutil.copyfileobj(cast(BinaryIO, hashing), file, BLOCK)
        file.flush()
        os.fsync(file.fileno())
        if hashing.hexdigest() != one.sha256:
            raise BackupError(f"{one.path} changed while it was read")


def _load(settings: Settings, reader: Reader, told: BackupList, written: list[Path]) -> None:
    path = SQLITE_COPY if told.database == "sqlite" else POSTGRES_DUMP
    one = next((kept for kept in told.files if kept.path == path), None)
    if one is None:
        raise BackupError(f"the backup lacks {path}")
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.data_dir) as drafts:
        draft = Path(drafts) / path
        _write(reader, one, draft, [])
        backup_database.check(settings, draft)
        if told.database == "sqlite":
            written.append(backup_database.sqlite_file(settings))
        backup_database.load(settings, draft)


def _take_away(written: list[Path]) -> None:
    for place in written:
        with contextlib.suppress(OSError):
            place.unlink()
    for folder in sorted({place.parent for place in written}, key=lambda one: -len(one.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()
