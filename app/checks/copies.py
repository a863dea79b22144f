"""Columns of attempts that are copies, for the filters of the list of records, and what fills them.

A filter of that list must lead through one index of the attempts: what stands in other tables (the plan of the check,
where its case stands, what proves the verdict) is copied here, in the unit of work in which it is written there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Index, String, Table, event, inspect, select, text, update
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from app.database import BigId
from sip.record import GRADES

OURS = ("our_side", "cancelled", "interrupted")
"""Verdicts of calls that say nothing of the unit: what happened was ours."""


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


def only(condition: str, sqlite: str = "") -> dict[str, Any]:
    """What makes an index one of the rows that fit a condition alone; `sqlite`: how SQLite writes it, if otherwise."""
    return {"sqlite_where": text(sqlite or condition), "postgresql_where": text(condition)}


def counted_index() -> Index:
    """Of who was covered: random checks that are over and count, by their lines."""
    counted = "kind || state = 'randomdone'"
    kept = only(f"counts AND {counted}", sqlite=f"counts = 1 AND {counted}")
    return Index("ix_spot_checks_counted", "line_id", "first_due_at", **kept)


def recording_indices() -> tuple[Index, ...]:
    """Of recordings that are due, gone, going or there, and of those of a unit; some of them newest first."""
    beside = ("created_at", "id", "unit_id")
    return (
        Index("ix_recordings_due", "keep_until", "gone_why", *beside, **only("gone_at IS NULL")),
        Index("ix_recordings_gone", "gone_why", *beside, **only("gone_why IS NOT NULL")),
        Index("ix_recordings_going", "gone_why", **only("gone_at IS NULL AND gone_why IS NOT NULL")),
        # Of what cases hold: from a call to its sound, without its row.
        Index("ix_recordings_kept", "attempt_id", *beside, "gone_why", **only("gone_why IS NULL")),
        Index("ix_recordings_of_unit", "unit_id", "created_at", "id", "gone_why"),
    )


def fill_counts(check: type[Any], attempt: type[Any]) -> None:
    """Let checks say whether a call of theirs says anything of the unit, whoever judges it."""
    checks: Table = check.__table__
    attempts: Table = attempt.__table__
    telling = select(attempts.c.id).where(
        attempts.c.check_id == checks.c.id,
        attempts.c.verdict_code.is_not(None),
        attempts.c.verdict_code.not_in(OURS),
    )

    def of_attempt(_: Mapper[Any], connection: Connection, row: Any) -> None:
        if inspect(row).attrs.verdict_code.history.has_changes():
            mine = checks.c.id == row.check_id
            # Two calls of a check may be judged at the same time. Whoever comes second waits here, and looks only then:
            # a statement that waits in the middle would still see the calls as they were before.
            connection.execute(select(checks.c.id).where(mine).with_for_update())
            connection.execute(update(checks).where(mine).values(counts=telling.exists()))

    event.listen(attempt, "after_insert", of_attempt)
    event.listen(attempt, "after_update", of_attempt)


def fill_unit(recording: type[Any], attempt: type[Any]) -> None:
    """Let recordings of calls carry the unit that was called, whoever adds them."""
    attempts: Table = attempt.__table__

    def of_recording(_: Mapper[Any], connection: Connection, row: Any) -> None:
        if row.attempt_id is not None and row.unit_id is None:
            called = select(attempts.c.unit_id).where(attempts.c.id == row.attempt_id)
            row.unit_id = connection.scalar(called)

    event.listen(recording, "before_insert", of_recording)


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
