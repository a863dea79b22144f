"""How steady the page 实时 is in a real browser while many calls move.

    python -m benchmarks.live_page --calls 200 --seconds 60

A service of its own with a board as a phone writes it: every call rings, is answered, talks and ends in turn, so that a
few end and begin each second. Chromium has the page open; the time between its frames, its memory, and whether the
rows are still the elements that they were are measured. The exit status is 1 when more than 1 frame in 100 took over
50 ms, or the memory grew by more than 20 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import uvicorn
from playwright.async_api import Page, async_playwright
from sqlalchemy import insert, select, update

from app import clock
from app.accounts.permissions import Permission, Role
from app.accounts.principal import Principal
from app.checks import live_board
from app.checks.live_board import Seen
from app.checks.models import Attempt, SpotCheck
from app.checks.service import name_of
from app.database import Database, upgrade
from app.directory.models import DutyLine, Unit
from app.main import create_app
from app.settings import Settings
from benchmarks.table import percentile, show

ROUND_S = 30.0
"""How long a call lasts: 2 s of dialling, 12 s of ringing, the rest of talk."""
STEP_S = 0.4
FRAMES = """() => {
  window.frames_ms = []; let last = performance.now();
  const step = (now) => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(step); };
  requestAnimationFrame(step);
  for (const row of document.querySelectorAll("#live tbody tr")) row.marked = true;
}"""
HELD = """() => [...document.querySelectorAll("#live tbody tr")].filter((row) => row.marked).length"""
HEAP = "() => (window.gc && window.gc(), performance.memory.usedJSHeapSize)"


class Everybody:
    """A doorkeeper for one machine's measurement."""

    async def who(self, scope: object) -> Principal:
        """Return somebody who may do everything."""
        return Principal(0, "bench", "bench", frozenset(Role), frozenset(Permission))


class Board:
    """Calls that begin and end in turn, in the ledger and on the board."""

    def __init__(self, database: Database, settings: Settings, calls: int) -> None:
        self._database, self._settings, self._calls = database, settings, calls
        self._began: dict[int, float] = {}
        self._line: dict[int, int] = {}
        self._next = 1

    async def fill(self) -> None:
        """Enter units and lines, and calls that are each at another point."""
        now = clock.now()
        keys = range(1, self._calls + 1)
        async with self._database.unit_of_work() as session:
            units = [
                {
                    "id": key,
                    "code": f"u{key}",
                    "name": f"云溪县第{key}单位",
                    "path": f"{key}/",
                    "created_at": now,
                }
                for key in keys
            ]
            lines = [
                {
                    "id": key,
                    "unit_id": key,
                    "number": f"0000-{key:07}",
                    "target": f"{key:07}",
                    "number_key": f"{key}",
                }
                for key in keys
            ]
            await session.execute(insert(Unit), units)
            await session.execute(insert(DutyLine), lines)
        for key in keys:
            await self._begin(key, time.time() - ROUND_S * key / self._calls)

    async def _begin(self, line: int, at: float) -> None:
        key, now = self._next, clock.now()
        self._next += 1
        self._began[key], self._line[key] = at, line
        async with self._database.unit_of_work() as session:
            check = {"id": key, "line_id": line, "unit_id": line, "due_at": now, "first_due_at": now}
            check |= {"state": "claimed", "created_at": now, "reason": ""}
            await session.execute(insert(SpotCheck), [check])
            attempt = {"id": key, "check_id": key, "line_id": line, "unit_id": line, "target": "x"}
            attempt |= {"state": "ringing", "owner": "o", "claimed_at": now - timedelta(seconds=1)}
            await session.execute(insert(Attempt), [attempt | {"started_at": now}])

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            now = time.time()
            for key in [key for key, at in self._began.items() if now - at > ROUND_S]:
                async with self._database.unit_of_work() as session:
                    over = {"state": "finished", "verdict_code": "within", "needs_review": False}
                    await session.execute(update(Attempt).where(Attempt.id == key).values(over))
                del self._began[key]
                await self._begin(self._line.pop(key), now)
            live_board.publish(self._settings, await self._seen(now))
            await asyncio.sleep(STEP_S)

    async def _seen(self, now: float) -> dict[str, Seen]:
        async with self._database.reading() as session:
            query = select(Attempt.id, Attempt.claimed_at).where(Attempt.id.in_(list(self._began)))
            claimed = {row.id: row.claimed_at for row in await session.execute(query)}
        found = {}
        for key, at in self._began.items():
            age = now - at
            phase = "dialling" if age < 2 else "ringing" if age < 14 else "answered"
            ring = at + 2 if age >= 2 else None
            rings = None if ring is None else int(min(age - 2, 12) // 5) + 1
            answered = at + 14 if age >= 14 else None
            found[name_of(claimed[key], key, key)] = Seen(phase, at, ring, rings, "ringback", answered)
        return found


async def measure(folder: Path, calls: int, seconds: float) -> dict[str, object]:
    """Open the page and watch it; return the figures."""
    settings = Settings(data_dir=folder, phone_process=False)
    upgrade(settings)
    app = create_app(settings)
    app.state.doorkeeper = Everybody()
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=2)
    )
    serving = asyncio.create_task(server.serve())
    async with Database(settings.url) as database:
        board = Board(database, settings, calls)
        await board.fill()
        moving = asyncio.create_task(board.run())
        while not server.started:  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path="/usr/bin/chromium",
                    args=["--no-sandbox", "--enable-precise-memory-info", "--js-flags=--expose-gc"],
                )
                page = await browser.new_page(viewport={"width": 1366, "height": 768})
                found = await watch(page, f"http://127.0.0.1:{port}/live", seconds)
                await browser.close()
        finally:
            moving.cancel()
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await serving
    return {"calls": calls, **found}


async def watch(page: Page, address: str, seconds: float) -> dict[str, object]:
    """Measure one page."""
    await page.goto(address)
    await page.wait_for_selector("#live tbody tr")
    await page.wait_for_timeout(3000)
    before = await page.evaluate(HEAP)
    await page.evaluate(FRAMES)
    await page.wait_for_timeout(seconds * 1000)
    frames: list[float] = (await page.evaluate("() => window.frames_ms"))[5:]
    after = await page.evaluate(HEAP)
    return {
        "frames": len(frames),
        "frame_p50_ms": round(percentile(frames, 0.5), 1),
        "frame_p95_ms": round(percentile(frames, 0.95), 1),
        "frame_p99_ms": round(percentile(frames, 0.99), 1),
        "frame_max_ms": round(max(frames), 1),
        "heap_before_mb": round(before / 1e6, 1),
        "heap_after_mb": round(after / 1e6, 1),
        "rows": await page.locator("#live tbody tr").count(),
        "rows_held": await page.evaluate(HELD),
    }


def main() -> int:
    """Run the benchmark; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dutyring-page-") as folder:
        found = asyncio.run(measure(Path(folder) / "data", options.calls, options.seconds))
    show(found)
    grown = float(str(found["heap_after_mb"])) - float(str(found["heap_before_mb"]))
    return 0 if float(str(found["frame_p99_ms"])) <= 50.0 and grown <= 20.0 else 1


if __name__ == "__main__":
    sys.exit(main())
