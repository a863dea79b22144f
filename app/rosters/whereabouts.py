"""Where a unit's principal is (去向表): location data. The place is sealed, each reading put on record, and it expires.

The place stands in no list, no log line and no audit line. Verbs never commit: the caller's unit of work does; whoever
reads a place does so inside one, so that the line of the audit trail is kept before the place is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.directory.models import Unit
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.rosters import repository
from app.rosters.models import Whereabouts
from app.sealing import Sealer, SealError

KEPT_AFTER = timedelta(hours=24)
"""How long an entry is kept when its time is over: the duty office may still have to explain yesterday's."""
LONGEST = timedelta(days=92)


@dataclass(frozen=True, slots=True)
class WhereaboutsEntry:
    """What is told of somebody's absence."""

    name: str
    first_at: datetime
    last_at: datetime
    place: str
    person_id: int | None = None


async def enter(
    session: AsyncSession, unit: Unit, entry: WhereaboutsEntry, sealer: Sealer, who: str
) -> Whereabouts:
    """Enter where somebody is between two moments. Raises `BadInputError`."""
    if not timedelta(0) < entry.last_at - entry.first_at <= LONGEST:
        raise BadInputError(
            f"去向的起止时间不对：结束须晚于开始，至多 {LONGEST.days} 天",
            [Fault("last_at", "须晚于 first_at")],
        )
    now = clock.now()
    expires_at = entry.last_at + KEPT_AFTER
    if expires_at <= now:
        raise BadInputError("该去向早已过期，不再登记", [Fault("last_at", "已过期")])
    if entry.person_id is not None and not await repository.present_people(session, [entry.person_id]):
        raise BadInputError(f"没有编号为 {entry.person_id} 的人员", [Fault("person_id", "无此人员")])
    row = Whereabouts(
        unit_id=unit.id,
        person_id=entry.person_id,
        name=entry.name,
        first_at=entry.first_at,
        last_at=entry.last_at,
        sealed_place="",
        entered_at=now,
        entered_by=who,
        expires_at=expires_at,
    )
    session.add(row)
    await session.flush()
    row.sealed_place = sealer.seal(entry.place.encode(), _purpose(row))
    await audit.record(session, "whereabouts.enter", f"whereabouts:{row.id}", _whose(row), who)
    return row


async def read(session: AsyncSession, row_id: int, sealer: Sealer, who: str) -> tuple[Whereabouts, str]:
    """Read one entry and its place, and put on record who read whose. Raises `NotFoundError`, `ConflictError`."""
    row = await _present(session, row_id)
    try:
        place = sealer.open(row.sealed_place, _purpose(row)).decode()
    except SealError as error:
        raise ConflictError("该去向以另一把密钥密封，这里打不开") from error
    await audit.record(session, "whereabouts.read", f"whereabouts:{row.id}", _whose(row), who)
    return row, place


async def forget(session: AsyncSession, row_id: int, who: str) -> None:
    """Delete one entry before it expires. Raises `NotFoundError`."""
    row = await _present(session, row_id)
    await audit.record(session, "whereabouts.delete", f"whereabouts:{row.id}", _whose(row), who)
    await session.delete(row)
    await session.flush()


async def purge_expired(session: AsyncSession, now: datetime) -> int:
    """Delete every entry that has expired; return how many. The trail says how many, not whose."""
    count = await repository.forget_expired(session, now)
    if count:
        await audit.record(session, "whereabouts.expire", "whereabouts", f"{count} entries")
    return count


async def _present(session: AsyncSession, row_id: int) -> Whereabouts:
    row = await repository.whereabouts(session, row_id, clock.now())
    if row is None:
        raise NotFoundError(f"没有编号为 {row_id} 的去向，或已过期")
    return row


def _purpose(row: Whereabouts) -> str:
    return f"whereabouts:{row.id}"


def _whose(row: Whereabouts) -> str:
    return f"{row.name} of unit {row.unit_id}"
