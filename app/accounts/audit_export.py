"""The audit trail as a file: JSON lines with the chain, which anybody can check without this installation.

The first line says what the file is and the digest that its first line follows; the last one how many lines there are,
the digest of the last, and the signed head where there is a key. A file that was cut off lacks it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app import clock
from app.accounts import audit_chain, service
from app.accounts import audit_repository as repository
from app.accounts.audit_lines import EXPORT, FIRST, AuditFileError, Head, Line, Problem, broken
from app.database import Database
from app.errors import BadInputError, Fault, NotFoundError
from app.settings import Settings
from recordings.errors import RecordingError

MEDIA_TYPE = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported: lines `first` to `last` of the chain."""

    first: int
    last: int
    previous: str
    since: datetime | None
    until: datetime | None
    made_by: str
    made_at: datetime

    def header(self) -> dict[str, Any]:
        """The first line of the file."""
        return {
            "schema": EXPORT,
            "made_at": self.made_at.isoformat(),
            "made_by": self.made_by,
            "from": None if self.since is None else self.since.isoformat(),
            "to": None if self.until is None else self.until.isoformat(),
            "first": self.first,
            "last": self.last,
            "previous": self.previous,
        }


async def begin(
    database: Database, since: datetime | None, until: datetime | None, who: str | None = None
) -> Export:
    """Say what an export of this time holds, and put it on record. Raises `NotFoundError`, `BadInputError`."""
    if since is not None and until is not None and since >= until:
        raise BadInputError("起始时间须早于截止时间", [Fault("from", "起始时间须早于截止时间")])
    await audit_chain.seal(database)
    async with database.unit_of_work() as session:
        found = await repository.link_range(session, since, until)
        if found is None:
            raise NotFoundError("这段时间没有审计记录")
        first, last = found
        previous = await repository.digest_of(session, first - 1) or FIRST
        await service.record(session, "export", "audit", f"lines {first} to {last}", who)
        asking = who or service.asking()
    return Export(first, last, previous, since, until, asking, clock.now())


async def lines(database: Database, settings: Settings, export: Export) -> AsyncIterator[str]:
    """Yield the lines of the file, each with its end."""
    yield _text(export.header())
    number, digest, count = export.first - 1, export.previous, 0
    while number < export.last:
        async with database.reading() as session:
            batch = await repository.lines_after(session, number, audit_chain.AT_ONCE, export.last)
        if not batch:
            break
        number, digest, count = batch[-1].number, batch[-1].digest, count + len(batch)
        yield "".join(f"{line.to_json()}\n" for line in batch)
    yield _text({"lines": count, "digest": digest, "head": await _head(database, settings)})


async def _head(database: Database, settings: Settings) -> dict[str, Any] | None:
    try:
        made = await audit_chain.head(database, settings)
    except RecordingError:
        # Without a key of this installation the chain alone has to do.
        return None
    return None if made is None else asdict(made)


def check_file(path: Path, heads: Sequence[Head]) -> audit_chain.Checked:
    """Check an export. Raises `AuditFileError` for a file that is none."""
    try:
        with path.open(encoding="utf-8") as file:
            return _check(file, heads)
    except OSError as error:
        raise AuditFileError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise AuditFileError(f"{path} is no export of the audit trail") from error


def _check(file: Iterator[str], heads: Sequence[Head]) -> audit_chain.Checked:
    header = _object(next(file, ""))
    first, last, previous = header.get("first"), header.get("last"), header.get("previous")
    if not isinstance(first, int) or not isinstance(last, int) or header.get("schema") != EXPORT:
        raise AuditFileError("the file is no export of the audit trail")
    if not isinstance(previous, str) or re.fullmatch("[0-9a-f]{64}", previous) is None:
        raise AuditFileError("the file is no export of the audit trail")
    reader = _Reader(file, first - 1, previous)
    found = [*broken(reader.lines(), previous, first - 1, heads)]
    if reader.footer is None:
        found.append(Problem(0, "the file was cut off: its last line is missing"))
    elif (reader.number, reader.digest, reader.count) != (
        last,
        reader.footer.get("digest"),
        reader.footer.get("lines"),
    ):
        found.append(Problem(0, f"the file ends at line {reader.number}, and says {last}"))
    return audit_chain.Checked(reader.count, len(heads), tuple(found[: audit_chain.MOST_PROBLEMS]))


class _Reader:
    """Reads the lines of an export, and keeps what its last line says."""

    def __init__(self, file: Iterator[str], number: int, digest: str) -> None:
        self._file, self.number, self.digest, self.count = file, number, digest, 0
        self.footer: dict[str, Any] | None = None

    def lines(self) -> Iterator[Line]:
        for text in self._file:
            if self.footer is not None:
                raise AuditFileError("the file goes on after its last line")
            value = _object(text)
            if "lines" in value:
                self.footer = value
                continue
            line = Line.read(text)
            self.number, self.digest, self.count = line.number, line.digest, self.count + 1
            yield line


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AuditFileError("the file is no export of the audit trail") from error
    if not isinstance(value, dict):
        raise AuditFileError("the file is no export of the audit trail")
    return value


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"
