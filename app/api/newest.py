"""The newest rows that pass several filters, in a time that does not grow with the table.

Neither SQLite nor PostgreSQL merges the ranges of one index by itself: asked for the newest rows of some units, a
planner either reads all of theirs and sorts, or goes through everybody's from the newest on. Both take a second among a
million rows where the guess is wrong. So the reading is laid down here:

1. A glance at the newest rows of all. Common filters fill their page from it.
2. Else what is asked for is rare among them. Of the groups by which it can be found (units, labels, a plan) the
   smallest is taken; the newest rows of each of its values are read from that group's index, and merged.

The statements are written out because the shape is the point: SQLite is told the index, PostgreSQL gets a LATERAL join.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, String, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.principal import limits
from app.database import UtcDateTime
from app.directory.models import Unit

GLANCE_ROWS = 3_000
"""About 5 ms of either database. Filters that fit one row in 50 fill a page from these."""
COUNT_ROWS = 50_000
"""Groups are counted up to here: beyond, one is as good as the other."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list: the last row seen."""

    at: datetime
    key: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """A table that is listed by a moment and a key, and its index of all rows in that order."""

    table: str
    at: str
    index: str


@dataclass(frozen=True, slots=True)
class Group:
    """A filter that an index leads to: the column is one of some values, or a unit in a subtree."""

    column: str
    index: str
    """Begins with the column, then the moment and the key."""
    values: Sequence[int] | Sequence[str] = ()
    below: str | None = None
    """Path of a subtree's head, in place of values; the column is a unit's key."""

    def rows(self, name: str) -> str:
        """The condition on a row, its values under this name."""
        if self.below is not None:
            return f"{self.column} IN (SELECT id FROM units WHERE path LIKE :{name})"
        return f"{self.column} IN :{name}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: groups that a row must belong to, a time, a place after which the page begins."""

    groups: Sequence[Group] = ()
    since: datetime | None = None
    until: datetime | None = None
    """Rows before this moment."""
    after: Place | None = None
    ascending: bool = False
    """Oldest first: the page after `after` is that of newer rows."""

    @property
    def order(self) -> str:
        """The direction in which rows come."""
        return "ASC" if self.ascending else "DESC"


async def newest(session: AsyncSession, ledger: Ledger, asked: Asked, limit: int) -> Sequence[int]:
    """Return the keys of the newest rows that belong to all groups, newest first, `limit` of them at most.

    Asked for in ascending order, of the oldest, oldest first.

    Rows of units out of the reader's scope are none of them.
    """
    if limits() is not None:
        # The scope is in this query, as in every other one.
        units = (await session.scalars(select(Unit.id))).all()
        in_scope = Group("unit_id", f"ix_{ledger.table}_of_unit", units)
        asked = replace(asked, groups=[*asked.groups, in_scope])
    if any(group.below is None and not group.values for group in asked.groups):
        return []
    found = await _glance(session, ledger, asked, limit)
    if found is not None:
        return found
    if not asked.groups:
        return await _read(session, _all(ledger, asked), asked, None, limit)
    leading = await _smallest(session, ledger, asked)
    if leading is None:
        return []
    make = _sqlite if _is_sqlite(session) else _postgresql
    return await _read(session, make(ledger, asked, leading), asked, leading, limit)


async def _glance(session: AsyncSession, ledger: Ledger, asked: Asked, limit: int) -> Sequence[int] | None:
    """The page, where the newest rows of all fill it; else None."""
    columns = {"id", ledger.at, *(group.column for group in asked.groups)}
    told = f"INDEXED BY {ledger.index}" if _is_sqlite(session) else ""
    statement = (
        f"SELECT id FROM (SELECT {', '.join(sorted(columns))} FROM {ledger.table} {told} "
        f"WHERE {_time(ledger, asked)} "
        f"ORDER BY {ledger.at} {asked.order}, id {asked.order} LIMIT :glance) AS newest_rows "
        f"WHERE {_fits(asked)} ORDER BY {ledger.at} {asked.order}, id {asked.order} LIMIT :limit"
    )
    values = _values(asked, None) | {"glance": GLANCE_ROWS, "limit": limit}
    rows = (await session.scalars(_bound(statement, values), values)).all()
    return rows if len(rows) == limit else None


def _all(ledger: Ledger, asked: Asked) -> str:
    return (
        f"SELECT id FROM {ledger.table} WHERE {_time(ledger, asked)} AND {_fits(asked)} "
        f"ORDER BY {ledger.at} {asked.order}, id {asked.order} LIMIT :limit"
    )


def _sqlite(ledger: Ledger, asked: Asked, leading: Group) -> str:
    # With one range of the index for each value, SQLite leaves a range as soon as no row of it can come in any more.
    return (
        f"SELECT id FROM {ledger.table} INDEXED BY {leading.index} WHERE {leading.rows('leading')} "
        f"AND {_time(ledger, asked)} AND {_fits(asked, leading)} "
        f"ORDER BY {ledger.at} {asked.order}, id {asked.order} LIMIT :limit"
    )


