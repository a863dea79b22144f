"""What speaks for a unit beside an order (从轻情节): a call back, hanging up to verify us, not telling numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks import proposal_repository as repository
from app.checks.gathering import called_back_in_time, moment_of
from app.checks.models import MITIGATIONS, Attempt, Mitigation, SpotCheck
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.reviews.service import mark_mitigated


async def of_order(session: AsyncSession, check_id: int) -> tuple[Sequence[Mitigation], Sequence[Attempt]]:
    """What was recorded beside an order, and its calls. Raises `NotFoundError`."""
    await _called(session, check_id)
    return await repository.mitigations(session, check_id), await repository.attempts(session, [check_id])


async def record(
    session: AsyncSession,
    check_id: int,
    kind: str,
    at: datetime,
    who: str,
    *,
    number: str = "",
    note: str = "",
) -> tuple[Mitigation, bool]:
    """Record what speaks for the unit; return the row and whether it mitigates. The cases of the order are marked.

    A call back mitigates within ten minutes after the end of a call; later it is recorded all the same. Raises
    `NotFoundError`, `BadInputError` for a moment before the first call or to come, `ConflictError` for a 核号 call.
    """
    if kind not in MITIGATIONS:
        raise BadInputError(
            f"kind takes one of {', '.join(MITIGATIONS)}", [Fault("kind", "is none of these")]
        )
    check = await _called(session, check_id)
    if check.kind == "verification":
        raise ConflictError("a call that verifies a number is never judged: nothing to mitigate")
    attempts = await repository.attempts(session, [check_id])
    _check_moment(at, attempts)
    row = Mitigation(
        check_id=check_id,
        kind=kind,
        at=at,
        number=number,
        note=note,
        recorded_at=clock.now(),
        recorded_by=who,
    )
    session.add(row)
    await session.flush()
    await audit.record(session, "mitigate", f"order:{check_id}", kind, who)
    counts = kind != "called_back" or called_back_in_time(at, attempts)
    if counts:
        await mark_mitigated(session, check_id)
    return row, counts


def _check_moment(at: datetime, attempts: Sequence[Attempt]) -> None:
    if not attempts:
        raise ConflictError("the order was not called yet")
    if at > clock.now():
        raise BadInputError("what mitigates has happened already", [Fault("at", "lies in the future")])
    if at < moment_of(attempts[0]):
        fault = Fault("at", "lies before the first call")
        raise BadInputError("what mitigates happened at the call or after it", [fault])


async def _called(session: AsyncSession, check_id: int) -> SpotCheck:
    check = await repository.order(session, check_id)
    # An order whose moment is still to come is nobody's to know of.
    if check is None or check.state == "planned" or check.first_due_at > clock.now():
        raise NotFoundError(f"there is no order {check_id}")
    return check
