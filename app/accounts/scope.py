"""What an account may see of the tree, put into every query: what is out of scope is not in the SQL result.

An account for a part of the tree reads through sessions whose SELECTs all carry a condition on the unit of each row
(`with_loader_criteria`), joins and loaded relations included. Statements written as text put the condition in
themselves (`app/api/newest.py`). Accounts for the whole tree, the phone process and the command line read as before.
What must see every unit whoever asks, e.g. whether a code is taken, runs with `execution_options(every_unit=True)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, false, or_, select
from sqlalchemy.event import listens_for
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from app.accounts.principal import Scope, limits
from app.answers.models import AnswerItem
from app.checks.models import (
    Attempt,
    AttemptEvent,
    AttemptTarget,
    CallFacts,
    Mitigation,
    Recording,
    SpotCheck,
    StoredProposal,
    StoredVerdict,
)
from app.directory.models import (
    Confirmation,
    DutyLine,
    LineUnit,
    NumberChange,
    Person,
    Unit,
    UnitExemption,
    UnitRegime,
)
from app.planning.models import ManualCheck
from app.reviews.models import Case
from app.rosters.models import Roster, Whereabouts
from app.transcripts.models import CallReading, TranscriptPiece

UNITS = Unit.__table__
BY_UNIT = (
    Attempt,
    Case,
    Confirmation,
    LineUnit,
    ManualCheck,
    NumberChange,
    Person,
    Roster,
    SpotCheck,
    TranscriptPiece,
    UnitExemption,
    UnitRegime,
    Whereabouts,
)
"""Models with a `unit_id` of their own."""
BY_ATTEMPT = (AnswerItem, AttemptEvent, AttemptTarget, CallFacts, CallReading, Recording, StoredVerdict)
BY_CHECK = (Mitigation, StoredProposal)


def within(scope: Scope) -> ColumnElement[bool]:
    """The condition on a row of `units`, as a table, to be in scope."""
    parts = [UNITS.c.path.startswith(path, autoescape=True) for path in scope.paths]
    return or_(*parts) if parts else false()


def unit_ids(scope: Scope) -> Select[tuple[int]]:
    """The keys of the units in scope, for `IN (...)`."""
    return select(UNITS.c.id).where(within(scope))


@lru_cache(maxsize=256)
def criteria(scope: Scope) -> Sequence[Any]:
    """The conditions of every model that belongs to a unit."""
    ids = unit_ids(scope)
    attempts, checks = Attempt.__table__, SpotCheck.__table__
    paths = [Unit.path.startswith(path, autoescape=True) for path in scope.paths]
    shared = select(LineUnit.__table__.c.line_id).where(LineUnit.__table__.c.unit_id.in_(ids))
    conditions: list[tuple[Any, Any]] = [
        (Unit, or_(*paths) if paths else false()),
        (DutyLine, or_(DutyLine.unit_id.in_(ids), DutyLine.id.in_(shared))),
    ]
    conditions += [(model, model.unit_id.in_(ids)) for model in BY_UNIT]
    conditions += [
        (
            model,
            select(attempts.c.id)
            .where(attempts.c.id == model.attempt_id, attempts.c.unit_id.in_(ids))
            .correlate(model)
            .exists(),
        )
        for model in BY_ATTEMPT
    ]
    conditions += [
        (
            model,
            select(checks.c.id)
            .where(checks.c.id == model.check_id, checks.c.unit_id.in_(ids))
            .correlate(model)
            .exists(),
        )
        for model in BY_CHECK
    ]
    return tuple(
        with_loader_criteria(model, condition, include_aliases=True) for model, condition in conditions
    )


@listens_for(Session, "do_orm_execute")
def _limit(state: ORMExecuteState) -> None:
    scope = limits()
    if scope is None or not state.is_select or state.execution_options.get("every_unit"):
        return
    state.statement = state.statement.options(*criteria(scope))
