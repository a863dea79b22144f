"""Tables of exactly what a filter shows, written to a file.

What is guaranteed: the checks of a table, and their order, are those that fitted the filter when it was ordered; later
calls are not in it, and no check is missing or twice, however long the writing takes. Each row is read whole in one
transaction; a decision that is taken while the file is written is in it or not, as the row was read.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.newest import Place
from app.checks.models import Attempt
from app.database import Database, open_private
from app.reports import gathering, records
from app.reports.filters import RecordFilter
from app.reports.tables import TABLES, Eyes, Table
from app.settings import Settings
from app.tables.cells import Column, Value
from app.tables.delimited import DelimitedFile
from app.tables.workbook import Layout, WorkbookFile

FORMS = ("xlsx", "csv")
SMALL_ROWS = 2_000
"""Up to here a table is made while the browser waits."""
BATCH = 250
KEYS_BATCH = 5_000
Progress = Callable[[int], Awaitable[None]]
GUARANTEE = "本表所含抽查及次序以导出时刻为准，其后的拨打不在表内；各行的认定情况以写入该行时为准"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What table is asked for."""

    table: str
    form: str
    narrowed: dict[str, str] = field(default_factory=dict)
    """The parameters of a `RecordFilter`."""
    title: str = ""
    """Instead of the table's own."""
    office: str = ""
    """单位 that issues it."""

    def to_json(self) -> dict[str, Any]:
        """Return it as a job keeps it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes a table, when, and what the filter says in words."""

    who: str
    at: datetime
    told: str
    numbers: bool


class _File(Protocol):
    def add(self, row: Sequence[Value]) -> None: ...
    def finish(self, footer: Iterable[str] = ()) -> None: ...
    def abandon(self) -> None: ...


async def collect(
    session: AsyncSession, wanted: Wanted, settings: Settings, until: datetime, most: int | None = None
) -> array[int]:
    """Return the keys of the checks with a call that fits, oldest call first; `most` of them at most."""
    found, known = array("q"), set[int]()
    narrowed, place = RecordFilter.read(wanted.narrowed), None
    while most is None or len(found) < most:
        keys = await records.keys(
            session, narrowed, settings.zone, place, KEYS_BATCH if most is None else min(KEYS_BATCH, 2 * most),
            ascending=True, until=until,
        )  # fmt: skip
        if not keys:
            break
        owners = await _owners(session, keys)
        for key in keys:
            at, check_id = owners[key]
            place = Place(at, key)
            if check_id not in known:
                known.add(check_id)
                found.append(check_id)
    return found if most is None else found[:most]


async def _owners(session: AsyncSession, keys: Sequence[int]) -> dict[int, tuple[datetime, int]]:
    found: dict[int, tuple[datetime, int]] = {}
    for first in range(0, len(keys), 1_000):
        query = select(Attempt.id, Attempt.claimed_at, Attempt.check_id)
        rows = await session.execute(query.where(Attempt.id.in_(keys[first : first + 1_000])))
        found |= {row[0]: (row[1], row[2]) for row in rows}
    return found


async def write(
    database: Database,
    settings: Settings,
    path: Path,
    wanted: Wanted,
    keys: Sequence[int],
    maker: Maker,
    progress: Progress | None = None,
) -> int:
    """Write the table of these checks; return its rows. `progress` is told the rows so far, and may raise to stop."""
    table = TABLES[wanted.table]
    eyes = Eyes(settings.zone, maker.numbers)
    layout = layout_of(wanted, maker, settings)
    with open_private(path):
        pass
    target = await asyncio.to_thread(_open, path, wanted.form, layout)
    try:
        return await _fill(target, database, keys, table, eyes, maker, progress)
    except BaseException:
        target.abandon()
        raise


async def _fill(
    target: _File,
    database: Database,
    keys: Sequence[int],
    table: Table,
    eyes: Eyes,
    maker: Maker,
    progress: Progress | None,
) -> int:
    rows = 0
    inspectors: dict[str, None] = {}
    async for batch in _batches(database, keys):
        inspectors |= dict.fromkeys(check.inspector for check in batch if check.inspector)
        cells = [table.row(rows + number, check, eyes) for number, check in enumerate(batch, 1)]
        await asyncio.to_thread(_add, target, cells)
        rows += len(batch)
        if progress is not None:
            await progress(rows)
    await asyncio.to_thread(target.finish, _footer(table.signing, list(inspectors), maker))
    return rows


async def _batches(database: Database, keys: Sequence[int]) -> AsyncIterator[list[gathering.CheckRow]]:
    for first in range(0, len(keys), BATCH):
        async with database.reading() as session:
            found = await gathering.rows(session, list(keys[first : first + BATCH]))
        yield found


def layout_of(wanted: Wanted, maker: Maker, settings: Settings) -> Layout:
    """The head of a table, its columns, and what it says of itself."""
    table = TABLES[wanted.table]
    narrowed = RecordFilter.read(wanted.narrowed)
    local = maker.at.astimezone(settings.zone)
    title = wanted.title or table.title
    span = "　".join(
        part for part in (f"制表单位：{wanted.office}" if wanted.office else "", _span(narrowed)) if part
    )
    return Layout(
        title=title,
        columns=table.columns,
        under=f"{span}　制表人：{maker.who}　制表时间：{local:%Y-%m-%d %H:%M}",
        signing=table.signing,
        watermark=f"{maker.who} {local:%Y-%m-%d %H:%M} 导出 内部资料 请勿外传",
        about=(
            ("表名", title),
            ("导出人", maker.who),
            ("导出时间", f"{local:%Y-%m-%d %H:%M:%S}"),
            ("筛选条件", maker.told),
            ("号码", "全号" if maker.numbers else "手机号已按权限隐去中段"),
            ("口径", GUARANTEE),
            (
                "认定",
                "“拟认定”为机器按启用规则提出，未经人认定；“已认定”由具名督查人员作出。未知的一律写“未核实”",
            ),
        ),
    )


def _span(narrowed: RecordFilter) -> str:
    if not narrowed.since and not narrowed.until:
        return "期间：全部"
    first, last = (text.replace("T", " ") for text in (narrowed.since, narrowed.until))
    return f"期间：{first or '最早'} 至 {last or '导出时'}"


def _footer(signing: bool, inspectors: Sequence[str], maker: Maker) -> list[str]:
    if not signing:
        return [f"导出人：{maker.who}"]
    named = "、".join(inspectors) or "未核实"
    return [
        f"抽查人：{named}　　　抽查人（签名）：________________　　　复核人（签名）：________________　　　"
        "日期：______年____月____日",
        f"导出人：{maker.who}",
    ]


class _Delimited(DelimitedFile):
    def __init__(self, path: Path, columns: Sequence[Column], preface: Sequence[tuple[str, str]]) -> None:
        self._target = path.open("w", encoding="utf-8", newline="")
        super().__init__(self._target, columns, preface)

    def finish(self, footer: Iterable[str] = ()) -> None:
        super().finish(footer)
        self._target.close()

    def abandon(self) -> None:
        self._target.close()


def _open(path: Path, form: str, layout: Layout) -> _File:
    if form == "csv":
        return _Delimited(path, layout.columns, [*layout.about])
    return WorkbookFile(path, layout)


def _add(target: _File, rows: Sequence[Sequence[Value]]) -> None:
    for row in rows:
        target.add(row)
