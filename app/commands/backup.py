"""`dutyring backup` and `dutyring restore`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.accounts import service as audit
from app.database import Database, current
from app.folder_lock import folder_lock
from app.operations.backup import Made, make
from app.operations.backup import Progress as Told
from app.operations.backup_format import BackupError
from app.operations.backup_places import reader_of
from app.operations.readiness import head_revision
from app.operations.restore import Restored, note, restore
from app.settings import Settings, get_settings

EXIT_NO = 1
EXIT_OUR_FAILURE = 3
MB = 1_000_000


class BackupTakenError(BackupError):
    """Another backup is being made."""


def backup(target: Path, *, with_recordings: bool, with_keys: bool, as_json: bool) -> int:
    """Make a backup; return the exit status."""
    settings = get_settings()
    folder = target.is_dir() or target.suffix != ".tar"
    try:
        if not (settings.data_dir.exists() or settings.database_url):
            raise BackupError(f"there is no data folder {settings.data_dir}: nothing to back up")
        revision = _revision(settings)
        with folder_lock(settings, "backup", BackupTakenError), _progress() as progress:
            asyncio.run(_note(settings, target))
            made = make(
                settings,
                target.absolute(),
                revision,
                clock.now(),
                folder=folder,
                with_recordings=with_recordings,
                with_keys=with_keys,
                progress=progress,
            )
    except (BackupError, SQLAlchemyError, OSError) as error:
        return _complain(error)
    _tell_made(made, as_json)
    return EXIT_NO if made.contents.missing else 0


def _revision(settings: Settings) -> str:
    revision = current(settings)
    if revision != head_revision():
        raise BackupError(
            f"the database is at revision {revision or 'none'}, this version works with {head_revision()}: "
            "`dutyring db upgrade` first, or use the version that it belongs to"
        )
    return revision


async def _note(settings: Settings, target: Path) -> None:
    """In the trail before the copy is made, so that the copy says so too."""
    async with Database(settings.url) as database, database.unit_of_work() as session:
        await audit.record(session, "backup", "backup", target.name)


def _tell_made(made: Made, as_json: bool) -> None:
    told = made.contents
    if as_json:
        content = {
            "schema": "dutyring.backup-made/1",
            "target": str(made.target),
            "set": made.name,
            "files": len(told.files),
            "copied": made.copied,
            "bytes_copied": made.bytes,
            "recordings": told.recordings,
            "keys": told.keys,
            "missing": told.missing,
            "sha256": made.sha256,
        }
        _say(json.dumps(content, ensure_ascii=False))
        return
    _say(f"backed up and checked: {made.target}, set {made.name}")
    _say(f"{len(told.files)} files, {made.copied} of them copied now ({made.bytes / MB:.1f} MB)")
    recordings = {
        "inside": "are inside",
        "left out": "are NOT inside",
        "elsewhere": "lie in S3 and are NOT inside",
    }
    _say(f"recordings {recordings[told.recordings]}")
    if told.keys:
        _say("keys are inside, unencrypted: who has this backup can read and sign everything")
    else:
        _say(
            "keys are NOT inside: keep seal.key, manifest.key and the key of the recordings apart (--with-keys)"
        )
    _say(f"list SHA-256 {made.sha256}")
    for path in told.missing:
        _say(f"could not be read: {path}")


def put_back(source: Path, name: str | None, *, with_recordings: bool, as_json: bool) -> int:
    """Restore a backup; return the exit status."""
    settings = get_settings()
    if not source.exists():
        raise typer.BadParameter(f"{source}: no such file or folder", param_hint="'SOURCE'")
    try:
        with closing(reader_of(source, name)) as reader:
            found = restore(settings, reader, with_recordings=with_recordings)
        asyncio.run(_end_sessions(settings, found))
    except (BackupError, SQLAlchemyError, OSError) as error:
        return _complain(error)
    _tell_restored(settings, found, as_json, with_recordings=with_recordings)
    return 0


async def _end_sessions(settings: Settings, found: Restored) -> None:
    async with Database(settings.url) as database, database.unit_of_work() as session:
        await note(session, found.contents)


def _tell_restored(settings: Settings, found: Restored, as_json: bool, *, with_recordings: bool) -> None:
    inside = with_recordings and found.contents.recordings == "inside"
    if as_json:
        content = {
            "schema": "dutyring.restored/1",
            "made_at": found.contents.made_at.isoformat(timespec="seconds"),
            "files": found.files,
            "revision": found.revision,
            "recordings": inside,
            "keys_missing": found.keys_missing,
        }
        _say(json.dumps(content, ensure_ascii=False))
        return
    made = found.contents.made_at.astimezone(settings.zone)
    _say(
        f"restored the backup of {made:%Y-%m-%d %H:%M:%S}: {found.files} files, database at {found.revision}"
    )
    if not inside:
        _say("recordings are NOT restored: put them where DUTYRING_RECORDINGS_URL says")
    for name in found.keys_missing:
        _say(f"{name} was not in the backup: put it back from where you keep it, before the service starts")
    _say("next: `dutyring recordings repair`, `dutyring recordings verify`, `dutyring doctor`")


@contextmanager
def _progress() -> Iterator[Told]:
    """Show on a terminal how far it is."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description} {task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {what: bar.add_task(what, total=None) for what in ("database", "files", "checked")}
        yield lambda what, done: bar.update(tasks[what], completed=done)


def _complain(error: Exception) -> int:
    reason = str(getattr(error, "orig", None) or error).partition("\n")[0]
    print(f"dutyring: {reason}", file=sys.stderr)  # noqa: T201
    return EXIT_NO if isinstance(error, BackupError) else EXIT_OUR_FAILURE


def _say(text: str) -> None:
    print(text)  # noqa: T201
