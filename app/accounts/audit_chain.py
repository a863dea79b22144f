"""The chain over the audit trail: sealing what was committed, checking it, its signed heads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import audit_repository as repository
from app.accounts.audit_lines import FIRST, AuditFileError, Head, Line, Problem, broken, digest, told
from app.archive import open_archive
from app.database import Database
from app.settings import SettingError, Settings
from recordings.errors import RecordingError
from recordings.files import write_whole
from recordings.signing import load_or_make

log = structlog.get_logger(__name__)
AT_ONCE = 1_000
"""Lines of one unit of work: others write in between."""
EVERY_S = 1.0
SWEEP_S = 3600.0
"""How often the whole trail is looked through for a line that is in no chain."""
HEAD_S = 60.0
"""How often it is looked whether the day's head is signed."""
MOST_PROBLEMS = 100


async def seal_some(session: AsyncSession, *, every: bool = False) -> int:
    """Seal the next lines in the caller's unit of work; return how many. One at a time, in every process together."""
    await repository.lock_chain(session)
    end = await repository.end(session)
    number, previous, lines = end.number, end.digest, []
    for event in await repository.unsealed(session, AT_ONCE, every=every):
        number += 1
        content = told(event)
        previous = digest(previous, number, content)
        lines.append(Line(number, content, previous))
    await repository.add_links(session, lines)
    return len(lines)


async def seal(database: Database, *, every: bool = True) -> int:
    """Seal every committed line that is in no chain yet; return how many."""
    count = 0
    while True:
        async with database.reading() as session:
            # Where there is nothing to do nobody is kept from writing.
            if not await repository.unsealed(session, 1, every=every):
                return count
        async with database.unit_of_work() as session:
            count += await seal_some(session, every=every)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check of the trail found."""

    lines: int
    heads: int
    problems: Sequence[Problem]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


async def verify(database: Database, heads: Sequence[Head]) -> Checked:
    """Check every line of the trail against the chain, and the chain against signed heads that were kept."""
    await seal(database)
    found = [
        Problem(head.number, f"its head of {head.at} is not signed as it says")
        for head in heads
        if not head.holds()
    ]
    previous, number, count = FIRST, 0, 0
    async with database.reading() as session:
        async for lines in _batches(session):
            found += [*broken(lines, previous, number, heads)][: MOST_PROBLEMS - len(found)]
            previous, number, count = lines[-1].digest, lines[-1].number, count + len(lines)
        found += [
            Problem(head.number, f"its head was signed at {head.at}, and the chain ends before it")
            for head in heads
            if head.number > number
        ]
    return Checked(count, len(heads), tuple(found[:MOST_PROBLEMS]))


async def _batches(session: AsyncSession) -> AsyncIterator[Sequence[Line]]:
    number = 0
    while True:
        lines = await repository.lines_after(session, number, AT_ONCE)
        if not lines:
            return
        yield lines
        number = lines[-1].number
        session.expunge_all()


async def head(database: Database, settings: Settings) -> Head | None:
    """Sign the last line of the chain; None where there is none. Raises `RecordingError` without a key to use."""
    async with database.reading() as session:
        end = await repository.end(session)
    if end.number == 0:
        return None
    key = await asyncio.to_thread(load_or_make, _key_file(settings), may_make=False)
    return Head.make(end.number, end.digest, clock.now(), key)


def _key_file(settings: Settings) -> Path:
    return open_archive(settings).manifest.key_file


def heads_dir(settings: Settings) -> Path:
    """Where the signed heads of the trail are written, beside those of the recordings' manifest."""
    return (settings.heads_dir or settings.data_dir / "heads") / "audit"


def kept_heads(settings: Settings) -> Iterator[Head | Problem]:
    """Yield the heads of our own folder; a problem for one that cannot be read."""
    for path in sorted(heads_dir(settings).glob("*.json")):
        try:
            yield Head.load(path)
        except AuditFileError as error:
            yield Problem(0, str(error))


async def write_head(database: Database, settings: Settings, now: datetime) -> Path | None:
    """Write the day's head into the folder of heads, once a day; None where there is one, or no key or line.

    Raises `OSError` and `RecordingError`.
    """
    path = heads_dir(settings) / f"{now.astimezone(settings.zone).date().isoformat()}.json"
    if path.exists() or not _key_file(settings).exists():
        return None
    made = await head(database, settings)
    if made is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        write_whole(path, [made.to_json().encode()], 0o644, replace=False)
    return path


class ChainKeeper:
    """The service's care for the chain: each second what is new is sealed, once a day its head is signed."""

    def __init__(self, database: Database, settings: Settings, every_s: float = EVERY_S) -> None:
        self._database, self._settings, self._every_s = database, settings, every_s
        self._task: asyncio.Task[None] | None = None
        self._swept_s = -SWEEP_S
        self._headed_s = -HEAD_S

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop; what is not sealed yet is by the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tick(self) -> None:
        """Seal what is new, and what came late; sign the day's head."""
        now_s = asyncio.get_running_loop().time()
        sweep = now_s - self._swept_s >= SWEEP_S
        await seal(self._database, every=sweep)
        if sweep:
            self._swept_s = now_s
        if now_s - self._headed_s >= HEAD_S:
            self._headed_s = now_s
            await write_head(self._database, self._settings, clock.now())

    async def _run(self) -> None:
        while True:
            try:
                await self.tick()
            except (SQLAlchemyError, RecordingError, SettingError, OSError) as error:
                # The next turn tries again: nothing is lost meanwhile, the lines stand in the trail.
                log.warning("the audit trail could not be sealed", reason=type(error).__name__)
            await asyncio.sleep(self._every_s)
