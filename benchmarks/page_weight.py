"""How many bytes the first load of each page takes over the wire: `python -m benchmarks.page_weight [--rows N]`.

A filled database (`dutyring bench lists`), a service of its own, and Chromium with an empty cache for each page; pages
of what such a database has none of are those of the office of the browser tests. Counted is all that comes back,
headers too, with what the page asks for by itself in its first second. Exit status 1 where a page takes more than
300 kB.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import Browser, async_playwright

from app import clock
from app.bench.content import units
from app.bench.fill import fill
from app.bench.lists import NEWEST, UNITS, heads, own_folder, quiet
from app.bench.pages import page_paths
from app.bench.people import plans_of_year, signed_in
from app.database import Database, upgrade
from app.main import create_app
from app.settings import Settings
from benchmarks.table import percentile, show_parts
from tests.browser.every_page import LEFT_OUT, UNSIGNED, addresses, page_ways
from tests.browser.full_office import full_office

LIMIT_KB = 300.0
ROWS = 20_000


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[str]:
    """A service on this machine; yields its address."""
    config = uvicorn.Config(
        create_app(settings), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def weigh(browser: Browser, address: str, cookie: str | None, status: int = 200) -> tuple[float, int]:
    """Load one page with nothing kept from before, answered with this status; return kilobytes and requests."""
    context = await browser.new_context(viewport={"width": 1366, "height": 768})
    try:
        if cookie is not None:
            name, _, value = cookie.partition("=")
            await context.add_cookies([{"name": name, "value": value, "url": address}])
        page = await context.new_page()
        wire = await context.new_cdp_session(page)
        taken: dict[str, float] = {}

        def finished(event: dict[str, Any]) -> None:
            taken[event["requestId"]] = event["encodedDataLength"]

        wire.on("Network.loadingFinished", finished)
        await wire.send("Network.enable")
        answer = await page.goto(address, wait_until="load")
        assert answer is not None
        assert answer.status == status, (address, answer.status)
        await page.wait_for_timeout(1000)
        return round(sum(taken.values()) / 1000, 1), len(taken)
    finally:
        await context.close()


Weights = dict[str, tuple[float, int]]
"""Kilobytes and requests of each page, by its path as the route has it."""


async def of_many(browser: Browser, folder: Path, rows: int) -> Weights:
    """Weigh the pages of which a filled database has something to show."""
    settings = Settings(data_dir=folder, phone_process=False)
    upgrade(settings)
    count = min(UNITS, max(40, rows))
    fill(settings.url, rows, count, NEWEST)
    with clock.running(lambda: NEWEST):
        async with Database(settings.url) as database:
            plans = await plans_of_year(database, settings, NEWEST.year)
            cookie = await signed_in(database, settings, None)
        async with serving(settings) as address:
            return {
                path: await weigh(browser, address + addresses[0], cookie)
                for path, addresses in page_paths(heads(units(count)), rows, plans)
                if path not in LEFT_OUT
            }


async def of_the_others(browser: Browser, folder: Path, found: Weights) -> Weights:
    """Weigh all other pages, in a small office that has a row for each."""
    weights: Weights = {}
    async with full_office(folder) as office:
        for path, roles in page_ways().items():
            if path not in found:
                cookie = await office.cookie(min(roles))
                shown = await addresses(office.database, path)
                weights[path] = await weigh(
                    browser, office.address + shown[0], f"{cookie['name']}={cookie['value']}"
                )
        for path, status in UNSIGNED.items():
            weights[path] = await weigh(browser, office.address + path, None, status)
    return weights


async def measure(folder: Path, rows: int) -> dict[str, Any]:
    """Weigh every page; return the figures."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        found = await of_many(browser, folder / "many", rows)
        found |= await of_the_others(browser, folder / "office", found)
        await browser.close()
    heaviest = sorted(found, key=lambda path: -found[path][0])
    return {
        "rows": rows,
        "limit_kb": LIMIT_KB,
        "pages": len(found),
        "heaviest_kb": found[heaviest[0]][0],
        "median_kb": percentile([kilobytes for kilobytes, _ in found.values()], 0.5),
        "first_page_kb": found["/today"][0],
        "kb": {path: found[path][0] for path in heaviest},
        "requests": {path: found[path][1] for path in heaviest},
    }


def main() -> int:
    """Measure; return 1 where a page takes more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    quiet()
    with own_folder() as folder:
        figures = asyncio.run(measure(folder, given.rows))
    show_parts(figures, as_json=given.json)
    return 1 if figures["heaviest_kb"] > LIMIT_KB else 0


if __name__ == "__main__":
    sys.exit(main())
