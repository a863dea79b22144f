"""Makes a backup while the service runs (备份).

The order is what makes it whole. First the database, as it was at one moment. Then the manifest of recordings, as far
as that copy knows it: an entry is always written before its row. Then the sounds that the manifest names, captures of
calls under way, and the other files that rows of the database point to, none of which ever changes. At last all of it
is read once more and compared.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from app.operations import backup_database
from app.operations.backup_format import (
    DATA,
    KEYS,
    POSTGRES_DUMP,
    RECORDINGS,
    SCHEMA,
    SQLITE_COPY,
    BackupError,
    BackupList,
    DatabaseKind,
    Kept,
    Where,
    Writer,
    digest_of,
)
from app.operations.backup_places import reader_of, writer_of
from app.operations.readiness import archive_folder, is_local
from app.operations.version import version
from app.settings import Settings
from recordings import Manifest
from recordings.entries import Entry
from recordings.index import Index
from recordings.index import Kept as IndexKept
from recordings.manifest import MANIFEST
from recordings.places import DERIVED, OBJECTS

NEVER_CHANGE = (".flac", ".wav", ".sip.txt")
"""How files of the recordings' folder end that are written once."""
TRANSIENT = (".tmp", ".lock", "-wal", "-shm", "-journal")
LEFT_OUT = ("models", "imports", "live", "calls", "exports", "backups")
"""Folders of the data folder that hold nothing of record: what can be fetched, uploaded or made again."""
KEY_FILES = {
    "seal.key": "seal_key_file",
    "manifest.key": "manifest_key_file",
    "recordings.key": "recordings_key_file",
}
"""By the name in a backup, the setting that may say where the key lies; else it is in the data folder."""

Progress = Callable[[str, int], None]
"""Told what is being done, and how many files of it are."""


@dataclass
class Made:
    """A backup that was made."""

    target: Path
    name: str
    contents: BackupList
    copied: int = 0
    """Files that were copied; the others an earlier set of the folder had."""
    bytes: int = 0
    sha256: str = ""
    """Of the list: whoever writes it down elsewhere can tell this backup from any other."""


@dataclass
class _Work:
    writer: Writer
    progress: Progress
    files: list[Kept] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    copied: int = 0
    bytes: int = 0

    def take(self, path: str, file: Path, *, settled: bool = False, needed: bool = False) -> None:
        """Copy a file; one that never changes (`settled`) only where no earlier set has it. What is gone is left."""
        try:
            source = os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb")
        except OSError as error:
            if needed or not isinstance(error, FileNotFoundError):
                self.missing.append(path)
            return
        with source:
            told = os.fstat(source.fileno())
            if not stat.S_ISREG(told.st_mode):
                return
            kept = self.writer.known(path, told.st_size) if settled else None
            self.keep(kept or self.add(path, cast(BinaryIO, source), told.st_size))

    def add(self, path: str, source: BinaryIO, size: int) -> Kept:
        """Copy so many bytes."""
        self.copied += 1
        self.bytes += size
        return self.writer.add(path, source, size)

    def keep(self, kept: Kept) -> None:
        """Enter a file in the list."""
        self.files.append(kept)
        self.progress("files", len(self.files))


def make(
    settings: Settings,
    target: Path,
    revision: str,
    now: datetime,
    *,
    folder: bool,
    with_recordings: bool = True,
    with_keys: bool = False,
    progress: Progress = lambda *_: None,
) -> Made:
    """Make a backup and check it. It may block for long. Raises `BackupError`; nothing is left behind then."""
    name = now.strftime("%Y%m%dT%H%M%SZ")
    try:
        _make_parent(settings, target, folder=folder)
        writer = writer_of(target, name, folder=folder)
    except OSError as error:
        raise BackupError(f"{target}: {error.strerror or error}") from error
    work = _Work(writer, progress)
    try:
        kind = _take_all(settings, work, target if folder else target.parent, with_recordings, with_keys)
        told = BackupList.model_validate(
            {
                "schema": SCHEMA,
                "made_at": now,
                "version": version(),
                "revision": revision,
                "database": kind,
                "keys": with_keys,
                "keys_apart": []
                if with_keys
                else [n for n, key in key_files(settings).items() if key.is_file()],
                "recordings": _where(settings, with_recordings),
                "missing": work.missing,
                "files": work.files,
            }
        )
        content = told.model_dump_json(by_alias=True, indent=1).encode()
        writer.finish(content)
    except OSError as error:
        writer.abandon()
        raise BackupError(f"the backup cannot be written: {error.strerror or error}") from error
    except BaseException:
        writer.abandon()
        raise
    made = Made(target, name, told, work.copied, work.bytes, digest_of(io.BytesIO(content))[1])
    _check(made, progress)
    return made


def _take_all(
    settings: Settings, work: _Work, beside: Path, with_recordings: bool, with_keys: bool
) -> DatabaseKind:
    kind = backup_database.kind_of(settings)
    path = SQLITE_COPY if kind == "sqlite" else POSTGRES_DUMP
    manifest_file = settings.recordings_dir / MANIFEST
    before = Manifest(manifest_file, settings.data_dir / "no.key").end()
    # On the same disk as the backup: the data's own may be full.
    with tempfile.TemporaryDirectory(prefix=".dutyring-backup-", dir=beside) as drafts:
        draft, manifest = Path(drafts) / path, Path(drafts) / MANIFEST
        work.progress("database", 0)
        with backup_database.dumped(settings, draft) as known:
            _copy_manifest(manifest_file, manifest, before, known)
        backup_database.check(settings, draft)
        work.take(path, draft, needed=True)
        if manifest.exists():
            work.take(f"{DATA}/{RECORDINGS}/{MANIFEST}", manifest, needed=True)
        _take_recordings(settings, work, manifest, with_recordings)
    _take_data(settings, work)
    if with_keys:
        _take_keys(settings, work)
    return kind


