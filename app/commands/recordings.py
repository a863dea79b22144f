"""`dutyring recordings`: the archive seen from the command line."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy import select

from app.archive import open_archive
from app.archive_upkeep import Mended, adopt, heads_dir, known_recordings, mend
from app.checks.models import Recording
from app.commands.plans import EXIT_NO, carry_out, say
from app.database import Database
from app.phone_process import PhoneTakenError, only_one
from app.settings import Settings, get_settings
from recordings import Archive, ManifestError, RecordingError
from recordings.chain import Problem
from recordings.entries import SignedHead
from recordings.files import write_whole
from recordings.verification import KnownRecording, verify_all

Told = Callable[[str, int, int | None], None]


def verify(heads: Sequence[Path], *, as_json: bool) -> int:
    """Check manifest, objects and database; return the exit status, 1 where something does not hold."""
    given = [_head(path) for path in heads]

    async def work(database: Database, settings: Settings) -> int:
        archive = open_archive(settings)
        ours, unreadable = _daily_heads(settings)
        async with database.reading() as session:
            rows = await known_recordings(session)
        found = await asyncio.to_thread(_verify, archive, rows, [*given, *ours], unreadable, as_json)
        entries = sum(1 for _ in archive.manifest.lines())
        kept = sum(kept.live for kept in archive.index.by_key.values())
        if as_json:
            content = {"schema": "dutyring.recordings-verify/1", "holds": not found, "entries": entries}
            content |= {"recordings": kept, "problems": [asdict(problem) for problem in found]}
            say(json.dumps(content, ensure_ascii=False))
        elif not found:
            say(f"everything holds: {entries} entries, {kept} recordings, {len(given) + len(ours)} heads")
        return EXIT_NO if found else 0

    return carry_out(work)


def _verify(
    archive: Archive,
    rows: Sequence[KnownRecording],
    heads: Sequence[SignedHead],
    found: list[Problem],
    silent: bool,
) -> list[Problem]:
    """Return all problems, each told as it is found unless `silent`."""
    for problem in found:
        _tell(problem, silent)
    with _progress() as told:
        try:
            for problem in verify_all(archive, rows, heads, told):
                found.append(problem)
                _tell(problem, silent)
        except RecordingError as error:
            found.append(Problem("unreadable", error.path, error.reason))
            _tell(found[-1], silent)
    return found


def _tell(problem: Problem, silent: bool) -> None:
    if not silent:
        say(" ".join(str(problem).split()))


def _head(path: Path) -> SignedHead:
    try:
        return SignedHead.load(path)
    except ManifestError as error:
        raise typer.BadParameter(str(error), param_hint="'--head'") from None


def _daily_heads(settings: Settings) -> tuple[list[SignedHead], list[Problem]]:
    """The heads that the phone process wrote day by day."""
    heads: list[SignedHead] = []
    wrong: list[Problem] = []
    for path in sorted(heads_dir(settings).glob("*.json")):
        try:
            heads.append(SignedHead.load(path))
        except ManifestError as error:
            wrong.append(Problem("head", error.path, error.reason))
    return heads, wrong


@contextmanager
def _progress() -> Iterator[Told]:
    """Show on a terminal how far it is."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {what: bar.add_task(what, total=None) for what in ("entries", "recordings")}
        yield lambda what, done, total: bar.update(tasks[what], completed=done, total=total)


def repair(*, as_json: bool) -> int:
    """Mend what can be; return the exit status, 1 where something could not."""

    async def work(database: Database, settings: Settings) -> int:
        archive = open_archive(settings)
        try:
            with only_one(settings):
                told = await mend(database, archive, every_capture=True)
        except PhoneTakenError:
            told = await mend(database, archive, every_capture=False)
            told.done.insert(0, "the phone process is running: captures of calls under way were left to it")
        async with database.reading() as session:
            rows = await known_recordings(session)
        try:
            adopted = await asyncio.to_thread(adopt, archive, rows)
        except RecordingError as error:
            adopted = Mended(failed=[str(error)])
        told.done += adopted.done
        told.failed += adopted.failed
        _print(told, as_json)
        return EXIT_NO if told.failed else 0

    return carry_out(work)


def _print(told: Mended, as_json: bool) -> None:
    if as_json:
        content = {"schema": "dutyring.recordings-repair/1", "done": told.done, "failed": told.failed}
        say(json.dumps(content, ensure_ascii=False))
        return
    for line in told.done:
        say(line)
    for line in told.failed:
        say(f"could not be mended: {line}")
    if not told.done and not told.failed:
        say("there was nothing to repair")


def head(out: Path | None) -> int:
    """Print or write the signed head; return the exit status."""
    archive = open_archive(get_settings())
    try:
        text = archive.manifest.head().to_json()
        if out is None:
            print(text, end="")  # noqa: T201
        else:
            write_whole(out.absolute(), [text.encode()], 0o644)
    except RecordingError as error:
        print(f"dutyring: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_NO
    except OSError as error:
        raise typer.BadParameter(f"{out}: {error.strerror or error}", param_hint="'--out'") from None
    return 0


def show(limit: int, *, as_json: bool) -> int:
    """Print the recordings, newest first; return the exit status."""

    async def work(database: Database, settings: Settings) -> int:
        async with database.reading() as session:
            query = select(Recording).order_by(Recording.id.desc()).limit(limit)
            rows = (await session.scalars(query)).all()
        if as_json:
            content = {"schema": "dutyring.recordings/1", "recordings": [_as_json(row) for row in rows]}
            say(json.dumps(content, ensure_ascii=False))
            return 0
        table = Table("id", "kind", "attempt", "length", "SHA-256", "stored", "gone")
        for row in rows:
            cells = (
                row.id,
                row.kind,
                row.attempt_id or "-",
                f"{row.duration_ms / 1000:.1f} s",
                row.sha256[:12],
            )
            gone = row.gone_why or ("repaired" if row.repaired else "")
            stored = f"{row.created_at.astimezone(settings.zone):%Y-%m-%d %H:%M}"
            table.add_row(*(Text(str(cell)) for cell in (*cells, stored, gone)))
        Console().print(table if rows else "there are no recordings")
        return 0

    return carry_out(work)


def _as_json(row: Recording) -> dict[str, object]:
    names = "id kind attempt_id path sha256 duration_ms channels sample_rate repaired gaps gone_why"
    told = {name: getattr(row, name) for name in names.split()}
    times = {name: getattr(row, name) for name in ("created_at", "keep_until", "gone_at")}
    return told | {name: None if at is None else at.isoformat() for name, at in times.items()}
