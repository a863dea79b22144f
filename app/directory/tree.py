"""Verbs of the tree of units (单位). They never commit: the caller's unit of work does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import every_unit, whole_office
from app.directory import repository, service, tree_queries
from app.directory.models import UNIT_CATEGORIES, Unit, UnitRegime
from app.errors import BadInputError, ConflictError, Fault, NotFoundError

MOST_LEVELS = 8
"""Levels of the tree: province, city, county, town and office leave three to spare."""
MOST_HANDOVERS = 12
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """What is written of a unit, its place in the tree apart."""

    code: str
    name: str
    kind: str = ""
    category: str = "other"
    handover_times: tuple[str, ...] = ()
    first_day: date | None = None
    last_day: date | None = None


async def locked(session: AsyncSession, unit_id: int, revision: int | None = None) -> Unit:
    """Read a unit for a change and keep others from changing it till the end of the unit of work.

    Raises `NotFoundError`, and `ConflictError` where it is no more at the revision that the caller saw.
    """
    unit = await session.get(Unit, unit_id, with_for_update=True, populate_existing=True)
    if unit is None:
        raise NotFoundError(f"没有编号为 {unit_id} 的单位")
    if revision is not None:
        check_revision(unit.revision, revision)
    return unit


def check_revision(present: int, seen: int) -> None:
    """Raise `ConflictError` where an entry was changed since the caller saw it."""
    if present != seen:
        fault = Fault("revision", f"现为 {present}")
        raise ConflictError(
            f"该条目已被他人修改（现为第 {present} 版，所据为第 {seen} 版）；请重读后再改", [fault]
        )


async def enter_unit(session: AsyncSession, entry: UnitEntry, parent_id: int | None = None) -> Unit:
    """Enter a unit below `parent_id`, or at the root.

    Raises `NotFoundError`, `BadInputError`, `ForbiddenError` for a root by an account for a part of the tree, and
    `ConflictError` where its code is taken.
    """
    await _code_is_free(session, entry.code)
    if parent_id is None:
        whole_office()
    parent = None if parent_id is None else await locked(session, parent_id)
    if parent is not None:
        if levels_of(parent.path) >= MOST_LEVELS:
            raise _too_deep()
        _not_beyond(parent, entry.last_day)
    try:
        unit = await service.add_unit(session, entry.code, entry.name, entry.kind, parent)
    except IntegrityError as error:
        # Somebody entered it at the same moment.
        raise _taken(entry.code) from error
    _write(unit, entry)
    await session.flush()
    return unit


async def change_unit(session: AsyncSession, unit: Unit, entry: UnitEntry) -> None:
    """Write what a unit is called and how it keeps duty. Raises `BadInputError`, and `ConflictError` for its code."""
    if entry.code != unit.code:
        await _code_is_free(session, entry.code)
    if entry.last_day != unit.last_day:
        await _nothing_beyond(session, unit, entry.last_day)
    _write(unit, entry)
    unit.revision += 1
    try:
        await session.flush()
    except IntegrityError as error:
        raise _taken(entry.code) from error


async def move(session: AsyncSession, unit_id: int, parent_id: int | None, revision: int) -> Unit:
    """Hang a unit with all below it elsewhere in the tree; `None` is the root.

    Raises `NotFoundError`, `ConflictError` for a place below itself, `BadInputError` for a tree too deep.
    """
    # Two moves at once could hang each other below themselves: whoever moves holds the whole tree.
    await tree_queries.lock_tree(session)
    unit = await locked(session, unit_id, revision)
    if parent_id is None:
        whole_office()
    parent = None if parent_id is None else await locked(session, parent_id)
    if parent is not None and repository.in_subtree(parent.path, unit.path):
        raise ConflictError(f"“{parent.name}”就在“{unit.name}”之下，不能作它的上级")
    if parent is not None:
        _not_beyond(parent, unit.last_day)
    head = f"{'' if parent is None else parent.path}{unit.id}/"
    deepest = await tree_queries.deepest_path(session, unit)
    if deepest + levels_of(head) - levels_of(unit.path) > MOST_LEVELS:
        raise _too_deep()
    unit.parent_id = parent_id
    unit.revision += 1
    await session.flush()
    await tree_queries.rewrite_paths(session, unit.path, head)
    await session.refresh(unit)
    return unit


async def close(session: AsyncSession, unit: Unit, last_day: date) -> None:
    """Say on which day a unit is there for the last time. Raises `ConflictError` while units below it go on."""
    if unit.first_day is not None and last_day < unit.first_day:
        raise _bad_days("last_day")
    await _nothing_beyond(session, unit, last_day)
    unit.last_day = last_day
    unit.revision += 1
    await session.flush()


async def _nothing_beyond(session: AsyncSession, unit: Unit, last_day: date | None) -> None:
    """Raise `ConflictError` where a unit would end before one below it, or go on longer than the one above."""
    if last_day is not None:
        going_on = await tree_queries.going_on_below(session, unit, last_day)
        if going_on:
            names = "、".join(row.name for row in going_on[:5])
            raise ConflictError(f"“{unit.name}”之下还有未撤销的单位：{names}；请先撤销或迁出")
    with every_unit():
        parent = None if unit.parent_id is None else await repository.unit(session, unit.parent_id)
    if parent is not None:
        _not_beyond(parent, last_day)


def _not_beyond(parent: Unit, last_day: date | None) -> None:
    if parent.last_day is not None and (last_day is None or last_day > parent.last_day):
        raise ConflictError(
            f"上级“{parent.name}”至 {parent.last_day} 撤销，下级不得更晚", [Fault("last_day", "晚于上级")]
        )


async def set_regime(
    session: AsyncSession, unit: Unit, regime: UnitRegime, *, end_previous: bool = False
) -> UnitRegime:
    """Say how a unit keeps duty between two days; the unit must be `locked`.

    `end_previous`: a regime that is open and began earlier ends the day before.

    Raises `BadInputError` for days in the wrong order, `ConflictError` that names a regime which holds one of them.
    """
    if regime.last_day is not None and regime.last_day < regime.first_day:
        raise _bad_days("last_day")
    regime.unit_id = unit.id
    present = await tree_queries.regimes(session, unit.id)
    for other in present:
        if end_previous and other.last_day is None and other.first_day < regime.first_day:
            other.last_day = regime.first_day - timedelta(days=1)
    _no_overlap(regime, present)
    session.add(regime)
    await session.flush()
    return regime


async def end_regime(session: AsyncSession, regime: UnitRegime, last_day: date | None) -> None:
    """Change a regime's last day. Raises as `set_regime` does."""
    if last_day is not None and last_day < regime.first_day:
        raise _bad_days("last_day")
    regime.last_day = last_day
    _no_overlap(regime, await tree_queries.regimes(session, regime.unit_id))
    await session.flush()