def _copy_manifest(source: Path, place: Path, before: int, known: backup_database.Known) -> None:
    """Copy the manifest as far as the copy of the database knows it.

    `before`: its length before that copy was begun. What was appended since is taken up to the last entry that the copy
    knows of: a recording is in the manifest first. Whole lines alone: half a line is none.
    """
    if not source.exists():
        return
    end = before
    for after, whole, line in Manifest(source, source.with_name("no.key")).lines(before):
        if not whole:
            break
        with contextlib.suppress(ValueError):
            path = Entry.read(line).members.get("path")
            if isinstance(path, str) and known([path]):
                end = after
    with source.open("rb") as file:
        data = file.read(end)
    place.write_bytes(data[: data.rfind(b"\n") + 1])


def _take_recordings(settings: Settings, work: _Work, manifest: Path, with_sounds: bool) -> None:
    folder = settings.recordings_dir
    for file in _files(folder):
        inner = file.relative_to(folder).as_posix()
        top = inner.split("/", 1)[0]
        if top in (OBJECTS, DERIVED) or inner == MANIFEST:
            continue
        settled = inner.endswith(NEVER_CHANGE)
        if settled and not inner.endswith(".sip.txt") and not with_sounds:
            continue
        work.take(
            f"{RECORDINGS}/{inner}" if settled else f"{DATA}/{RECORDINGS}/{inner}", file, settled=settled
        )
    if not with_sounds or not is_local(settings):
        return
    # The key only reads: an index needs none.
    index = Index(Manifest(manifest, folder / "no.key")).refresh()
    for key, kept in index.by_key.items():
        if kept.live and key.startswith(f"{OBJECTS}/"):
            work.take(f"{RECORDINGS}/{key}", archive_folder(settings) / key, settled=True, needed=True)
    if work.missing:
        # A backup may take hours; what was erased meanwhile, as it should be, is not missed.
        now = Index(Manifest(folder / MANIFEST, folder / "no.key")).refresh().by_key
        work.missing = [path for path in work.missing if _is_kept(now, path.partition("/")[2])]


def _is_kept(by_key: Mapping[str, IndexKept], key: str) -> bool:
    known = by_key.get(key)
    return known is None or known.live


def _take_data(settings: Settings, work: _Work) -> None:
    """The other files of the data folder, and the daily heads where they lie elsewhere."""
    root = settings.data_dir.absolute()
    apart = {settings.recordings_dir.absolute()}
    if is_local(settings):
        apart.add(archive_folder(settings).absolute())
    database = (
        backup_database.sqlite_file(settings).name if backup_database.kind_of(settings) == "sqlite" else ""
    )
    for file in _files(root, apart):
        inner = file.relative_to(root).as_posix()
        top = inner.split("/", 1)[0]
        if top in LEFT_OUT or inner == database or inner in KEY_FILES or top.startswith(".dutyring-backup-"):
            continue
        work.take(f"{DATA}/{inner}", file)
    if settings.heads_dir is not None:
        for file in _files(settings.heads_dir):
            work.take(f"{DATA}/heads/{file.relative_to(settings.heads_dir).as_posix()}", file)


def _take_keys(settings: Settings, work: _Work) -> None:
    for name, file in key_files(settings).items():
        if file.is_file():
            work.take(f"{KEYS}/{name}", file, needed=True)


def key_files(settings: Settings) -> dict[str, Path]:
    """Where the keys lie, by their names in a backup."""
    found = {}
    for name, setting in KEY_FILES.items():
        given: Path | None = getattr(settings, setting)
        if given is not None or setting != "recordings_key_file":
            found[name] = given or settings.data_dir / name
    return found


def _files(folder: Path, apart: set[Path] | None = None) -> Iterator[Path]:
    """Every plain file below a folder, drafts and locks left out; what goes away meanwhile is no matter."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if (Path(root) / n).absolute() not in (apart or ()))
        for name in sorted(names):
            if not name.endswith(TRANSIENT) and not name.startswith(".ready-"):
                yield Path(root) / name


def _where(settings: Settings, with_recordings: bool) -> Where:
    if not is_local(settings):
        return "elsewhere"
    return "inside" if with_recordings else "left out"


def _check(made: Made, progress: Progress) -> None:
    """Read the backup as restore would. Raises `BackupError`."""
    with contextlib.closing(reader_of(made.target, made.name if made.target.is_dir() else None)) as reader:
        told = reader.contents()
        if told != made.contents:
            raise BackupError(f"{made.target}: the list is not what was written")
        for number, one in enumerate(told.files, 1):
            with contextlib.closing(reader.open(one.path)) as source:
                if digest_of(source) != (one.bytes, one.sha256):
                    raise BackupError(
                        f"{made.target}: {one.path} is not what was written; is the disk sound?"
                    )
            progress("checked", number)


def _make_parent(settings: Settings, target: Path, *, folder: bool) -> None:
    data = settings.data_dir.resolve()
    if data == target.resolve() or data in target.resolve().parents:
        raise BackupError(f"{target} lies in the data folder {settings.data_dir}: a backup belongs elsewhere")
    if not folder:
        target.absolute().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
