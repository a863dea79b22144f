"""One step of a case: checked against the table, written by conditional update, with its event and audit line.

Two people may decide at the same time. The update asks for the state and revision that the step was decided on; whoever
comes second changes nothing and is told how the case stands by then.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.accounts.service import LOCAL
from app.errors import ConflictError, Fault, ForbiddenError, NotFoundError
from app.reviews import repository
from app.reviews.copies import copy_review
from app.reviews.models import Case, CaseEvent
from app.reviews.opening import MACHINE
from app.reviews.states import STATE_ZH, STEP_ZH, TRANSITIONS, State, Step, steps_from

CONFIRMING = (Step.PROPOSE.value, Step.CONFIRM.value)
"""Steps by which a person has bound herself to the finding, and is no judge of a dispute about it."""
DECIDING = (Step.DISPUTE.value, Step.UPHOLD.value)


def folded(name: str) -> str:
    """Return a person's name without differences of case, width and space."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def check_named(who: str) -> None:
    """Raise `ForbiddenError` unless a person stands behind it."""
    if folded(who) in ("", folded(LOCAL), folded(MACHINE)):
        raise ForbiddenError(
            "复核的每一步都要由具名人员办理 (each step of a review names the person who takes it)"
        )


async def begin(session: AsyncSession, case_id: int, step: Step, who: str, seen: State | None) -> Case:
    """Return a case on which this person may take this step, as far as the table goes.

    Raises `NotFoundError`, `ForbiddenError` without a name, `ConflictError` that names the state.
    """
    check_named(who)
    case = await repository.case(session, case_id)
    if case is None:
        raise NotFoundError(f"没有事项 {case_id} (no such case)")
    state = State(case.state)
    if (state, step) not in TRANSITIONS or (seen is not None and seen is not state):
        raise conflict(case, step)
    return case


def conflict(case: Case, step: Step) -> ConflictError:
    """Say how a case stands by now and what may be done with it."""
    state = State(case.state)
    possible = "、".join(STEP_ZH[way] for way in steps_from(state)) or "无"
    detail = (
        f"事项 {case.id} 现为“{STATE_ZH[state]}”，不能按所看到的情形“{STEP_ZH[step]}”；可办理：{possible} "
        f"(the case is {state} by now; {step} was not carried out)"
    )
    return ConflictError(detail, [Fault("state", state.value)])


async def take(
    session: AsyncSession, case: Case, step: Step, who: str, content: dict[str, Any], **values: Any
) -> CaseEvent:
    """Carry out a step: state, event and audit line together. Raises `ConflictError` where somebody was faster."""
    source = State(case.state)
    target = TRANSITIONS[source, step]
    now = clock.now()
    if not await repository.move(session, case, {"state": target.value, "changed_at": now, **values}):
        by_now = await repository.case(session, case.id)
        raise conflict(by_now or case, step)
    event = CaseEvent(
        case_id=case.id,
        at=now,
        who=who,
        action=step.value,
        from_state=source.value,
        to_state=target.value,
        content=content,
    )
    session.add(event)
    await session.flush()
    await copy_review(session, case.check_id)
    await audit.record(session, f"case_{step}", f"case:{case.id}", f"{source} -> {target}", who)
    await session.refresh(case)
    return event


async def dispute_open(session: AsyncSession, case: Case) -> bool:
    """Whether the unit has answered with grounds on which nobody has decided yet."""
    last = await repository.last_event(session, case.id, *DECIDING)
    return last is not None and last.action == Step.DISPUTE.value


async def check_other(session: AsyncSession, case: Case, who: str) -> None:
    """Raise `ForbiddenError` where this person confirmed the finding that is in dispute."""
    bound = {
        folded(event.who) for event in await repository.events(session, case.id) if event.action in CONFIRMING
    }
    if folded(who) in bound:
        raise ForbiddenError(
            f"申辩须由认定人以外的人员决定；{who} 是本事项的认定人 "
            "(a dispute is decided by somebody other than the confirmer)"
        )
