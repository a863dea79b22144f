"""A small office for the tests of planning: units with verified lines, approved prompts, an API client."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import soundfile
from fastapi import FastAPI

from app import clock
from app.database import Database
from app.directory import service as directory
from app.directory.models import DutyLine, Unit
from app.main import create_app
from app.planning import prompts
from app.settings import Settings

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


@asynccontextmanager
async def api(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole service on this database."""
    app: FastAPI = create_app(
        settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    )
    await app.state.database.close()
    app.state.database = database
    app.state.keeper = None
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=WHO) as client:
        yield client


def running(at: datetime = MORNING) -> tuple[HandClock, object]:
    """A clock of the test's own and the block in which it holds."""
    hand = HandClock(at)
    return hand, clock.running(hand)
