"""Columns of attempts that are copies, for the filters of the list of records, and what fills them.

A filter of that list must lead through one index of the attempts: what stands in other tables (the plan of the check,
where its case stands, what proves the verdict) is copied here, in the unit of work in which it is written there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Index, String, Table, event, update
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.database import BigId
from sip.record import GRADES


class ListCopies:
    """The columns, for the model of attempts."""

    kind: Mapped[str] = mapped_column(String(20), server_default="designated")
    """Of its check."""
    proposal_code: Mapped[str | None] = mapped_column(String(40))
    """Of its check's proposal under the rules in force."""
    plan_id: Mapped[int | None] = mapped_column(BigId)
    """Of its check."""
    case_state: Mapped[str | None] = mapped_column(String(20))
    """Where its check's case stands (`app.reviews.copies`); None: there is no case."""
    reviewer: Mapped[str | None] = mapped_column(String(80))
    """Who decided that case last; None as long as nobody has."""
    grade: Mapped[str | None] = mapped_column(String(20))
    """Of the evidence of what names its newest verdict."""
    sign: Mapped[str | None] = mapped_column(String(40))
    """Kind of the strongest sign of forwarding among its facts."""


def indices() -> tuple[Index, ...]:
    """An index for each of the columns that is no label of a shelf, with what filters beside it read."""
    names = {"plan_id": "ix_attempts_of_plan", "reviewer": "ix_attempts_reviewer", "sign": "ix_attempts_sign"}
    return tuple(
        Index(name, column, "claimed_at", "id", "shelf", "unit_id") for column, name in names.items()
    )


def fill_evidence(attempt: type[Any], verdict: type[Any], facts: type[Any]) -> None:
    """Let attempts carry the grade and the kind of what speaks in their verdicts and facts, whoever adds those."""
    attempts: Table = attempt.__table__

    def of_verdict(_: Mapper[Any], connection: Connection, row: Any) -> None:
        grade = grade_of(row.content)
        connection.execute(update(attempts).where(attempts.c.id == row.attempt_id).values(grade=grade))

    event.listen(verdict, "after_insert", of_verdict)
    fill_signs(attempt, facts)


def fill_signs(attempt: type[Any], facts: type[Any]) -> None:
    """Let attempts carry the kind of the strongest sign of forwarding in facts of theirs."""
    attempts: Table = attempt.__table__

    def of_facts(_: Mapper[Any], connection: Connection, row: Any) -> None:
        sign = sign_of(row.content)
        connection.execute(update(attempts).where(attempts.c.id == row.attempt_id).values(sign=sign))

    event.listen(facts, "after_insert", of_facts)
    event.listen(facts, "after_update", of_facts)


def grade_of(content: Mapping[str, Any]) -> str | None:
    """The grade of what names a verdict; None where it is of none."""
    findings = content.get("findings") or ()
    named = next((item for item in findings if item.get("code") == content.get("code")), None)
    grade = (named or {}).get("grade")
    return None if grade in (None, "none") else str(grade)


def sign_of(content: Mapping[str, Any]) -> str | None:
    """The kind of the strongest sign of forwarding in a call's facts; the first of those alike, None without any."""
    signs = (content.get("forwarding") or {}).get("evidence") or ()
    known = [item for item in signs if item.get("grade") in GRADES]
    return str(max(known, key=lambda item: GRADES.index(item["grade"]))["kind"]) if known else None
