"""By which clauses a finding stands: those of the machine's proposal, or those that a person cites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import BadInputError, Fault
from app.reviews.codes import follows
from app.reviews.models import Case


def of_finding(case: Case, code: str, cited: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the clauses, with their exact words, on which the finding rests.

    The proposal's clauses were chosen for its own code by unit, day and regime; for another code, and for what was
    found by hand, the person cites. Raises `BadInputError` where there is none: no unit is named without a rule that
    binds it.
    """
    if cited:
        return [dict(clause) | {"cited": True} for clause in cited]
    found = [dict(clause) for clause in case.proposal.get("clauses") or ()]
    if not found or not follows(case.code, code):
        raise BadInputError(
            "没有约束该单位的条款支持这一事由，请引用条款 (no clause of the proposal supports this code: cite one)",
            [Fault("clauses", "takes source, article and exact words")],
        )
    return found
