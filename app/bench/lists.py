"""How long the lists of the service take with a given number of checks."""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.types import Scope

from app import clock
from app.accounts.permissions import Permission, Role
from app.accounts.principal import Principal
from app.bench.ask import requests, times_ms
from app.bench.content import UnitRow, units
from app.bench.fill import database_name, fill
from app.database import upgrade
from app.main import create_app
from app.settings import Settings

SCHEMA = "dutyring.lists/1"
LIMIT_MS = 200.0
UNITS = 2_000
REPEATS = 5
HOST = "bench.localhost"
NEWEST = datetime(2026, 11, 20, 4, tzinfo=UTC)
"""When the last order of the filled database came due."""


async def measure(rows: int, url: str | None, folder: Path, repeats: int = REPEATS) -> dict[str, Any]:
    """Fill a database with `rows` orders, a file in `folder` or the one given; return the figures.

    Raises `app.bench.fill.NotEmptyError` for a database that holds something else.
    """
    settings = Settings(data_dir=folder, database_url=url, phone_process=False, allowed_hosts=(HOST,))
    unit_count = min(UNITS, max(40, rows))
    upgrade(settings)
    began = time.monotonic()
    fresh = fill(settings.url, rows, unit_count, NEWEST)
    filled_s = time.monotonic() - began
    app = create_app(settings)
    app.state.doorkeeper = _Everybody()
    transport = httpx.ASGITransport(app=app)
    asked = list(requests(app, heads(units(unit_count)), NEWEST))
    try:
        with clock.running(lambda: NEWEST):
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
                await times_ms(client, asked[:1], 3)
                # As the service does at its start: what is there for good need not be gone through for garbage.
                gc.collect()
                gc.freeze()
                found = await times_ms(client, asked, repeats)
    finally:
        await app.state.database.close()
    p95 = {name: round(_percentile(times, 0.95), 1) for name, times in found.items()}
    return {
        "schema": SCHEMA,
        "rows": rows,
        "database": database_name(settings.url),
        "units": unit_count,
        "fill_s": round(filled_s, 1) if fresh else None,
        "requests": sum(map(len, found.values())),
        "limit_ms": LIMIT_MS,
        "slowest_ms": max(p95.values()),
        "p95_ms": p95,
        "worst_ms": {name: round(max(times), 1) for name, times in found.items()},
    }


class _Everybody:
    """A doorkeeper that lets everything be asked: the time of the lists is what is measured."""

    async def who(self, scope: Scope) -> Principal:
        """Return somebody who may do everything."""
        return Principal(0, "bench", "bench", frozenset(Role), frozenset(Permission))


def heads(tree: Sequence[UnitRow]) -> list[int]:
    """Heads of subtrees from all units to one: the city, counties (one never called, one long ago), towns, a leaf."""
    of: Mapping[str, list[int]] = {
        category: [unit.key for unit in tree if unit.category == category]
        for category in ("city", "county", "town", "institution")
    }
    return [*of["city"], *of["county"][:1], *of["county"][-2:], *of["town"][:2], *of["institution"][:2]]


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder that is gone afterwards, with the database in it."""
    folder = Path(tempfile.mkdtemp(prefix="dutyring-lists-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _percentile(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * int(share * 100) // 100) - 1)]