def levels_of(path: str) -> int:
    """How many units stand from the root to the one with this path, itself among them."""
    return path.count("/")


def _no_overlap(regime: UnitRegime, present: Iterable[UnitRegime]) -> None:
    for other in present:
        if other is regime:
            continue
        begins_in_time = regime.last_day is None or other.first_day <= regime.last_day
        ends_in_time = other.last_day is None or other.last_day >= regime.first_day
        if begins_in_time and ends_in_time:
            until = "" if other.last_day is None else f" 至 {other.last_day}"
            raise ConflictError(
                f"与已登记的值班方式（{other.first_day}{until or ' 起'}）日期重叠；请先改其截止日期",
                [Fault("first_day", f"regime {other.id}")],
            )


def _write(unit: Unit, entry: UnitEntry) -> None:
    if entry.category not in UNIT_CATEGORIES:
        raise BadInputError("类别不在所列之中", [Fault("category", "、".join(UNIT_CATEGORIES))])
    if entry.first_day and entry.last_day and entry.last_day < entry.first_day:
        raise _bad_days("last_day")
    unit.code, unit.name, unit.kind, unit.category = entry.code, entry.name, entry.kind, entry.category
    unit.handover_times = _times(entry.handover_times)
    unit.first_day, unit.last_day = entry.first_day, entry.last_day


def _times(texts: Iterable[str]) -> list[str]:
    """The times of 交接班, each once, in the day's order."""
    times = sorted(set(texts))
    for text in times:
        if not _TIME.fullmatch(text):
            raise BadInputError(
                f"交接班时间“{text[:20]}”不对；应如 08:30", [Fault("handover_times", "HH:MM, 00:00 至 23:59")]
            )
    if len(times) > MOST_HANDOVERS:
        raise BadInputError(
            f"交接班时间至多 {MOST_HANDOVERS} 个", [Fault("handover_times", f"<= {MOST_HANDOVERS}")]
        )
    return times


async def _code_is_free(session: AsyncSession, code: str) -> None:
    if await repository.unit_by_code(session, code) is not None:
        raise _taken(code)


def _taken(code: str) -> ConflictError:
    return ConflictError(f"单位代码 {code} 已有单位使用", [Fault("code", "已被使用")])


def _bad_days(where: str) -> BadInputError:
    return BadInputError("截止日期早于起始日期", [Fault(where, "不得早于起始日期")])


def _too_deep() -> BadInputError:
    return BadInputError(f"单位层级至多 {MOST_LEVELS} 级", [Fault("parent_id", f"<= {MOST_LEVELS} 级")])
