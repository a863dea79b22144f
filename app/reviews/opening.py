"""How a case begins: what the machine, or a check by hand, puts forward."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks.models import SpotCheck
from app.reviews import repository
from app.reviews.models import Case, CaseEvent
from app.reviews.states import OPENED, State

MACHINE = "system"
"""Who opens the cases of orders."""


async def open_case(
    session: AsyncSession,
    *,
    unit_id: int,
    code: str,
    proposal: dict[str, Any],
    check_id: int | None = None,
    manual_id: int | None = None,
    who: str = MACHINE,
) -> Case:
    """Open the case of a code that was proposed for an order, or found by hand; return the one that is there already.

    A case that was revoked stays so: what comes up anew about the same order is a further code, or a further order.
    Raises ValueError for what no case may come from, a 核号 call above all.
    """
    if (check_id is None) == (manual_id is None):
        raise ValueError("a case comes from an order or from a check by hand, and from one of them")
    known = await repository.case_of(session, code, check_id, manual_id)
    if known is not None:
        return known
    kind, happened_at = await _origin(session, check_id, manual_id)
    now = clock.now()
    case = Case(
        check_id=check_id,
        manual_id=manual_id,
        unit_id=unit_id,
        code=code,
        kind=kind,
        happened_at=happened_at,
        state=State.TO_REVIEW.value,
        proposal=proposal,
        opened_at=now,
        changed_at=now,
        mitigated=bool(proposal.get("mitigations")),
    )
    try:
        async with session.begin_nested():
            session.add(case)
            await session.flush()
    except IntegrityError:
        known = await repository.case_of(session, code, check_id, manual_id)
        if known is None:
            raise
        return known
    session.add(
        CaseEvent(
            case_id=case.id,
            at=now,
            who=who,
            action=OPENED,
            from_state=State.TO_REVIEW.value,
            to_state=State.TO_REVIEW.value,
            content={"code": code},
        )
    )
    await audit.record(session, "case_open", f"case:{case.id}", code, who)
    return case


async def _origin(session: AsyncSession, check_id: int | None, manual_id: int | None) -> tuple[str, datetime]:
    if check_id is not None:
        check = await session.get(SpotCheck, check_id)
        if check is None or check.kind == "verification":
            raise ValueError(f"no case can come from order {check_id}")
        first = await repository.first_attempt(session, check_id)
        called_at = (first.started_at or first.claimed_at) if first is not None else None
        return check.kind, check.first_due_at or called_at or check.due_at
    manual = await repository.manual(session, manual_id or 0)
    if manual is None:
        raise ValueError(f"there is no check by hand {manual_id}")
    return "manual", manual.at


async def mark_mitigated(session: AsyncSession, check_id: int) -> int:
    """Mark the cases of an order: something speaks for the unit. Return how many were marked by this."""
    marked = [case for case in await repository.cases_of_check(session, check_id) if not case.mitigated]
    for case in marked:
        case.mitigated = True
    await session.flush()
    return len(marked)
