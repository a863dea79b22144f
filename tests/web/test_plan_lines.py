"""The lines that a plan may call are those that the directory says; they come with what plans go by."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.database import Database
from app.directory.models import CALLED_KINDS, DutyLine, Unit
from app.planning.lines import lines_between

DAY = date(2026, 3, 1)
AT = datetime(2026, 3, 1, tzinfo=UTC)
TIMES: tuple[list[str], ...] = ([], ["08:00"], ["08:00", "17:30"], ["八点"])


async def enter_directory(session: AsyncSession, seed: int) -> None:
    """Units and lines that begin and end about some days, of every kind."""
    drawn = random.Random(seed)

    def day() -> date | None:
        return drawn.choice((None, None, DAY, DAY + timedelta(days=drawn.randint(-3, 12))))

    for key in range(1, 31):
        unit = Unit(
            id=key, code=f"u{key}", name=f"单位{key}", kind=drawn.choice(("", "镇街")), category="town", path=f"{key}/",
            created_at=AT, first_day=day(), last_day=day(), handover_times=drawn.choice(TIMES),
        )  # fmt: skip
        session.add(unit)
        await session.flush()
        for number in range(drawn.randint(0, 3)):
            session.add(
                DutyLine(
                    unit_id=key, number=f"0000{key}{number}", target=f"0000{key}{number}",
                    active=drawn.random() < 0.8, kind=drawn.choice(("duty", "duty", "leader", "fax")),
                    first_day=day(), last_day=day(), verification=drawn.choice(("verified", "pending", "failed")),
                )
            )  # fmt: skip


def spans(row: DutyLine | Unit, first: date, last: date) -> bool:
    return (row.first_day is None or row.first_day <= last) and (
        row.last_day is None or row.last_day >= first
    )


@pytest.mark.parametrize("seed", range(2))
async def test_lines_are_those_of_the_directory(either: Database, seed: int) -> None:
    async with either.unit_of_work() as session:
        await enter_directory(session, seed)
    counts = set()
    async with either.reading() as session:
        query = select(DutyLine).options(joinedload(DutyLine.unit)).order_by(DutyLine.id)
        rows = (await session.scalars(query)).all()
        for first, last in ((0, 0), (0, 5), (-9, -2), (4, 30)):
            days = DAY + timedelta(days=first), DAY + timedelta(days=last)
            expected = [
                (
                    (row.id, row.unit_id, row.kind, row.verification, row.first_day, row.last_day),
                    (row.unit.id, row.unit.code, row.unit.kind, row.unit.category, row.unit.path),
                    (row.unit.first_day, row.unit.last_day, row.unit.handover_times),
                )
                for row in rows
                if row.active and row.kind in CALLED_KINDS and spans(row, *days) and spans(row.unit, *days)
            ]
            found = [
                (
                    (one.id, one.unit_id, one.kind, one.verification, one.first_day, one.last_day),
                    (one.unit.id, one.unit.code, one.unit.kind, one.unit.category, one.unit.path),
                    (one.unit.first_day, one.unit.last_day, list(one.unit.handover_times)),
                )
                for one in await lines_between(session, *days)
            ]
            assert found == expected
            counts.add(len(found))
    assert len(counts) > 1
