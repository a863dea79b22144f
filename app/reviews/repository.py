"""All queries of cases, their events, attachments and what was heard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.accounts.models import AuditEvent
from app.checks.models import Attempt, Mitigation, Recording, SpotCheck, StoredVerdict
from app.directory.models import DutyLine, Unit
from app.directory.repository import below
from app.planning.models import ManualCheck
from app.reviews.models import Attachment, Case, CaseEvent, Publication, PublicationEntry

READ_ACTIONS = ("play", "download")
"""Actions of the audit trail by which a recording was heard."""


async def case(session: AsyncSession, case_id: int) -> Case | None:
    """One case as it stands in the database, whatever this session has seen of it before."""
    return await session.get(Case, case_id, populate_existing=True)


async def case_of(
    session: AsyncSession, code: str, check_id: int | None, manual_id: int | None
) -> Case | None:
    """The case of an order, or of a check by hand, with this code."""
    origin = Case.check_id == check_id if check_id is not None else Case.manual_id == manual_id
    return await session.scalar(select(Case).where(origin, Case.code == code))


async def cases_of_check(session: AsyncSession, check_id: int, *, to_change: bool = False) -> Sequence[Case]:
    """Every case of an order; `to_change`: as they stand in the database, and nobody else takes a step meanwhile."""
    query = select(Case).where(Case.check_id == check_id).order_by(Case.id)
    if to_change:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).all()


async def cases_by_key(session: AsyncSession, case_ids: Iterable[int]) -> dict[int, Case]:
    """Cases by their keys, as they stand in the database; those that there are not are left out."""
    query = select(Case).where(Case.id.in_(list(case_ids)))
    found = await session.scalars(query.execution_options(populate_existing=True))
    return {row.id: row for row in found}


async def move(session: AsyncSession, case: Case, values: Mapping[str, Any]) -> bool:
    """Take a case one step on, unless somebody else took one since it was read."""
    statement = (
        update(Case)
        .where(Case.id == case.id, Case.state == case.state, Case.revision == case.revision)
        .values(revision=case.revision + 1, **values)
        .execution_options(synchronize_session=False)
    )
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def events(session: AsyncSession, case_id: int) -> Sequence[CaseEvent]:
    """Every step of a case, oldest first."""
    query = select(CaseEvent).where(CaseEvent.case_id == case_id).order_by(CaseEvent.id)
    return (await session.scalars(query)).all()


async def last_event(session: AsyncSession, case_id: int, *actions: str) -> CaseEvent | None:
    """The newest step of a case that is one of these."""
    query = (
        select(CaseEvent)
        .where(CaseEvent.case_id == case_id, CaseEvent.action.in_(actions))
        .order_by(CaseEvent.id.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def check(session: AsyncSession, check_id: int) -> SpotCheck | None:
    """An order with its line and unit, and its attempts with facts, recording and verdicts."""
    query = (
        select(SpotCheck)
        .where(SpotCheck.id == check_id)
        .options(
            joinedload(SpotCheck.line).joinedload(DutyLine.unit),
            selectinload(SpotCheck.attempts).options(
                joinedload(Attempt.facts), joinedload(Attempt.recording), selectinload(Attempt.verdicts)
            ),
        )
    )
    return await session.scalar(query)


async def first_attempt(session: AsyncSession, check_id: int) -> Attempt | None:
    """The first call of an order."""
    query = select(Attempt).where(Attempt.check_id == check_id).order_by(Attempt.number).limit(1)
    return await session.scalar(query)


async def recordings(session: AsyncSession, check_id: int) -> Sequence[tuple[Attempt, Recording | None]]:
    """Each attempt of an order with its recording, in order."""
    query = (
        select(Attempt, Recording)
        .outerjoin(Recording, Recording.attempt_id == Attempt.id)
        .where(Attempt.check_id == check_id)
        .order_by(Attempt.number)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def hearings(
    session: AsyncSession, recording_ids: Sequence[int], who: Sequence[str]
) -> Sequence[AuditEvent]:
    """When these people played or downloaded these recordings, oldest first."""
    query = (
        select(AuditEvent)
        .where(
            AuditEvent.subject.in_([f"recording:{key}" for key in recording_ids]),
            AuditEvent.action.in_(READ_ACTIONS),
            AuditEvent.who.in_(who),
        )
        .order_by(AuditEvent.id)
    )
    return (await session.scalars(query)).all()


async def mitigations(session: AsyncSession, check_id: int) -> Sequence[Mitigation]:
    """What speaks for the unit beside an order, as it was recorded."""
    query = select(Mitigation).where(Mitigation.check_id == check_id).order_by(Mitigation.id)
    return (await session.scalars(query)).all()


async def manual(session: AsyncSession, manual_id: int) -> ManualCheck | None:
    """One check that was made by hand."""
    return await session.get(ManualCheck, manual_id)


async def unit(session: AsyncSession, unit_id: int) -> Unit | None:
    """One unit."""
    return await session.get(Unit, unit_id)


async def line(session: AsyncSession, line_id: int) -> DutyLine | None:
    """One duty line."""
    return await session.get(DutyLine, line_id)


async def verdicts_of(session: AsyncSession, attempt_ids: Sequence[int]) -> dict[int, StoredVerdict]:
    """The newest verdict of each attempt."""
    query = select(StoredVerdict).where(StoredVerdict.attempt_id.in_(attempt_ids)).order_by(StoredVerdict.id)
    return {row.attempt_id: row for row in await session.scalars(query)}


async def attachments(session: AsyncSession, case_id: int) -> Sequence[Attachment]:
    """The files of a case, oldest first."""
    query = select(Attachment).where(Attachment.case_id == case_id).order_by(Attachment.id)
    return (await session.scalars(query)).all()


async def attachment(session: AsyncSession, attachment_id: int) -> Attachment | None:
    """One file of a case."""
    return await session.get(Attachment, attachment_id)


async def publications_of(session: AsyncSession, case_id: int) -> Sequence[Publication]:
    """Every table and bulletin in which a case stands, oldest first."""
    query = (
        select(Publication)
        .join(PublicationEntry, PublicationEntry.publication_id == Publication.id)
        .where(PublicationEntry.case_id == case_id)
        .order_by(Publication.id)
    )
    return (await session.scalars(query)).all()


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What a list of cases is narrowed to; None: not narrowed by it."""

    states: Sequence[str] = ()
    head: Unit | None = None
    """Head of the subtree of units."""
    code: str | None = None
    first_at: datetime | None = None
    """Of what happened, inclusive."""
    until: datetime | None = None
    """Exclusive."""
    mitigated: bool | None = None
    kind: str | None = None
    check_id: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on `Case`."""
        found: list[ColumnElement[bool]] = []
        if self.states:
            found.append(Case.state.in_(self.states))
        if self.head is not None:
            found.append(Case.unit_id.in_(select(Unit.id).where(below(self.head))))
        plain: tuple[tuple[ColumnElement[bool], object], ...] = (
            (Case.code == self.code, self.code),
            (Case.mitigated.is_(bool(self.mitigated)), self.mitigated),
            (Case.kind == self.kind, self.kind),
            (Case.check_id == self.check_id, self.check_id),
        )
        found += [condition for condition, given in plain if given is not None]
        if self.first_at is not None:
            found.append(Case.happened_at >= self.first_at)
        if self.until is not None:
            found.append(Case.happened_at < self.until)
        return found


async def page(
    session: AsyncSession, wanted: CaseFilter, after: tuple[datetime, int] | None, limit: int
) -> Sequence[Case]:
    """Cases, what happened last first."""
    query = select(Case).where(*wanted.conditions())
    if after is not None:
        query = query.where(tuple_(Case.happened_at, Case.id) < tuple_(*after))
    return (await session.scalars(query.order_by(Case.happened_at.desc(), Case.id.desc()).limit(limit))).all()


async def queue(
    session: AsyncSession, wanted: CaseFilter, after: tuple[datetime, int] | None, limit: int
) -> Sequence[Case]:
    """Cases that wait for somebody, the oldest first."""
    query = select(Case).where(*wanted.conditions())
    if after is not None:
        query = query.where(tuple_(Case.opened_at, Case.id) > tuple_(*after))
    return (await session.scalars(query.order_by(Case.opened_at, Case.id).limit(limit))).all()


async def count_by_state(session: AsyncSession, head: Unit | None) -> dict[str, int]:
    """How many cases stand in each state, of all units or of a subtree."""
    query = select(Case.state, func.count()).where(*CaseFilter(head=head).conditions()).group_by(Case.state)
    return {row[0]: row[1] for row in await session.execute(query)}


async def units_named(session: AsyncSession, unit_ids: Iterable[int]) -> dict[int, Unit]:
    """Units by their keys."""
    found = await session.scalars(select(Unit).where(Unit.id.in_(set(unit_ids))))
    return {row.id: row for row in found}
