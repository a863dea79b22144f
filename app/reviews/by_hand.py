"""Cases that a person opens: somebody has heard in a call what the machine did not put forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import proposal_repository
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.reviews import repository, steps
from app.reviews.codes import confirmable, title_of
from app.reviews.models import Case
from app.reviews.opening import open_case

_KEPT = ("rule_set", "rules", "document", "limits", "day", "regime", "roster", "exempted", "mitigations")
"""What the machine's proposal for the order says of its circumstances, whatever code it has."""


async def open_by_person(
    session: AsyncSession,
    check_id: int,
    code: str,
    reason: str,
    cited: Sequence[Mapping[str, Any]],
    who: str,
) -> Case:
    """Open the case of an order that is closed, with a finding code and the clauses that the person cites.

    It begins where the machine's own do: nobody has confirmed it yet. Raises `NotFoundError`, `ForbiddenError` without
    a name, `BadInputError` for a code that is no finding or no reason, `ConflictError` where the order is still under
    way, was never called, verifies a number, or has this case already.
    """
    steps.check_named(who)
    check = await repository.check(session, check_id)
    if check is None or not check.attempts:
        raise NotFoundError(f"没有抽查 {check_id} (no such order)")
    if check.kind == "verification" or check.closed_at is None:
        raise ConflictError(
            "核号通话和尚未结束的抽查不能提出事项 (no case can come of this order, or not yet)"
        )
    if code not in confirmable(by_hand=False):
        raise BadInputError(
            f"“{code}”不是可认定的事由 (not a finding code)", [Fault("code", "not a finding code")]
        )
    if not reason.strip():
        raise BadInputError("须说明理由 (say what was heard)", [Fault("reason", "is empty")])
    known = await repository.case_of(session, code, check_id, None)
    if known is not None:
        raise ConflictError(f"本次抽查已有该事由的事项 {known.id} (there is this case already)")
    stored = (await proposal_repository.in_force(session, [check_id])).get(check_id)
    circumstances = {name: stored.content[name] for name in _KEPT if name in stored.content} if stored else {}
    proposal = circumstances | {
        "schema": "dutyring.proposal/1",
        "code": code,
        "title_zh": title_of(code),
        "adverse": True,
        "needs_review": True,
        "grade": "none",
        "points": None,
        "clauses": [dict(clause) | {"cited": True} for clause in cited],
        "reasons": [reason],
        "by": who,
    }
    return await open_case(
        session, unit_id=check.unit_id, code=code, proposal=proposal, check_id=check_id, who=who
    )
