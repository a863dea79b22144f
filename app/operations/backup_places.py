"""Where backups are written and read: one tar file, or a folder that keeps many of them and each recording once."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import BinaryIO, cast

from pydantic import ValidationError

from app.operations.backup_format import (
    BLOCK,
    LIST,
    RECORDINGS,
    SET_NAME,
    BackupError,
    BackupList,
    Hashing,
    Kept,
    Reader,
    Writer,
)
from recordings.files import sync_folder

SETS = "sets"
_DRAFT = ".part"


class TarWriter:
    """One file, for its owner alone; it has its name once it is whole. Raises `BackupError` for one that is there."""

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise BackupError(f"{path} is there already; a backup never overwrites one")
        self._path, self._draft = path, path.with_name(path.name + _DRAFT)
        self._file = open_private(self._draft)
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add(self, path: str, source: BinaryIO, size: int) -> Kept:
        """Copy a file into the archive."""
        reader = Hashing(source, size, path)
        self._tar.addfile(_member(path, size), cast(BinaryIO, reader))
        return Kept(path=path, bytes=size, sha256=reader.hexdigest())

    def known(self, path: str, size: int) -> Kept | None:
        """Every file is whole in itself."""
        return None

    def finish(self, content: bytes) -> None:
        """Write the list, and give the file its name."""
        self._tar.addfile(_member(LIST, len(content)), io.BytesIO(content))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.hardlink_to(self._draft)
        self._draft.unlink()
        sync_folder(self._path.parent)

    def abandon(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._draft.unlink(missing_ok=True)


class FolderWriter:
    """A new set in a folder; sounds that an earlier one brought are not copied again."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._set = folder / SETS / (name + _DRAFT)
        self._final = folder / SETS / name
        self._earlier = {one.path: one for one in _last_list(folder) if one.path.startswith(f"{RECORDINGS}/")}
        if self._final.exists():
            raise BackupError(f"{self._final} is there already; try again in a second")
        (folder / SETS).mkdir(mode=0o700, exist_ok=True)
        self._set.mkdir(mode=0o700)

    def add(self, path: str, source: BinaryIO, size: int) -> Kept:
        """Copy a file into the set, or a recording into the folder of all sets."""
        shared = path.startswith(f"{RECORDINGS}/")
        place = (self._folder if shared else self._set) / path
        _make_folders(place.parent)
        draft = place.with_name(f"{place.name}{_DRAFT}")
        draft.unlink(missing_ok=True)
        reader = Hashing(source, size, path)
        with open_private(draft) as file:
            shutil.copyfileobj(cast(BinaryIO, reader), file, BLOCK)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
        return Kept(path=path, bytes=size, sha256=reader.hexdigest())

    def known(self, path: str, size: int) -> Kept | None:
        """What an earlier set says of a recording that is still there."""
        found = self._earlier.get(path)
        place = self._folder / path
        if found is None or found.bytes != size or not place.is_file() or place.stat().st_size != size:
            return None
        return found

    def finish(self, content: bytes) -> None:
        """Write the list, and give the set its name."""
        with open_private(self._set / LIST) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._set.rename(self._final)
        sync_folder(self._final.parent)

    def abandon(self) -> None:
        """Remove the set; sounds that were copied serve the next."""
        shutil.rmtree(self._set, ignore_errors=True)


class TarReader:
    """Reads a backup of one file. Raises `BackupError`."""

    def __init__(self, path: Path) -> None:
        try:
            self._tar = tarfile.open(path, "r:")  # noqa: SIM115
        except (tarfile.TarError, OSError) as error:
            raise BackupError(f"{path} is no backup: {error}") from error
        self._path = path
        try:
            self._members = {member.name: member for member in self._tar.getmembers()}
        except (tarfile.TarError, OSError) as error:
            self.close()
            raise BackupError(f"{path} was cut off: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._tar.close()

    def contents(self) -> BackupList:
        """Read the list."""
        with contextlib.closing(self.open(LIST)) as file:
            return _parsed(file.read(), self._path)

    def open(self, path: str) -> BinaryIO:
        """Open a member that is a plain file."""
        member = self._members.get(path)
        found = self._tar.extractfile(member) if member is not None and member.isreg() else None
        if found is None:
            raise BackupError(f"{self._path} lacks {path}")
        return cast(BinaryIO, found)


class FolderReader:
    """Reads one set of a folder, the newest unless named. Raises `BackupError`."""

    def __init__(self, folder: Path, name: str | None = None) -> None:
        there = sets_of(folder)
        if not there:
            raise BackupError(f"{folder} holds no backup")
        if name is not None and name not in there:
            raise BackupError(f"{folder} holds no set {name}; there are {', '.join(there)}")
        self._folder, self._set = folder, folder / SETS / (name or there[-1])

    def close(self) -> None:
        """Nothing stays open."""

    def contents(self) -> BackupList:
        """Read the list."""
        with contextlib.closing(self.open(LIST)) as file:
            return _parsed(file.read(), self._set)

    def open(self, path: str) -> BinaryIO:
        """Open a file of the set, or a recording."""
        place = (self._folder if path.startswith(f"{RECORDINGS}/") else self._set) / path
        try:
            return os.fdopen(os.open(place, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except OSError as error:
            raise BackupError(f"{place} cannot be read: {error.strerror}") from error


def writer_of(target: Path, name: str, *, folder: bool) -> Writer:
    """Begin a backup."""
    return FolderWriter(target, name) if folder else TarWriter(target)


def reader_of(source: Path, name: str | None = None) -> Reader:
    """Open a backup. Raises `BackupError`."""
    if source.is_dir():
        return FolderReader(source, name)
    if name is not None:
        raise BackupError(f"{source} is one backup; --set is for a folder of them")
    return TarReader(source)


def sets_of(folder: Path) -> list[str]:
    """Names of the whole sets of a folder, the oldest first."""
    found = (folder / SETS).glob("*")
    return sorted(one.name for one in found if SET_NAME.fullmatch(one.name) and (one / LIST).is_file())


def _last_list(folder: Path) -> list[Kept]:
    with contextlib.suppress(BackupError):
        return FolderReader(folder).contents().files
    return []


def _parsed(raw: bytes, where: Path) -> BackupList:
    try:
        return BackupList.model_validate(json.loads(raw))
    except (ValidationError, ValueError) as error:
        raise BackupError(f"{where}: {LIST} cannot be read; is it of a newer version?") from error


def _member(path: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.size, member.mode = size, 0o600
    return member


def open_private(path: Path) -> BinaryIO:
    """Make a file for its owner alone. Raises `OSError` for one that is there."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(handle, "w+b")


def _make_folders(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
