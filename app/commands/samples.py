"""`dutyring samples`: recordings of announcements that are recognised in calls once they were marked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts import service as audit
from app.archive import open_archive
from app.checks import repository as checks
from app.commands.numbers import in_records
from app.commands.transcribe import CHANNELS
from app.samples import repository, service
from app.samples.models import AnnouncementSample
from app.samples.schemas import LARGEST_FILE, SampleFileError, read_file, write_file
from app.samples.service import Description, PresentSampleError, SampleValueError, UnknownSampleError
from app.settings import get_settings
from app.trunks import repository as trunks
from app.trunks.merge import merged
from recordings import RecordingError
from sip.progress import AudioFileError
from sip.progress.marking import Marked, MarkError, heard_in_file, mark_file
from sip.progress.samples import SampleHeard

T = TypeVar("T")
_OPTIONS = {"meaning": "'--meaning'", "label": "'--label'", "by": "'--by'", "trunk": "'--trunk'"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where the sound of a sample is."""

    file: Path | None
    attempt: int | None
    start_s: float | None
    end_s: float | None
    channel: str


def add(stretch: Stretch, meaning: str, label: str, mobile: bool, trunk: str | None, by: str) -> int:
    """Mark a stretch; return the exit status."""
    get_settings()
    about = Description(meaning, label, mobile, trunk, "", by)
    _check(about)
    if (stretch.file is None) == (stretch.attempt is None):
        raise typer.BadParameter(
            "it takes a FILE, or the --attempt whose recording it is", param_hint="'FILE'"
        )
    with _source(stretch, by) as (path, source):
        marked = _marked(path, stretch)
    cut = f"{source} {marked.start_ms / 1000:.2f}-{marked.end_ms / 1000:.2f} s"

    async def write(session: AsyncSession) -> tuple[AnnouncementSample, set[str]]:
        row = await service.add(session, marked, Description(meaning, label, mobile, trunk, cut, by))
        ours = merged(get_settings(), await trunks.records(session))
        return row, {each.name for each in ours}

    try:
        row, known = in_records(write)
    except PresentSampleError as error:
        raise typer.BadParameter(str(error), param_hint="'FILE'") from None
    _say(f"sample {row.id}: {row.meaning}, {row.length_ms / 1000:.2f} s, from {row.source}")
    if trunk is not None and trunk not in known:
        _say(f"note: there is no trunk {trunk!r} yet; it is listened for once there is")
    return 0


@contextmanager
def _source(stretch: Stretch, by: str) -> Iterator[tuple[Path, str]]:
    """Give the sound file and what is kept of where it came from; a check's recording is read on record."""
    if stretch.file is not None:
        yield stretch.file, stretch.file.name
        return
    number, hint = stretch.attempt or 0, "'--attempt'"

    async def read(session: AsyncSession) -> str:
        recording = await checks.recording_of(session, number) if 0 < number < 2**63 else None
        if recording is None:
            raise UnknownSampleError(f"there is no recording of an attempt {number}")
        wanted = f"{stretch.start_s or 0:g}-{'' if stretch.end_s is None else f'{stretch.end_s:g}'} s"
        await audit.record(session, "play", f"recording:{recording.id}", f"sample {wanted}", by)
        return recording.path

    try:
        name = in_records(read)
    except UnknownSampleError as error:
        raise typer.BadParameter(str(error), param_hint=hint) from None
    with TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        try:
            path.write_bytes(open_archive(get_settings()).read(name))
        except RecordingError as error:
            raise typer.BadParameter(str(error), param_hint=hint) from None
        yield path, f"attempt {number}: {name}"


def _marked(path: Path, stretch: Stretch) -> Marked:
    channel = _channel(stretch.channel)
    hint = "'FILE'" if stretch.attempt is None else "'--attempt'"
    try:
        return mark_file(path, channel=channel, start_s=stretch.start_s, end_s=stretch.end_s)
    except AudioFileError as error:
        raise typer.BadParameter(f"{error}; it takes a sound file", param_hint=hint) from None
    except MarkError as error:
        raise typer.BadParameter(str(error), param_hint="'--from' / '--to'") from None


def show_all(*, removed: bool, as_json: bool) -> int:
    """Print the samples; return the exit status."""

    async def read(session: AsyncSession) -> list[AnnouncementSample]:
        return list(await repository.samples(session, active_only=not removed))

    rows = in_records(read)
    if as_json:
        _say(
            json.dumps(
                {"schema": "dutyring.sample-list/1", "samples": [_told(row) for row in rows]},
                ensure_ascii=False,
            )
        )
        return 0
    table = Table("id", "meaning", "label", "seconds", "marked", "by", "state")
    for row in rows:
        cells = (
            str(row.id),
            row.meaning + (" (mobile)" if row.mobile else "") + (f" on {row.trunk}" if row.trunk else ""),
            row.label,
            f"{row.length_ms / 1000:.2f}",
            f"{row.marked_at.astimezone():%Y-%m-%d %H:%M}",
            row.marked_by,
            "active" if row.active else "removed",
        )
        # As Text: brackets of a label are no markup.
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table if rows else "no samples were marked")
    return 0


