"""Every page in a real browser: no serious fault, nothing wider than the screen, paper without navigation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Page

from app.accounts.gate import COOKIE
from app.accounts.permissions import Role
from app.database import Database
from app.settings import Settings
from tests.browser.office import OFFICE_SCREEN, chromium
from tests.web.apps import own_doors
from tests.web.migrated import migrate
from tests.web.people import signed_in
from tests.web.seed import fill as call_units
from tools.screenshots_office import fill

pytestmark = pytest.mark.peer("chromium")
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
ENLARGED = {"width": 1093, "height": 614}
"""What an office screen holds at 125 %."""
PAGES: Mapping[Role, Sequence[str]] = {
    Role.DISPATCHER: (
        "/overview", "/live", "/plans", "/plans/1", "/plans/new", "/designated", "/manual", "/manual/new", "/prompts",
        "/calendar", "/calendar/2026-10-01", "/phone-records", "/phone-records/1", "/phone-records/new", "/units",
        "/units/1", "/units/1/change", "/units/1/history", "/units/1/rosters", "/units/1/whereabouts", "/units/lines",
        "/units/rosters", "/units/exemptions", "/units/number-changes", "/units/confirmations", "/units/import",
        "/account", "/help",
    ),
    Role.SUPERVISOR: (
        "/today", "/checks", "/checks/1", "/checks/4", "/recordings", "/recordings/1/keeping", "/samples", "/stops",
    ),
    Role.INSPECTOR: (
        "/reports", "/reports/ranking", "/reports/forms", "/reports/publications", "/reports/exports",
    ),
    Role.ADMINISTRATOR: (
        "/system", "/system/trunks", "/system/rules", "/system/notices", "/system/state", "/system/storage",
        "/system/settings", "/system/accounts",
    ),
    Role.SECURITY: ("/system/accounts/1",),
    Role.AUDITOR: ("/system/audit", "/no-such-page"),
}  # fmt: skip
FAULTS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter((fault) => fault.impact === "serious" || fault.impact === "critical")
  .map((fault) => `${fault.id}: ${fault.nodes[0].html.slice(0, 120)}`)"""
WIDER = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""
SHOWN = """() => [...document.querySelectorAll("header nav, .stop-button, .under form")]
  .filter((part) => part.checkVisibility()).map((part) => part.className || part.tagName)"""


@asynccontextmanager
async def full_office(settings: Settings) -> AsyncIterator[tuple[str, FastAPI]]:
    """An office in full use, so that no page is empty, served by this process; gives its address."""
    migrate(settings)
    async with Database(settings.url) as database:
        await call_units(database, settings)
    await fill(settings)
    app = own_doors(settings)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", app
    finally:
        server.should_exit = True
        await running
        await app.state.database.close()


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm install")
async def test_every_page_is_accessible_fits_the_screen_and_prints_alone(tmp_path: Path) -> None:
    wrong: list[str] = []
    rules = AXE.read_text(encoding="utf-8")
    settings = Settings(data_dir=tmp_path / "data", phone_process=False)
    async with full_office(settings) as (address, app), chromium() as browser:
        for role, paths in PAGES.items():
            who = await signed_in(app.state.database, settings, role)
            context = await browser.new_context(viewport=OFFICE_SCREEN, locale="zh-CN")
            await context.add_cookies([{"name": COOKIE, "value": who.cookie, "url": address}])
            page = await context.new_page()
            await page.add_init_script(rules)
            for path in paths:
                await page.goto(address + path, wait_until="domcontentloaded")
                wrong += [f"{path}: {fault}" for fault in await _faults(page)]
            await context.close()
    assert wrong == []


async def _faults(page: Page) -> list[str]:
    """What is wrong with the page that is open."""
    found: list[str] = await page.evaluate(FAULTS)
    for screen in (ENLARGED, OFFICE_SCREEN):
        await page.set_viewport_size(screen)
        wider = await page.evaluate(WIDER)
        if wider > 0:
            found.append(f"{wider} px wider than a screen of {screen['width']}")
    await page.emulate_media(media="print")
    found += [f"on paper stands {part}" for part in await page.evaluate(SHOWN)]
    await page.emulate_media(media="screen")
    return found
