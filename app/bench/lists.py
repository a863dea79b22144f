"""How long the lists of the service take with a given number of checks."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import structlog

from app import clock
from app.bench.ask import Took, page_requests, requests, times
from app.bench.content import UnitRow, units
from app.bench.fill import database_name, fill
from app.bench.pages import open_to_part
from app.bench.people import plans_of_year, signed_in
from app.database import upgrade
from app.main import create_app
from app.settings import Settings
from sip.seldom import collect_seldom

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
    found = await _asked(settings, rows, unit_count, repeats)
    p95 = {name: round(_percentile(took.wall_ms, 0.95), 1) for name, took in found.items()}
    spent = {name: round(_percentile(took.spent_ms, 0.95), 1) for name, took in found.items()}
    return {
        "schema": SCHEMA,
        "rows": rows,
        "database": database_name(settings.url),
        "units": unit_count,
        "fill_s": round(filled_s, 1) if fresh else None,
        "requests": sum(len(took.wall_ms) for took in found.values()),
        "limit_ms": LIMIT_MS,
        "slowest_ms": max(p95.values()),
        "p95_ms": p95,
        "processor_p95_ms": spent,
        "worst_ms": {name: round(max(took.wall_ms), 1) for name, took in found.items()},
    }


def quiet() -> None:
    """Leave out the line that the log has for every request."""
    logging.disable(logging.INFO)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


async def _asked(settings: Settings, rows: int, unit_count: int, repeats: int) -> dict[str, Took]:
    """Sign in, ask for everything; then for the pages as somebody who answers for one county."""
    app = create_app(settings)
    tree = units(unit_count)
    with clock.running(lambda: NEWEST):
        county = next(unit.key for unit in tree if unit.category == "county")
        plans = await plans_of_year(app.state.database, settings, NEWEST.year, county)
    asked = list(requests(app, heads(tree), NEWEST, rows, plans))
    below = [one for one in page_requests(heads(tree, county), NEWEST, rows, plans) if open_to_part(one.page)]
    transport = httpx.ASGITransport(app=app)
    with clock.running(lambda: NEWEST):
        try:
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
                client.headers["Cookie"] = await signed_in(app.state.database, settings, None)
                # Once uncounted: a statement is compiled when it is first asked, for the life of the process.
                await times(client, asked, 1)
                # As the service does at its start: what is there for good need not be gone through for garbage.
                collect_seldom()
                found = await times(client, asked, repeats)
                client.headers["Cookie"] = await signed_in(app.state.database, settings, county)
                await times(client, below, 1)
                part = await times(client, below, repeats)
                return found | {f"{name} (one county)": took for name, took in part.items()}
        finally:
            await app.state.database.close()


def heads(tree: Sequence[UnitRow], within: int | None = None) -> list[int]:
    """Heads of subtrees from all units to one: the city, counties (one never called, one long ago), towns, a leaf.

    `within`: of those that are the unit with this key, or below it.
    """
    of: Mapping[str, list[int]] = {
        category: [
            unit.key
            for unit in tree
            if unit.category == category and (within is None or f"/{within}/" in f"/{unit.path}")
        ]
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
