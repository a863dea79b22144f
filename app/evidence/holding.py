"""What keeps a recording, whatever its retention says: a person's word, a case, a finding, an unsigned phone record.

The same conditions stand in the queries (which recordings may go) and in what a person is told (why this one stays).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, CompoundSelect, and_, exists, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks.models import Attempt, Recording
from app.evidence.models import RecordingHold, RecordingRemoval
from app.phone_records.models import PhoneRecord
from app.reviews.models import COUNTING, Case
from app.settings import LEAST_RETENTION_DAYS

FLOOR = timedelta(days=LEAST_RETENTION_DAYS)
"""No recording goes before this age but by withdrawal; no finding's before it has stood so long without a change."""
OPEN_CASES = ("to_review", "proposed", "notified", "disputed")
"""Cases that somebody still has to decide."""
KIND_ZH = {
    "hold": "人工保留",
    "case": "事项尚未办结",
    "finding": "认定后的保留期",
    "phone_record": "电话记录单未签发",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason why a recording stays."""

    kind: str
    """A key of `KIND_ZH`."""
    id: int
    """Of the hold, the case or the phone record."""
    until: datetime | None = None
    """When it ceases by itself; None: when somebody acts."""
    reason: str = ""
    """As the person put it who placed the hold."""


def held(now: datetime) -> ColumnElement[bool]:
    """The condition on `Recording`: something keeps it at this moment."""
    return or_(
        exists(select(RecordingHold.id).where(_hold(), RecordingHold.recording_id == Recording.id)),
        exists(
            select(Case.id).join(Attempt, _of_case()).where(_case(now), Attempt.id == Recording.attempt_id)
        ),
        exists(select(PhoneRecord.id).where(_unsigned(), PhoneRecord.recording_id == Recording.id)),
    )


def held_keys(now: datetime) -> CompoundSelect[int]:
    """The keys of all recordings of which `held` is true: they are few, and found from what holds them."""
    return union(
        select(RecordingHold.recording_id).where(_hold()),
        select(Recording.id)
        .join(Attempt, Attempt.id == Recording.attempt_id)
        .join(Case, _of_case())
        .where(_case(now)),
        select(PhoneRecord.recording_id).where(_unsigned(), PhoneRecord.recording_id.is_not(None)),
    )


def removal_asked() -> ColumnElement[bool]:
    """The condition on `Recording`: somebody asks for its deletion, and nobody has decided yet."""
    return exists(
        select(RecordingRemoval.id).where(
            RecordingRemoval.recording_id == Recording.id, RecordingRemoval.state == "requested"
        )
    )


async def is_held(session: AsyncSession, recording_id: int, now: datetime) -> bool:
    """Whether something keeps a recording at this moment."""
    query = select(Recording.id).where(Recording.id == recording_id, held(now))
    return await session.scalar(query) is not None


async def grounds(
    session: AsyncSession, recording_ids: Collection[int], now: datetime
) -> dict[int, Sequence[Ground]]:
    """Say what keeps each of some recordings; those that nothing keeps are left out."""
    found: defaultdict[int, list[Ground]] = defaultdict(list)
    holds = select(RecordingHold).where(_hold(), RecordingHold.recording_id.in_(recording_ids))
    for hold in await session.scalars(holds.order_by(RecordingHold.id)):
        found[hold.recording_id].append(Ground("hold", hold.id, reason=hold.reason))
    cases = (
        select(Recording.id, Case.id, Case.state, Case.changed_at)
        .join(Attempt, Attempt.id == Recording.attempt_id)
        .join(Case, _of_case())
        .where(_case(now), Recording.id.in_(recording_ids))
        .order_by(Case.id)
    )
    for key, case_id, state, changed_at in await session.execute(cases):
        decided = state in COUNTING
        until = changed_at + FLOOR if decided else None
        found[key].append(Ground("finding" if decided else "case", case_id, until))
    records = select(PhoneRecord).where(_unsigned(), PhoneRecord.recording_id.in_(recording_ids))
    for record in await session.scalars(records.order_by(PhoneRecord.id)):
        assert record.recording_id is not None
        found[record.recording_id].append(Ground("phone_record", record.id))
    return dict(found)


def told(given: Sequence[Ground]) -> str:
    """Name the grounds in one Chinese phrase, e.g. `人工保留 3、事项尚未办结 12`."""
    return "、".join(f"{KIND_ZH[ground.kind]} {ground.id}" for ground in given)


def _hold() -> ColumnElement[bool]:
    return RecordingHold.lifted_at.is_(None)


def _of_case() -> ColumnElement[bool]:
    return Attempt.check_id == Case.check_id


def _case(now: datetime) -> ColumnElement[bool]:
    """A case that is open, or a finding that has not stood long enough.

    A rectification (整改) that is open will hold as its finding does: there is none yet, its condition belongs here.
    """
    return or_(Case.state.in_(OPEN_CASES), and_(Case.state.in_(COUNTING), Case.changed_at > now - FLOOR))


def _unsigned() -> ColumnElement[bool]:
    return PhoneRecord.state == "draft"
