"""Where the case of a check stands and who decided it, copied to its calls for the list of records.

Of several cases of one check the one speaks that says most against the unit; the person is whoever last bound herself
to it or took it back, and empty as long as nobody has.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, event, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper

from app.checks.models import Attempt
from app.reviews.models import Case, CaseEvent
from app.reviews.opening import MACHINE
from app.reviews.states import State, Step

SPEAKS = (
    State.PUBLISHED,
    State.CONFIRMED,
    State.DISPUTED,
    State.NOTIFIED,
    State.PROPOSED,
    State.TO_REVIEW,
    State.OVERTURNED,
    State.REVOKED,
)
"""Of several cases the first of these states speaks."""
DECISIONS = (Step.PROPOSE, Step.CONFIRM, Step.UPHOLD, Step.REVOKE, Step.OVERTURN)
"""Steps by which a person has said yes or no."""
_ATTEMPTS: Table = Attempt.__table__  # type: ignore[assignment]


async def copy_review(session: AsyncSession, check_id: int | None) -> None:
    """Let the calls of a check say how its case stands by now."""
    if check_id is None:
        return
    rows = (await session.execute(select(Case.id, Case.state).where(Case.check_id == check_id))).all()
    if not rows:
        return
    case_id, state = min(rows, key=lambda row: (SPEAKS.index(State(row[1])), row[0]))
    query = (
        select(CaseEvent.who)
        .where(
            CaseEvent.case_id == case_id,
            CaseEvent.action.in_([step.value for step in DECISIONS]),
            CaseEvent.who != MACHINE,
        )
        .order_by(CaseEvent.id.desc())
        .limit(1)
    )
    values = {"case_state": state, "reviewer": await session.scalar(query)}
    await session.execute(update(_ATTEMPTS).where(_ATTEMPTS.c.check_id == check_id).values(**values))


def _of_new_case(_: Mapper[Case], connection: Connection, row: Case) -> None:
    if row.check_id is None:
        return
    state = _ATTEMPTS.c.case_state
    # One that was taken back says nothing beside a new one.
    silent = SPEAKS[SPEAKS.index(State(row.state)) + 1 :]
    mine = (_ATTEMPTS.c.check_id == row.check_id, or_(state.is_(None), state.in_(silent)))
    connection.execute(update(_ATTEMPTS).where(*mine).values(case_state=row.state, reviewer=None))


event.listen(Case, "after_insert", _of_new_case)
