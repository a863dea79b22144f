"""Verbs of imports and exports. They never commit: the caller's unit of work does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.principal import limits
from app.directory import repository as directory
from app.directory.lines import dialling
from app.errors import ConflictError, Fault, NotFoundError
from app.imports import repository
from app.imports.applying import apply
from app.imports.changes import Comparison
from app.imports.comparing import compare
from app.imports.records import Preview
from app.imports.stored import Snapshot
from app.imports.writing import only_units, write_workbook
from app.settings import Settings

ROSTERS_BACK = timedelta(days=31)
"""How far back an export has rosters unless it is told."""
_CHANGED_MEANWHILE = ("40001", "40P01")
"""SQLSTATE of a transaction that met another one: serialization failure, deadlock."""


async def confirm(
    session: AsyncSession, preview: Preview, digest: str, settings: Settings, who: str
) -> Comparison:
    """Enter what a preview showed, if it is still what would be done; `digest` is that of the comparison shown.

    Raises `ConflictError` where the records have changed since, where a cell is wrong, or where a row is refused;
    the caller's unit of work must then be given up, so that nothing is kept.
    """
    await _steady(session)
    case = await compare(session, preview, settings)
    if case.digest() != digest:
        raise ConflictError("预览之后名录已有变化，导入结果会与预览不同；全部未导入，请重新预览后再确认")
    errors = [finding for finding in case.sorted_findings if finding.severity == "error"]
    if errors:
        faults = [Fault(f"{each.sheet}!{each.cell}", each.said("zh")[0]) for each in errors[:20]]
        raise ConflictError(f"有 {len(errors)} 处错误，全部未导入；改正文件后重新预览", faults)
    await apply(session, case, settings, await dialling(session, settings), who)
    added, changed = case.counts("add"), case.counts("change")
    told = f"{preview.name} sha256={preview.sha256} +{added.total()} ~{changed.total()}"
    await audit.record(session, "import", "directory", told, who)
    return case


async def _steady(session: AsyncSession) -> None:
    """Let the transaction see the records as they stand now to its end.

    SQLite's writer is alone in any case. On PostgreSQL rows that others change meanwhile end this transaction.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        # Before anything is read, or another import that is under way would not be seen.
        await session.execute(text("LOCK TABLE units IN SHARE ROW EXCLUSIVE MODE"))


@contextmanager
def meanwhile() -> Iterator[None]:
    """Turn what the database says of a meeting with somebody else's change into a `ConflictError`.

    Goes around the whole unit of work of `confirm`.
    """
    try:
        yield
    except IntegrityError as error:
        raise _met() from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _CHANGED_MEANWHILE:
            raise _met() from error
        raise


def _met() -> ConflictError:
    if limits() is not None:
        words = (
            "名录已被他人修改，或者有单位代码、号码已由管辖范围以外的单位使用；全部未导入，请核对后重新预览"
        )
        return ConflictError(words)
    return ConflictError("导入时名录被他人修改；全部未导入，请重新预览后再确认")


async def export(
    session: AsyncSession,
    settings: Settings,
    who: str,
    *,
    unit_code: str | None = None,
    since: date | None = None,
) -> bytes:
    """Return the directory as a workbook, of one unit and all below it with `unit_code`; put on record.

    Rosters from `since` on, by default of the last 31 days and those to come. Location data (去向) is never in it.

    Raises `NotFoundError` for a unit that there is not, `BadInputError` for more rows than a file takes.
    """
    snapshot = await gathered(session, settings, unit_code=unit_code, since=since)
    content = write_workbook(snapshot)
    await record_export(session, snapshot, who, unit_code)
    return content


async def gathered(
    session: AsyncSession, settings: Settings, *, unit_code: str | None = None, since: date | None = None
) -> Snapshot:
    """Read what an export of it holds. Raises `NotFoundError` as `export` does."""
    today = clock.now().astimezone(settings.zone).date()
    keys: frozenset[int] | None = None
    if unit_code is not None:
        unit = await directory.unit_by_code(session, unit_code)
        if unit is None:
            raise NotFoundError(f"没有编码为 {unit_code[:40]} 的单位")
        keys = await directory.subtree_ids(session, unit.id)
    snapshot = await repository.directory(session, settings.zone)
    first = since or today - ROSTERS_BACK
    snapshot.rosters = await repository.newest_rosters(session, first, date.max, settings.zone, keys)
    snapshot.days = await repository.calendar_days(session, date.min, date.max)
    return snapshot if keys is None else only_units(snapshot, keys)


async def record_export(session: AsyncSession, snapshot: Snapshot, who: str, unit_code: str | None) -> None:
    """Put an export on record."""
    rows = sum(len(getattr(snapshot, name)) for name in ("units", "lines", "people"))
    await audit.record(session, "export", "directory", f"unit={unit_code or '*'} rows<={rows}", who)
