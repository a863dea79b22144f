"""What the machine does with cases of its own that nobody has looked at: it withdraws them, or says that it differs.

A person's case is never touched. Verbs never commit: the caller's unit of work does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.reviews import repository, steps
from app.reviews.models import Case, CaseEvent
from app.reviews.opening import MACHINE
from app.reviews.states import State, Step

DIFFERS = "machine_differs"
"""Action of an event that is no step: the machine reads the calls otherwise by now (机器意见不同)."""
CAUSE = "new_facts"
ENDS = (State.REVOKED, State.OVERTURNED)


def untouched(case: Case) -> bool:
    """Whether no person has done anything with a case yet."""
    return case.state == State.TO_REVIEW.value and case.revision == 0


async def withdrawn_by_machine(session: AsyncSession, case: Case) -> bool:
    """Whether the machine itself has withdrawn a case, and no person ever touched it."""
    if case.state != State.REVOKED.value:
        return False
    taken = await repository.last_event(session, case.id, Step.REVOKE.value)
    return taken is not None and taken.who == MACHINE and case.revision == 1


async def withdraw(session: AsyncSession, case: Case, reason: str) -> None:
    """Revoke a case that nobody has looked at. Raises `ConflictError` where somebody just did."""
    content = {"cause": CAUSE, "reason": reason}
    await steps.take(session, case, Step.REVOKE, MACHINE, content, end_cause=CAUSE)


async def say_differs(session: AsyncSession, case: Case, told: Mapping[str, Any]) -> None:
    """Let a case show that the machine reads its order otherwise now; nothing else of it changes.

    Said once as long as the machine's opinion stays the same.
    """
    last = await repository.last_event(session, case.id, DIFFERS)
    if last is not None and last.content == dict(told):
        return
    session.add(
        CaseEvent(
            case_id=case.id,
            at=clock.now(),
            who=MACHINE,
            action=DIFFERS,
            from_state=case.state,
            to_state=case.state,
            content=dict(told),
        )
    )
    await audit.record(session, f"case_{DIFFERS}", f"case:{case.id}", str(told.get("code", "")), MACHINE)