def _postgresql(ledger: Ledger, asked: Asked, leading: Group) -> str:
    return (
        f"SELECT rows_of_it.id FROM ({_listed(leading)}) AS heads CROSS JOIN LATERAL "
        f"(SELECT id, {ledger.at} FROM {ledger.table} WHERE {leading.column} = heads.value "
        f"AND {_time(ledger, asked)} AND {_fits(asked, leading)} "
        f"ORDER BY {ledger.at} {asked.order}, id {asked.order} LIMIT :limit) AS rows_of_it "
        f"ORDER BY rows_of_it.{ledger.at} {asked.order}, rows_of_it.id {asked.order} LIMIT :limit"
    )


def _listed(group: Group) -> str:
    if group.below is not None:
        return "SELECT id AS value FROM units WHERE path LIKE :leading"
    return "SELECT unnest(:leading) AS value"


async def _smallest(session: AsyncSession, ledger: Ledger, asked: Asked) -> Group | None:
    """The group with the fewest rows in the time that is asked for; the first of those beyond counting.

    None where one has none at all: then nothing fits, and no planner is trusted to see that.
    """
    if len(asked.groups) == 1:
        return asked.groups[0]
    counts = [await _count(session, ledger, asked, group) for group in asked.groups]
    if not min(counts):
        return None
    return asked.groups[counts.index(min(counts))]


async def _count(session: AsyncSession, ledger: Ledger, asked: Asked, group: Group) -> int:
    if _is_sqlite(session):
        rows = (
            f"SELECT 1 FROM {ledger.table} INDEXED BY {group.index} "
            f"WHERE {group.rows('leading')} AND {_time(ledger, asked)} LIMIT :most"
        )
    else:
        rows = (
            f"SELECT 1 FROM ({_listed(group)}) AS heads CROSS JOIN LATERAL (SELECT 1 FROM {ledger.table} "
            f"WHERE {group.column} = heads.value AND {_time(ledger, asked)} LIMIT :most) AS one LIMIT :most"
        )
    alone = replace(asked, groups=())
    values = _values(alone, group) | {"most": COUNT_ROWS}
    statement = _bound(f"SELECT count(*) FROM ({rows}) AS counted", values)
    return int((await session.execute(statement, values)).scalar_one())


async def _read(
    session: AsyncSession, statement: str, asked: Asked, leading: Group | None, limit: int
) -> Sequence[int]:
    values = _values(asked, leading) | {"limit": limit}
    return (await session.scalars(_bound(statement, values), values)).all()


def _time(ledger: Ledger, asked: Asked) -> str:
    parts = []
    if asked.since is not None and not _place_begins(asked):
        parts.append(f"{ledger.at} >= :since")
    if asked.until is not None and not _place_bounds(asked):
        parts.append(f"{ledger.at} < :until")
    if asked.after is not None:
        # The first condition says nothing new, but only by it SQLite leaves each range of an index at the place:
        # by the pair alone it goes through all of the range where the leading column has several values.
        beyond = ">" if asked.ascending else "<"
        parts.append(
            f"{ledger.at} {beyond}= :after_at AND ({ledger.at}, id) {beyond} (:after_at, :after_key)"
        )
    return " AND ".join(parts) or "1 = 1"


def _place_bounds(asked: Asked) -> bool:
    """Whether all rows after the place are before `until` anyway: of two upper bounds SQLite may use the wrong one."""
    if asked.after is None or asked.until is None or asked.ascending:
        return False
    return asked.after.at < asked.until


def _place_begins(asked: Asked) -> bool:
    """The same of `since`, where rows come oldest first."""
    return (
        asked.ascending
        and asked.after is not None
        and asked.since is not None
        and asked.after.at >= asked.since
    )


def _fits(asked: Asked, leading: Group | None = None) -> str:
    parts = [
        group.rows(f"group_{number}") for number, group in enumerate(asked.groups) if group is not leading
    ]
    return " AND ".join(parts) or "1 = 1"


def _values(asked: Asked, leading: Group | None) -> dict[str, Any]:
    given = {
        "since": None if _place_begins(asked) else asked.since,
        "until": None if _place_bounds(asked) else asked.until,
    }
    values: dict[str, Any] = {name: moment for name, moment in given.items() if moment is not None}
    if asked.after is not None:
        values |= {"after_at": asked.after.at, "after_key": asked.after.key}
    for number, group in enumerate(asked.groups):
        if group is not leading:
            values[f"group_{number}"] = _value(group)
    if leading is not None:
        values["leading"] = _value(leading)
    return values


def _value(group: Group) -> Any:
    return f"{group.below}%" if group.below is not None else list(group.values)


def _bound(statement: str, values: Mapping[str, Any]) -> TextClause:
    """The statement with the types of its values; lists are written out, but for PostgreSQL's leading one."""
    found = text(statement)
    for name, value in values.items():
        if isinstance(value, datetime):
            found = found.bindparams(bindparam(name, type_=UtcDateTime()))
        elif isinstance(value, int):
            found = found.bindparams(bindparam(name, type_=BigInteger()))
        elif isinstance(value, list):
            kind = String() if isinstance(value[0], str) else BigInteger()
            if f"unnest(:{name})" in statement:
                found = found.bindparams(bindparam(name, type_=ARRAY(kind)))
            else:
                found = found.bindparams(bindparam(name, type_=kind, expanding=True))
    return found


def _is_sqlite(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "sqlite"
