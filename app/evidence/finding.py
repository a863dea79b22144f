"""Which recordings the list shows: the keys of a page, in a time that does not grow with the table.

Most recordings are gone after some years and few are held or due; of one unit there are few of either kind. No planner
knows that the newest ones are the ones that are kept, so each filter is led through its own index (as in
`app.api.newest`), and rows are read once their keys are known.

What stands here in SQL holds the reader's scope itself: the rows of units out of scope are none of those found. Reports
(`unit_id` empty) are found by the phone records that name a unit, beside (`app.evidence.repository`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, TextClause, bindparam, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import limits
from app.api.newest import Asked, Group, Ledger, Place, newest
from app.checks.listing import unit_group
from app.database import UtcDateTime
from app.directory.models import Unit
from app.evidence.holding import FLOOR, OPEN_CASES
from app.reviews.models import COUNTING

RECORDINGS = Ledger("recordings", "created_at", "ix_recordings_created_at_id")
WHYS = ("expired", "removed", "withdrawn")
"""How a recording may be gone, `Recording.gone_why`."""
_STANDING = """
    standing(check_id) AS MATERIALIZED (
        SELECT check_id FROM cases WHERE state IN :open AND check_id IS NOT NULL
        UNION
        SELECT check_id FROM cases WHERE state IN :decided AND changed_at > :decided_since AND check_id IS NOT NULL
    )
"""
# From the cases to their calls to the recordings, each by its index: joined at will, a planner reads all recordings.
_OF_CASES_SQLITE = """
    SELECT r.id, r.created_at, r.unit_id FROM standing CROSS JOIN attempts AS a ON a.check_id = standing.check_id
    CROSS JOIN recordings AS r INDEXED BY ix_recordings_kept ON r.attempt_id = a.id WHERE r.gone_why IS NULL
    AND {units}
"""
_OF_CASES_POSTGRESQL = """
    SELECT r.id, r.created_at, r.unit_id FROM standing
    CROSS JOIN LATERAL (SELECT id FROM attempts AS a WHERE check_id = standing.check_id AND {units} OFFSET 0) AS a
    CROSS JOIN LATERAL (
        SELECT id, created_at, unit_id FROM recordings WHERE attempt_id = a.id AND gone_why IS NULL OFFSET 0
    ) AS r
"""
_HELD = """
    WITH {standing}, found AS MATERIALIZED (
        {of_cases}
        UNION
        SELECT id, created_at, unit_id FROM recordings WHERE gone_why IS NULL AND id IN (
            SELECT recording_id FROM recording_holds WHERE lifted_at IS NULL
            UNION
            SELECT recording_id FROM phone_records WHERE state = 'draft' AND recording_id IS NOT NULL
        )
    )
"""
_DUE = """
    WITH found AS MATERIALIZED (
        SELECT id, created_at, unit_id FROM recordings WHERE keep_until <= :due AND gone_at IS NULL
    )
"""
_PAGE = "SELECT id FROM found WHERE {conditions} ORDER BY created_at DESC, id DESC LIMIT :limit"


async def held(
    session: AsyncSession, asked: Asked, head: Unit | None, now: datetime, limit: int
) -> Sequence[int]:
    """Keys of the newest recordings that something keeps (`app.evidence.holding.held`), of a subtree or of all."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    found = _HELD.lstrip().format(
        standing=_STANDING, of_cases=_OF_CASES_SQLITE if sqlite else _OF_CASES_POSTGRESQL
    )
    values = {"open": list(OPEN_CASES), "decided": list(COUNTING), "decided_since": now - FLOOR}
    return await _page(session, found, values, asked, head, limit)


async def due(
    session: AsyncSession, asked: Asked, head: Unit | None, at: datetime, limit: int
) -> Sequence[int]:
    """Keys of the newest recordings whose time is over at a moment and that are still there."""
    return await _page(session, _DUE, {"due": at}, asked, head, limit)


async def of_groups(
    session: AsyncSession, asked: Asked, head: Unit | None, whys: Sequence[str], limit: int
) -> Sequence[int]:
    """Keys of the newest recordings of a subtree or of all, and of those that went in one of some ways, where given."""
    groups: list[Group] = []
    if whys:
        groups.append(Group("gone_why", "ix_recordings_gone", tuple(whys)))
    if head is not None:
        below = await unit_group(session, RECORDINGS, head.id, alone=False)
        if below is None:
            return []
        groups.append(below)
    return await newest(session, RECORDINGS, Asked(groups, asked.since, asked.until, asked.after), limit)


def asked_of(since: datetime | None, until: datetime | None, after: tuple[datetime, int] | None) -> Asked:
    """The time and the place of a page."""
    return Asked((), since, until, None if after is None else Place(*after))


async def _page(
    session: AsyncSession, found: str, given: Mapping[str, Any], asked: Asked, head: Unit | None, limit: int
) -> Sequence[int]:
    values = dict(given) | {"limit": limit}
    units = await _units(session, head, values)
    conditions = [f"unit_id IN {listed}" for listed in units]
    # Whose calls these are is asked before their recordings are looked up. The plus keeps SQLite from looking each
    # check up once for every unit of a county, in the index that has both.
    of_calls = " AND ".join(f"+a.unit_id IN {listed}" for listed in units) or "1 = 1"
    if asked.since is not None:
        conditions.append("created_at >= :since")
        values["since"] = asked.since
    if asked.until is not None:
        conditions.append("created_at < :until")
        values["until"] = asked.until
    if asked.after is not None:
        conditions.append("(created_at, id) < (:after_at, :after_key)")
        values |= {"after_at": asked.after.at, "after_key": asked.after.key}
    statement = found.format(units=of_calls) + _PAGE.format(conditions=" AND ".join(conditions) or "1 = 1")
    return (await session.scalars(_bound(statement, values), values)).all()


async def _units(session: AsyncSession, head: Unit | None, values: dict[str, Any]) -> list[str]:
    """The units of a subtree and those in scope, as SQL whose values are added to the others."""
    found = []
    if head is not None:
        found.append("(SELECT id FROM units WHERE path LIKE :below)")
        values["below"] = f"{head.path}%"
    if limits() is not None:
        found.append(":scope")
        # No unit has this key: nobody's list is empty.
        values["scope"] = [0, *await session.scalars(select(Unit.id))]
    return found


def _bound(statement: str, values: Mapping[str, Any]) -> TextClause:
    """The statement with the types of its values."""
    found = text(statement)
    for name, value in values.items():
        if isinstance(value, datetime):
            found = found.bindparams(bindparam(name, type_=UtcDateTime()))
        elif isinstance(value, Sequence) and not isinstance(value, str):
            kind = String() if isinstance(value[0], str) else BigInteger()
            found = found.bindparams(bindparam(name, type_=kind, expanding=True))
    return found
