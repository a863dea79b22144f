"""The archive and the database brought together: what was left is stored and attached, old recordings are adopted."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.archive import open_archive
from app.checks import alarms, conclusions, repository, service
from app.checks.models import LIVE_STATES, RECORDING_KINDS, Attempt, Recording
from app.database import Database
from app.settings import Settings
from app.transcripts.requests import enqueue
from recordings import Archive, RecordingError
from recordings.archive import info_of, members_of
from recordings.encoding import describe
from recordings.entries import Entry
from recordings.files import write_whole
from recordings.places import OBJECTS
from recordings.repair import Repair
from recordings.verification import SETTLING, KnownRecording
from sip.record import RecordingInfo

log = structlog.get_logger(__name__)
HOUR_S: Final = 3600.0
AGAIN_S: Final = 60.0
"""How soon what could not be stored is tried again."""
_BATCH: Final = 100
_ALARM: Final = "recordings_unstored"
_NAME: Final = re.compile(r".*/check-\d+-attempt-(\d{1,18})")


@dataclass
class Mended:
    """What a repair did and could not do, a line for each thing."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    unstored: list[str] = field(default_factory=list)
    """Those of `failed` that another try may store: the disk was full, the store did not answer."""


async def known_recordings(session: AsyncSession) -> list[KnownRecording]:
    """All recordings as the database knows them."""
    query = select(
        Recording.id,
        Recording.path,
        Recording.sha256,
        Recording.kind,
        Recording.duration_ms,
        Recording.gone_at,
        Attempt.id,
        Attempt.check_id,
        Attempt.claimed_at,
    ).outerjoin(Attempt, Attempt.id == Recording.attempt_id)
    found = []
    async for id_, path, sha256, kind, length_ms, gone_at, attempt, check, at in await session.stream(query):
        name = None if attempt is None else service.name_of(at, check, attempt)
        found.append(KnownRecording(id_, path, sha256, kind, name, length_ms, gone_at is not None))
    return found


def adopt(archive: Archive, rows: Iterable[KnownRecording]) -> Mended:
    """Enter in the manifest the recordings of earlier versions that are still what the database says they were.

    Raises `RecordingError` when the manifest cannot be written.
    """
    known = archive.index.refresh().by_key
    told = Mended()
    batch: list[tuple[str, dict[str, object]]] = []
    for row in rows:
        if row.gone or row.path in known or row.path.startswith(f"{OBJECTS}/"):
            continue
        where = f"recording {row.id} ({row.path})"
        try:
            path = archive.path(row.path)
            info = describe(path)
            if info.sha256 != row.sha256:
                told.failed.append(
                    f"{where}: was changed before it was in the manifest: its SHA-256 is another"
                )
                continue
            name = row.name or row.path.rpartition(".")[0]
            size = path.stat().st_size
        except (RecordingError, OSError) as error:
            told.failed.append(f"{where}: {error}")
            continue
        about = RecordingInfo(row.path, info.sha256, row.duration_ms, info.channels, info.sample_rate)
        batch.append(("adopted", members_of(about, name, row.kind, size)))
        told.done.append(f"{where}: adopted")
        if len(batch) >= _BATCH:
            archive.manifest.append_all(batch)
            batch = []
    if batch:
        archive.manifest.append_all(batch)
    return told


async def mend(database: Database, archive: Archive, *, every_capture: bool) -> Mended:
    """Store what lies about and attach it to its attempts.

    `every_capture`: nobody writes captures now; else only those are taken whose attempts are over.
    """
    names = None if every_capture else await _over(database, await asyncio.to_thread(_left, archive))
    repair = await asyncio.to_thread(Repair(archive).run, names)
    told = Mended(repair.done, repair.failed, repair.unstored)
    async with database.reading() as session:
        rows = await known_recordings(session)
    entries = await asyncio.to_thread(_unattached, archive, {(row.path, row.name) for row in rows})
    told.done += await asyncio.to_thread(_let_go_of_doubles, archive, rows)
    async with database.unit_of_work() as session:
        for entry in entries:
            if await _attach(session, entry):
                told.done.append(f"{entry.members['name']}: entered in the database")
    return told


def _left(archive: Archive) -> list[str]:
    return sorted(Repair(archive).begun())


async def _over(database: Database, names: Sequence[str]) -> list[str]:
    """Those of these names whose attempts are over: nobody writes their captures."""
    numbers = {name: int(found[1]) for name in names if (found := _NAME.fullmatch(name))}
    over: set[int] = set()
    async with database.reading() as session:
        for some in _batched(numbers.values()):
            query = select(Attempt.id).where(Attempt.id.in_(some), Attempt.state.not_in(LIVE_STATES))
            over.update((await session.scalars(query)).all())
    return [name for name, number in numbers.items() if number in over]


def _batched(numbers: Iterable[int]) -> Iterator[list[int]]:
    """Yield them in lists that fit a query."""
    rest = iter(numbers)
    while some := list(islice(rest, _BATCH)):
        yield some


