"""By which clauses a finding stands: those of the machine's proposal, or those that a person cites for another code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.reviews.models import Case


def of_finding(case: Case, code: str, cited: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the clauses, with their exact words, on which the finding rests.

    The proposal's clauses were chosen for its own code by unit, day and regime. For another code the person cites.
    """
    if cited:
        return [dict(clause) | {"cited": True} for clause in cited]
    return [dict(clause) for clause in case.proposal.get("clauses") or ()] if code == case.code else []
