"""The lists of checks: orders (抽查单) and their attempts, newest first, by any filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload

from app.api.newest import Asked, Group, Place, newest
from app.checks import repository, shelves
from app.checks.listing import ORDERS, match, shelf_group, unit_group
from app.checks.models import Mitigation, SpotCheck, StoredProposal
from app.planning.models import ManualCheck
from app.reviews.models import Case

TO_COME = "planned"
"""A check in this state is shown to nobody."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """What the list of orders is narrowed to; None leaves a member open."""

    unit_id: int | None = None
    alone: bool = False
    """The unit alone, without those below it."""
    line_id: int | None = None
    plan_id: int | None = None
    kind: str | None = None
    state: str | None = None
    code: str | None = None
    adverse: bool | None = None
    needs_review: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    session: AsyncSession, narrowed: OrderFilter, after: Place | None, limit: int, now: datetime
) -> Sequence[SpotCheck]:
    """Orders whose first moment has come, the latest of them first, with unit, line, plan and attempts."""
    groups: list[Group] = []
    if narrowed.line_id is not None:
        groups.append(Group("line_id", "ix_spot_checks_of_line", (narrowed.line_id,)))
    if narrowed.unit_id is not None:
        unit = await unit_group(session, ORDERS, narrowed.unit_id, narrowed.alone)
        if unit is None:
            return []
        groups.append(unit)
    if narrowed.plan_id is not None:
        groups.append(Group("plan_id", "ix_spot_checks_of_plan", (narrowed.plan_id,)))
    labels = {name: getattr(narrowed, name) for name in shelves.ORDER_LABELS}
    shelf = await shelf_group(
        session,
        ORDERS,
        shelves.ORDER_LABELS,
        lambda found: found["state"] != TO_COME and match(found, labels),
    )
    if shelf is not None:
        groups.append(shelf)
    # A moment that is still to come is nobody's to know, even of an order that was withdrawn before it.
    ended = now + timedelta(microseconds=1)
    until = ended if narrowed.until is None else min(narrowed.until, ended)
    keys = await newest(session, ORDERS, Asked(groups, narrowed.since, until, after), limit)
    query = (
        select(SpotCheck)
        .where(SpotCheck.id.in_(keys))
        .options(
            joinedload(SpotCheck.unit),
            joinedload(SpotCheck.line),
            joinedload(SpotCheck.plan),
            selectinload(SpotCheck.attempts),
        )
    )
    found = {check.id: check for check in await session.scalars(query)}
    return [found[key] for key in keys if key in found]


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside an order and its attempts."""

    proposals: Sequence[StoredProposal]
    cases: Sequence[Case]
    mitigations: Sequence[Mitigation]
    manual: Sequence[ManualCheck]
    """Checks of the same unit that were made by hand on the same local day."""


async def order(session: AsyncSession, order_id: int, now: datetime) -> SpotCheck | None:
    """One order with all that its attempts left behind; None too where its moment is still to come."""
    found = await repository.check(session, order_id)
    return None if found is None or found.state == TO_COME or found.first_due_at > now else found


async def beside(session: AsyncSession, check: SpotCheck, day: tuple[datetime, datetime]) -> Beside:
    """What stands beside an order; `day` is the local day of its first moment, from its begin to its end."""
    proposals = select(StoredProposal).where(StoredProposal.check_id == check.id).order_by(StoredProposal.id)
    cases = select(Case).where(Case.check_id == check.id).order_by(Case.id)
    mitigations = select(Mitigation).where(Mitigation.check_id == check.id).order_by(Mitigation.id)
    manual = (
        select(ManualCheck)
        .where(ManualCheck.unit_id == check.unit_id, ManualCheck.at >= day[0], ManualCheck.at < day[1])
        .order_by(ManualCheck.at, ManualCheck.id)
        .limit(100)
    )
    return Beside(
        (await session.scalars(proposals)).all(),
        (await session.scalars(cases)).all(),
        (await session.scalars(mitigations)).all(),
        (await session.scalars(manual)).all(),
    )


async def cases_of(session: AsyncSession, check_ids: Sequence[int]) -> Mapping[int, Sequence[Case]]:
    """The cases of some orders, by order."""
    found: dict[int, list[Case]] = {}
    for case in await session.scalars(select(Case).where(Case.check_id.in_(check_ids)).order_by(Case.id)):
        found.setdefault(case.check_id or 0, []).append(case)
    return found