def _unattached(archive: Archive, known: Collection[tuple[str, str | None]]) -> list[Entry]:
    """Entries of which the database knows nothing: `known` are its keys, with the name where it can tell one."""
    return [
        entry
        for key, kept in archive.index.refresh().by_key.items()
        for entry in kept.entries
        if (key, entry.members["name"] if entry.members["kind"] == "check" else None) not in known
        if datetime.fromisoformat(entry.at) < clock.now() - SETTLING or entry.kind == "stored"
    ]


def _let_go_of_doubles(archive: Archive, rows: Iterable[KnownRecording]) -> list[str]:
    """Erase by the manifest what was brought twice and became one recording; its sound stays. Return a line for each.

    Who brought it was cut off and brought it again, or two did so at one time.
    """
    reports: dict[str, list[KnownRecording]] = {}
    for row in rows:
        if row.kind == "report":
            reports.setdefault(row.path, []).append(row)
    before = clock.now() - SETTLING
    told = []
    for key, kept in archive.index.refresh().by_key.items():
        theirs = reports.get(key, [])
        brought = [
            entry
            for entry in kept.entries
            if entry.members["kind"] == "report" and datetime.fromisoformat(entry.at) < before
        ]
        if not theirs or any(row.gone for row in theirs):
            continue
        for entry in brought[len(theirs) :]:
            name, reason = entry.members["name"], "it was brought more than once"
            archive.erase(key, kept.sha256, "removed", reason, "system", name=name)
            told.append(f"{name}: was brought more than once, is kept once")
    return told


async def _attach(session: AsyncSession, entry: Entry) -> bool:
    """Let the database know of a recording that the manifest has; return whether it did not."""
    info = info_of(entry)
    kind = entry.members["kind"]
    if kind == "check":
        found = _NAME.fullmatch(entry.members["name"])
        attempt = await session.get(Attempt, int(found[1])) if found else None
        if attempt is None or attempt.state in LIVE_STATES:
            return False
        if await repository.recording_of(session, attempt.id) is not None:
            return False
        if service.recording_name(attempt) != entry.members["name"]:
            return False
        with contextlib.suppress(IntegrityError):
            async with session.begin_nested():
                conclusions.attach(session, attempt, info)
            return True
        return False
    if kind not in RECORDING_KINDS:
        return False
    there = select(Recording.id).where(Recording.path == info.path, Recording.kind == kind).limit(1)
    if await session.scalar(there) is not None:
        return False
    row = conclusions.recording_row(info, kind=kind)
    session.add(row)
    enqueue(session, row)
    await session.flush()
    return True


def write_head(settings: Settings, archive: Archive, today: date) -> Path | None:
    """Write the day's signed head into the folder of heads, once a day; None where there is one or nothing to sign.

    Raises `OSError` and `RecordingError`.
    """
    path = heads_dir(settings) / f"{today.isoformat()}.json"
    if path.exists() or not archive.manifest.path.exists():
        return None
    with contextlib.suppress(FileExistsError):
        write_whole(path, [archive.manifest.head().to_json().encode()], 0o644, replace=False)
    return path


def heads_dir(settings: Settings) -> Path:
    """Where the signed heads of the manifest are written."""
    return settings.heads_dir or settings.data_dir / "heads"


class Upkeep:
    """The phone process' care for the archive: at its start, each hour, and each minute while something is unstored."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._archive = open_archive(settings)
        self._due: datetime | None = None
        self._adopted = False
        self._task: asyncio.Task[None] | None = None

    async def tick(self, now: datetime) -> int:
        """Begin the work when it is due; it goes on beside the clock."""
        if (self._due is None or now >= self._due) and (self._task is None or self._task.done()):
            self._due = now + timedelta(seconds=AGAIN_S)
            self._task = asyncio.create_task(self._work(now))
        return 0

    async def stop(self) -> None:
        """Let go of it; what was begun is finished by the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self, now: datetime) -> None:
        try:
            if await self.once(now):
                self._due = now + timedelta(seconds=HOUR_S)
        except Exception:
            # Recordings must not keep the clock from calls; the next minute tries again.
            log.exception("the archive could not be looked after")

    async def once(self, now: datetime) -> bool:
        """Do all there is to do; return whether nothing is left that another try could store."""
        trouble: list[str] = []
        try:
            told = await mend(self._database, self._archive, every_capture=False)
            _tell(told)
            trouble += told.unstored
            if not self._adopted:
                async with self._database.reading() as session:
                    rows = await known_recordings(session)
                _tell(await asyncio.to_thread(adopt, self._archive, rows))
                self._adopted = True
            today = now.astimezone(self._settings.zone).date()
            await asyncio.to_thread(write_head, self._settings, self._archive, today)
        except (RecordingError, OSError) as error:
            trouble.append(str(error))
        async with self._database.unit_of_work() as session:
            if trouble:
                await alarms.raise_alarm(session, _ALARM, "", f"{len(trouble)}: {trouble[0]}")
            else:
                await alarms.clear_alarm(session, _ALARM)
        return not trouble


async def raise_unstored(database: Database, reason: str) -> None:
    """Raise the alarm of a recording that could not be stored. `Upkeep` ends it."""
    async with database.unit_of_work() as session:
        await alarms.raise_alarm(session, _ALARM, "", reason)


def _tell(told: Mended) -> None:
    for line in told.done:
        log.info("archive mended", what=line)
    for line in told.failed:
        log.error("archive not mended", what=line)
