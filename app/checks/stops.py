"""紧急停拨: no call leaves to these units until the stop is lifted by hand.

A stop is a row. It is looked for when an order is claimed and before each INVITE, and the dispatcher looks several
times a second, whether one came while calls are under way. It therefore holds with and without a running service and
across restarts. Verbs never commit: the caller's unit of work does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.principal import whole_office
from app.checks.models import EmergencyStop
from app.directory.models import LineUnit, Unit
from app.errors import BadInputError, ConflictError, Fault, NotFoundError

ALL_ZH = "全部单位"


async def place_stop(session: AsyncSession, unit_id: int | None, reason: str, who: str) -> EmergencyStop:
    """Stop all calls to a unit and those below it, None: to every unit.

    Raises `NotFoundError`, `BadInputError`, and `ForbiddenError` for every unit by an account for some.
    """
    reason = _reason(reason)
    if unit_id is None:
        whole_office()
    unit = None if unit_id is None else await session.get(Unit, unit_id)
    if unit_id is not None and unit is None:
        raise NotFoundError(f"there is no unit {unit_id}")
    stop = EmergencyStop(unit_id=unit_id, reason=reason, placed_at=clock.now(), placed_by=who)
    session.add(stop)
    await session.flush()
    whom = ALL_ZH if unit is None else f"{unit.code} {unit.name}"
    await audit.record(session, "stop_calls", f"stop:{stop.id}", f"{whom}：{reason}", who)
    return stop


async def lift_stop(session: AsyncSession, stop_id: int, reason: str, who: str) -> EmergencyStop:
    """Lift a stop. Raises `NotFoundError`, `BadInputError`, and `ConflictError` where it was lifted already."""
    reason = _reason(reason)
    stop = await session.get(EmergencyStop, stop_id)
    if stop is None:
        raise NotFoundError(f"there is no stop {stop_id}")
    if stop.unit_id is None or await session.get(Unit, stop.unit_id) is None:
        # One that reaches beyond who asks is lifted by somebody whose scope it is.
        whole_office()
    statement = (
        update(EmergencyStop)
        .where(EmergencyStop.id == stop_id, EmergencyStop.lifted_at.is_(None))
        .values(lifted_at=clock.now(), lifted_by=who, lift_reason=reason)
        .execution_options(synchronize_session=False)
    )
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    await session.refresh(stop)
    if result.rowcount != 1:
        raise ConflictError(f"stop {stop_id} was lifted already, by {stop.lifted_by}")
    await audit.record(session, "lift_stop", f"stop:{stop.id}", reason, who)
    return stop


async def standing(session: AsyncSession) -> Sequence[EmergencyStop]:
    """The stops that hold, the oldest first."""
    query = select(EmergencyStop).where(EmergencyStop.lifted_at.is_(None)).order_by(EmergencyStop.id)
    return (await session.scalars(query)).all()


async def page(
    session: AsyncSession, standing: bool | None, before: int | None, limit: int
) -> Sequence[EmergencyStop]:
    """Stops, newest first: those that hold, those that are over, or all."""
    query = select(EmergencyStop)
    if standing is not None:
        open_ = EmergencyStop.lifted_at.is_(None)
        query = query.where(open_ if standing else ~open_)
    if before is not None:
        query = query.where(EmergencyStop.id < before)
    return (await session.scalars(query.order_by(EmergencyStop.id.desc()).limit(limit))).all()


async def stopped(session: AsyncSession, unit_id: int) -> EmergencyStop | None:
    """The stop that holds for a unit, None where none does."""
    return (await stopped_of(session, [unit_id])).get(unit_id)


async def stopped_line(session: AsyncSession, line_id: int, unit_id: int) -> EmergencyStop | None:
    """The stop that holds for a line: for its unit, or for any other that is reached by it."""
    stops = await standing(session)
    if not stops:
        return None
    further = await session.scalars(select(LineUnit.unit_id).where(LineUnit.line_id == line_id))
    found = await _among(session, stops, {unit_id, *further})
    return next(iter(found.values()), None)


async def stopped_of(session: AsyncSession, unit_ids: Iterable[int]) -> dict[int, EmergencyStop]:
    """The stops that hold for some units, by unit; those that none holds for are left out."""
    stops = await standing(session)
    return await _among(session, stops, set(unit_ids)) if stops else {}


async def _among(
    session: AsyncSession, stops: Sequence[EmergencyStop], unit_ids: set[int]
) -> dict[int, EmergencyStop]:
    every = next((stop for stop in stops if stop.unit_id is None), None)
    if every is not None:
        return dict.fromkeys(unit_ids, every)
    by_head = {stop.unit_id: stop for stop in reversed(stops)}
    found: dict[int, EmergencyStop] = {}
    rows = await session.execute(select(Unit.id, Unit.path).where(Unit.id.in_(unit_ids)))
    for unit_id, path in rows:
        for head in (*(int(part) for part in path.split("/") if part), unit_id):
            if head in by_head:
                found.setdefault(unit_id, by_head[head])
    return found


def _reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        fault = Fault("reason", "takes the reason in words")
        raise BadInputError("a stop is placed and lifted with a reason", [fault])
    return reason
