"""Enters many new units, lines and people at once.

What the verbs of the directory do one by one, with the same outcome: a statement for each of ten thousand rows would
hold SQLite's one writer, and with it every call, for minutes. The comparison has looked at what the verbs look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.directory.models import CALLED_KINDS, DutyLine, LineUnit, Person, Unit, UnitRegime
from app.directory.numbers import checked_target, key_of
from app.imports.changes import Change


async def enter_units(
    session: AsyncSession, changes: Sequence[Change], units: dict[str, Unit], levels: Mapping[str, int]
) -> None:
    """Enter new units into `units`, by code, those above first; `levels` says how deep each one lies."""
    now = clock.now()
    waiting = sorted(changes, key=lambda change: levels[change.values["code"]])
    while waiting:
        level = levels[waiting[0].values["code"]]
        ripe = [change for change in waiting if levels[change.values["code"]] == level]
        waiting = waiting[len(ripe) :]
        for change in ripe:
            values = change.values
            parent = units[values["parent"]] if values["parent"] else None
            units[values["code"]] = Unit(
                code=values["code"],
                name=values["name"],
                kind=values["kind"],
                category=values["category"],
                handover_times=list(values["handover"]),
                first_day=values["first_day"],
                last_day=values["last_day"],
                parent_id=None if parent is None else parent.id,
                created_at=now,
            )
            session.add(units[values["code"]])
        # Paths hold the keys, which the database gives.
        await session.flush()
        for change in ripe:
            unit = units[change.values["code"]]
            parent = units[change.values["parent"]] if change.values["parent"] else None
            unit.path = f"{'' if parent is None else parent.path}{unit.id}/"
    await session.flush()


async def enter_lines(
    session: AsyncSession, changes: Sequence[Change], units: Mapping[str, Unit]
) -> list[DutyLine]:
    """Enter new lines; those that checks call await their 核号 call. Raises `BadInputError`."""
    now = clock.now()
    rows = []
    for change in changes:
        values = change.values
        target = checked_target(values["target"])
        rows.append(
            DutyLine(
                unit_id=units[unit_code(change)].id,
                name=values["name"],
                number=values["number"],
                target=target,
                number_key=key_of(target),
                kind=values["kind"],
                trunk=values["trunk"] or None,
                active=values["active"],
                verification="pending" if values["kind"] in CALLED_KINDS else "verified",
                target_since=now,
                first_day=values["first_day"],
                last_day=values["last_day"],
                pilot_numbers=list(values["pilots"]),
            )
        )
    session.add_all(rows)
    await session.flush()
    session.add_all(
        LineUnit(line_id=row.id, unit_id=units[code].id)
        for row, change in zip(rows, changes, strict=True)
        for code in change.values["shared"]
    )
    await session.flush()
    return rows


async def enter_people(session: AsyncSession, changes: Sequence[Change], units: Mapping[str, Unit]) -> None:
    """Enter new people."""
    session.add_all(Person(unit_id=units[unit_code(change)].id, **change.values) for change in changes)
    await session.flush()


async def enter_regimes(session: AsyncSession, changes: Sequence[Change], units: Mapping[str, Unit]) -> None:
    """Enter new regimes; that none overlap was seen by the comparison."""
    session.add_all(UnitRegime(unit_id=units[unit_code(change)].id, **change.values) for change in changes)
    await session.flush()


def unit_code(change: Change) -> str:
    """The code of the unit that a change is of."""
    return "" if change.unit is None else change.unit.code