def show(number: int, as_json: bool) -> int:
    """Print one sample and its history; return the exit status."""

    async def read(session: AsyncSession) -> tuple[AnnouncementSample, list[dict[str, str]]]:
        row = await service.get(session, number)
        lines = await audit.of_subject(session, f"sample:{number}")
        return row, [
            {"at": line.at.isoformat(), "who": line.who, "action": line.action, "detail": line.detail}
            for line in lines
        ]

    row, history = _known(read)
    told = _told(row) | {"history": history}
    if as_json:
        _say(json.dumps({"schema": "dutyring.sample/1", **told}, ensure_ascii=False))
        return 0
    for name, value in told.items():
        if name != "history":
            _say(f"{name:<12} {value}")
    for line in history:
        _say(f"{line['at']} {line['who']}: {line['action']} {line['detail']}".rstrip())
    return 0


def remove(number: int, by: str) -> int:
    """Switch a sample off; return the exit status."""

    async def write(session: AsyncSession) -> AnnouncementSample:
        return await service.remove(session, number, by)

    try:
        row = _known(write)
    except SampleValueError as error:
        raise typer.BadParameter(str(error), param_hint=_OPTIONS[error.member]) from None
    _say(f"sample {row.id} ({row.meaning}, {row.label}) is listened for no more")
    return 0


def hear(file: Path, channel: str, as_json: bool) -> int:
    """Print which samples are heard in a file; return the exit status."""
    chosen = _channel(channel)
    library = in_records(service.library)
    try:
        heard = heard_in_file(file, library, channel=chosen)
    except AudioFileError as error:
        raise typer.BadParameter(f"{error}; it takes a sound file", param_hint="'FILE'") from None
    if as_json:
        _say(json.dumps({"schema": "dutyring.samples-heard/1", "heard": [_hearing(h) for h in heard]}))
    else:
        for item in heard:
            _say(
                f"{item.start_ms / 1000:8.2f}-{item.end_ms / 1000:.2f} s  sample {item.sample.id}: "
                f"{item.sample.meaning}, {item.sample.label} (confidence {item.confidence:.2f})"
            )
        if not heard:
            _say(f"none of the {len(library)} samples is heard in {file.name}")
    return 0 if heard else 1


def export_to(file: Path) -> int:
    """Write the active samples into a file; return the exit status."""

    async def read(session: AsyncSession) -> list[AnnouncementSample]:
        return list(await repository.samples(session))

    rows = in_records(read)
    try:
        file.write_text(write_file(rows), encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be written: {error.strerror}", param_hint="'FILE'") from None
    _say(f"{len(rows)} samples written to {file}")
    return 0


def import_from(file: Path, by: str) -> int:
    """Take in the samples of a file; return the exit status."""
    try:
        with file.open("rb") as opened:
            # More is never read: a wrong file may have no end.
            content = opened.read(LARGEST_FILE + 1)
        entries = read_file(content)
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}", param_hint="'FILE'") from None
    except SampleFileError as error:
        raise typer.BadParameter(f"{file}: {error}", param_hint="'FILE'") from None

    known = in_records(service.library)
    news = service.unknown(entries, known)

    async def write(session: AsyncSession) -> int:
        return len(await service.add_entries(session, news, by, f"import {file.name}", known))

    try:
        count = in_records(write)
    except SampleValueError as error:
        raise typer.BadParameter(str(error), param_hint=_OPTIONS.get(error.member, "'FILE'")) from None
    _say(f"{count} samples taken in, {len(entries) - count} were known already")
    return 0


def _check(about: Description) -> None:
    try:
        about.check()
    except SampleValueError as error:
        raise typer.BadParameter(str(error), param_hint=_OPTIONS[error.member]) from None


def _known(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    try:
        return in_records(work)
    except UnknownSampleError as error:
        raise typer.BadParameter(str(error), param_hint="'ID'") from None


def _channel(channel: str) -> Literal["left", "right", "mix"]:
    if channel not in CHANNELS:
        raise typer.BadParameter(f"{channel!r} is not one of {', '.join(CHANNELS)}", param_hint="'--channel'")
    return CHANNELS[channel]


def _told(row: AnnouncementSample) -> dict[str, Any]:
    return {
        "id": row.id,
        "meaning": row.meaning,
        "label": row.label,
        "mobile": row.mobile,
        "trunk": row.trunk,
        "length_ms": round(row.length_ms, 3),
        "source": row.source,
        "marked_by": row.marked_by,
        "marked_at": row.marked_at.isoformat(),
        "active": row.active,
        "removed_by": row.removed_by,
        "removed_at": row.removed_at.isoformat() if row.removed_at else None,
    }


def _hearing(item: SampleHeard) -> dict[str, Any]:
    return {
        "id": item.sample.id,
        "meaning": item.sample.meaning,
        "label": item.sample.label,
        "start_ms": round(item.start_ms, 3),
        "end_ms": round(item.end_ms, 3),
        "confidence": round(item.confidence, 3),
    }


def _say(line: str) -> None:
    print(line)  # noqa: T201
