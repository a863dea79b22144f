"""A small office for the tests of planning: units with verified lines, approved prompts, an API client."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import numpy as np
import soundfile
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from app.checks.models import Attempt, SpotCheck
from app.database import Database
from app.directory import service as directory
from app.directory.models import DutyLine, Unit
from app.planning import prompts, repository, sealed, service
from app.planning.clockwork import Planner
from app.planning.draw import DrawnSlot, draw
from app.planning.draw_inputs import DrawInputs
from app.planning.models import CalendarChange, CalendarDay, DrawSkip, PlanRun
from app.planning.spec import PlanSpec
from app.sealing import sealer
from app.settings import Settings
from tests.web.apps import make_app

WHO = {"X-DutyRing-Actor": "clerk"}
BOSS = {"X-DutyRing-Actor": "boss"}
MORNING = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)
"""Wednesday, 10:00 in Shanghai."""


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> datetime:
        self.at += timedelta(**by)
        return self.at


def tone(seconds: float = 2.0, rate: int = 8000, form: str = "WAV", silent_s: float = 0.0) -> bytes:
    """A sound file: silence, then a tone."""
    time_s = np.arange(int(seconds * rate)) / rate
    samples = 0.5 * np.sin(2 * np.pi * 440 * time_s) * (time_s >= silent_s)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=form)
    return buffer.getvalue()


async def enter_lines(
    database: Database, count: int, *, verified: bool = True
) -> list[tuple[Unit, DutyLine]]:
    """Enter units with one line each."""
    found = []
    async with database.unit_of_work() as session:
        for number in range(1, count + 1):
            unit = await directory.add_unit(session, f"U{number:04}", f"单位{number}")
            line = await directory.add_line(
                session, unit, f"0917-3{number:06}", f"sip:{number}@127.0.0.1:5062", verified=verified
            )
            found.append((unit, line))
    return found


async def enter_prompts(database: Database, settings: Settings) -> tuple[int, int]:
    """Enter and approve the shipped opening and closing; return their keys."""
    async with database.unit_of_work() as session:
        added = await prompts.add_shipped(session, settings.data_dir, "clerk")
        for prompt in added:
            await prompts.approve(session, prompt.id, "boss")
        return added[0].id, added[1].id


@cache
def _service() -> FastAPI:
    """The whole service, made once: what it works on is given to it by each test."""
    return make_app(Settings(phone_process=False, allowed_hosts=("testserver",)))


@asynccontextmanager
async def api(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole service on this database."""
    app = _service()
    app.state.settings, app.state.database = settings, database
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=WHO) as client:
        yield client


def spec(**changes: Any) -> PlanSpec:
    """A plan of four weeks, a call a week and unit between 08:00 and 20:00."""
    content: dict[str, Any] = {
        "first_day": "2026-03-02",
        "last_day": "2026-03-29",
        "period": "week",
        "windows": {
            "workday": [{"start": "08:00", "end": "20:00"}],
            "weekend": [{"start": "09:00", "end": "17:00"}],
        },
        "calls_per_unit": 1,
        "extra_per_unit": 0.3,
        "opening_id": 1,
    }
    return PlanSpec.model_validate(content | changes)


async def enter_plan(database: Database, **changes: Any) -> int:
    """Write a plan down; return its key."""
    async with database.unit_of_work() as session:
        return (await service.create(session, "三月抽查", spec(**changes), "clerk")).id


async def start_plan(database: Database, settings: Settings, plan_id: int) -> PlanRun:
    """Start a plan."""
    async with database.reading() as session:
        seen = await service.preview(session, settings, plan_id)
    async with database.unit_of_work() as session:
        return await service.start(session, settings, seen, "clerk")


def set_holiday(session: AsyncSession, day: date, now: datetime) -> None:
    """Enter a holiday into the calendar."""
    session.add(CalendarDay(day=day, kind="holiday", source="entered", changed_at=now, changed_by="boss"))
    session.add(CalendarChange(day=day, changed_at=now, changed_by="boss"))


async def moments(database: Database, settings: Settings, run_id: int, epoch: int = 0) -> list[DrawnSlot]:
    """What only this test may know: the moments of a draw, by breaking the seal."""
    async with database.reading() as session:
        run = await repository.run(session, run_id)
        row = await repository.epoch(session, run_id, epoch)
    assert run is not None
    assert row is not None
    return list(draw(sealed.open_seed(sealer(settings), run), DrawInputs.from_dict(row.inputs)))


async def orders(database: Database) -> list[SpotCheck]:
    """Every order, as it was entered."""
    async with database.reading() as session:
        return list(await session.scalars(select(SpotCheck).order_by(SpotCheck.id)))


async def skips(database: Database) -> list[DrawSkip]:
    """Every moment that was passed over."""
    async with database.reading() as session:
        return list(await session.scalars(select(DrawSkip).order_by(DrawSkip.id)))


async def causes(database: Database, run_id: int) -> list[str]:
    """Why each draw of a run was made."""
    async with database.reading() as session:
        return [epoch.cause for epoch in await repository.epochs(session, run_id)]


async def close_all(database: Database, hand: HandClock, code: str = "within") -> None:
    """Let every open order have been called, with this verdict."""
    async with database.unit_of_work() as session:
        query = select(SpotCheck).where(SpotCheck.state == "due").options(joinedload(SpotCheck.line))
        for check in await session.scalars(query):
            check.state, check.closed_at = "done", hand()
            session.add(
                Attempt(
                    check_id=check.id,
                    line_id=check.line_id,
                    unit_id=check.line.unit_id,
                    target=check.line.target,
                    state="finished",
                    owner="test",
                    claimed_at=hand(),
                    verdict_code=code,
                    needs_review=False,
                )
            )


async def go_on(
    planner: Planner, database: Database, hand: HandClock, until: datetime, code: str = "within"
) -> int:
    """Let time pass from moment to moment, every call answered; return how many orders were entered."""
    entered = await planner.tick(hand.at)
    while hand.at < until:
        coming = [run._coming[-1][0] for run in planner._runs.values() if run._coming]
        hand.at = min([until, hand.at + timedelta(hours=12), *(at for at in coming if at > hand.at)])
        entered += await planner.tick(hand.at)
        await close_all(database, hand, code)
    return entered
