"""Queries for changes of the tree and of what hangs on a unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.directory.models import DutyLine, Unit, UnitRegime
from app.directory.repository import below


async def lock_tree(session: AsyncSession) -> None:
    """Keep others from changing any unit till the end of the unit of work."""
    await session.scalars(select(Unit.id).order_by(Unit.id).with_for_update())


async def deepest_path(session: AsyncSession, head: Unit) -> int:
    """The slashes of the longest path of a unit's subtree, its own among them."""
    slashes = func.length(Unit.path) - func.length(func.replace(Unit.path, "/", ""))
    return int(await session.scalar(select(func.max(slashes)).where(below(head))) or 0)


async def rewrite_paths(session: AsyncSession, old: str, new: str) -> None:
    """Put another beginning before the paths of a whole subtree."""
    statement = (
        update(Unit)
        .where(Unit.path.startswith(old, autoescape=True))
        .values(path=new + func.substr(Unit.path, len(old) + 1))
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)


async def going_on_below(session: AsyncSession, head: Unit, last_day: date) -> Sequence[Unit]:
    """The units below one that are there longer than to this day."""
    query = (
        select(Unit)
        .where(below(head), Unit.id != head.id, or_(Unit.last_day.is_(None), Unit.last_day > last_day))
        .order_by(Unit.code)
    )
    return (await session.scalars(query)).all()


async def regimes(session: AsyncSession, unit_id: int) -> Sequence[UnitRegime]:
    """How a unit keeps duty, over time."""
    query = select(UnitRegime).where(UnitRegime.unit_id == unit_id).order_by(UnitRegime.first_day)
    return (await session.scalars(query)).all()


async def regimes_of(session: AsyncSession, unit_ids: Sequence[int]) -> Sequence[UnitRegime]:
    """How several units keep duty, over time."""
    query = (
        select(UnitRegime)
        .where(UnitRegime.unit_id.in_(unit_ids))
        .order_by(UnitRegime.unit_id, UnitRegime.first_day)
    )
    return (await session.scalars(query)).all()


async def lines_with(session: AsyncSession, number_keys: Iterable[str]) -> Sequence[DutyLine]:
    """The lines in use that have one of these numbers, faxes among them."""
    keys = sorted(set(number_keys) - {""})
    query = select(DutyLine).where(DutyLine.number_key.in_(keys), DutyLine.active).order_by(DutyLine.id)
    return (await session.scalars(query)).all()
