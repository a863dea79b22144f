"""What lists need beside a row's moment: labels in one column, and copies that spare them a join.

A shelf holds the rows whose labels are all alike, `kind|state|code|...`; there are some dozens of shelves among
millions of rows. A list filtered by any labels reads the newest rows of each shelf that fits, through one index, and
merges them: its time does not depend on how rare or how common what was asked for is.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, event, select, update
from sqlalchemy.orm import Mapper

SHELF_LENGTH = 160
ORDER_LABELS = ("kind", "state", "code", "adverse", "needs_review")
ATTEMPT_LABELS = ("kind", "verdict_code", "proposal_code", "needs_review", "grade", "case_state")
_FLAGS = ("adverse", "needs_review")
Labels = dict[str, str | bool | None]


def sql(labels: tuple[str, ...]) -> str:
    """Return the SQL, good for SQLite and PostgreSQL, of the shelf of a row with these columns."""
    return " || '|' || ".join(_written(label) for label in labels)


def _written(label: str) -> str:
    if label in _FLAGS:
        return f"CASE WHEN {label} IS NULL THEN '' WHEN {label} THEN '1' ELSE '0' END"
    return f"coalesce({label}, '')"


def read(shelf: str, labels: tuple[str, ...]) -> Labels:
    """Return the labels of a shelf."""
    flags = {"": None, "0": False, "1": True}
    return {
        label: flags[text] if label in _FLAGS else text or None
        for label, text in zip(labels, shelf.split("|"), strict=True)
    }


def fill_copies(check: type[Any], attempt: type[Any], proposal: type[Any]) -> None:
    """Let rows of these models carry what lists ask for, whoever adds them."""
    checks: Table = check.__table__
    attempts: Table = attempt.__table__
    lines: Table = check.metadata.tables["duty_lines"]

    def of_check(_: Mapper[Any], connection: Connection, row: Any) -> None:
        if row.first_due_at is None:
            row.first_due_at = row.due_at
        if row.unit_id is None:
            row.unit_id = connection.scalar(select(lines.c.unit_id).where(lines.c.id == row.line_id))

    def of_attempt(_: Mapper[Any], connection: Connection, row: Any) -> None:
        if row.kind is None or row.plan_id is None:
            wanted = select(checks.c.kind, checks.c.plan_id).where(checks.c.id == row.check_id)
            kind, plan_id = connection.execute(wanted).one()
            row.kind, row.plan_id = row.kind or kind, row.plan_id or plan_id

    def of_proposal(_: Mapper[Any], connection: Connection, row: Any) -> None:
        if not row.in_force:
            return
        flags = {name: bool(row.content.get(name)) for name in _FLAGS}
        connection.execute(update(checks).where(checks.c.id == row.check_id).values(code=row.code, **flags))
        connection.execute(
            update(attempts).where(attempts.c.check_id == row.check_id).values(proposal_code=row.code)
        )

    event.listen(check, "before_insert", of_check)
    event.listen(attempt, "before_insert", of_attempt)
    event.listen(proposal, "after_insert", of_proposal)
