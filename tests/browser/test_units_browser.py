"""The tree of units by keyboard, search while typing, and the upload, in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Page, async_playwright

from app.accounts.gate import COOKIE
from app.accounts.permissions import Role
from app.database import Database
from app.settings import Settings
from tests.browser.office import FLAGS
from tests.peers import program
from tests.web.apps import own_doors
from tests.web.directory_office import enter_county
from tests.web.imports_county import workbook
from tests.web.migrated import migrate
from tests.web.people import signed_in

pytestmark = pytest.mark.peer("chromium")
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[str, Database]]:
    """The service in this process, on a port of the loopback; gives its address."""
    migrate(settings)
    app = own_doors(settings)
    await enter_county(app.state.database)
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", 0, log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", app.state.database
    finally:
        server.should_exit = True
        await running
        await app.state.database.close()


@asynccontextmanager
async def dispatcher(settings: Settings) -> AsyncIterator[tuple[Page, str]]:
    """A dispatcher's browser and the address of the service."""
    async with served(settings) as (address, database), async_playwright() as playwright:
        who = await signed_in(database, settings, Role.DISPATCHER)
        browser = await playwright.chromium.launch(
            executable_path=program("chromium"), headless=True, args=FLAGS
        )
        context = await browser.new_context(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        await context.add_cookies([{"name": COOKIE, "value": who.cookie, "url": address}])
        yield await context.new_page(), address
        await browser.close()


async def _focused(page: Page) -> str:
    name: str = await page.evaluate("document.activeElement.querySelector('.named a')?.textContent ?? ''")
    return name


async def _press(page: Page, key: str, focused: str) -> None:
    """Press a key, and wait until the focus is where it should be."""
    await page.keyboard.press(key)
    await page.wait_for_function(
        "name => document.activeElement.querySelector('.named a')?.textContent === name", arg=focused
    )


async def test_the_tree_goes_by_keyboard_the_search_as_it_is_typed_and_a_file_is_brought(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path / "data", phone_process=False)
    bad = tmp_path / "坏.xlsx"
    bad.write_bytes(workbook(通讯录=[["单位", "值班电话"], ["财政局", "32l2346"]]))
    async with dispatcher(settings) as (page, address):
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        await page.goto(f"{address}/units")
        # The only unit at the top opens by itself.
        await page.wait_for_selector("text=城关镇")
        await page.focus('[role="treeitem"][tabindex="0"]')
        assert await _focused(page) == "云溪县"
        await _press(page, "ArrowDown", "直属各局")
        await page.keyboard.press("ArrowRight")
        await page.wait_for_selector("text=水利局")
        await _press(page, "ArrowDown", "水利局")
        await _press(page, "ArrowLeft", "直属各局")
        await page.keyboard.press("ArrowLeft")
        await page.wait_for_selector("text=水利局", state="hidden")
        await _press(page, "End", "城关镇")
        await _press(page, "Home", "云溪县")
        assert await page.locator('[role="tree"] [tabindex="0"]').count() == 1
        if AXE.exists():
            await page.evaluate(AXE.read_text(encoding="utf-8"))
            found = await page.evaluate("axe.run()")
            assert [
                row["id"] for row in found["violations"] if row["impact"] in ("serious", "critical")
            ] == []
        await _press(page, "ArrowDown", "直属各局")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/units/2")

        await page.goto(f"{address}/units")
        await page.fill('input[name="q"]', "利局")
        await page.wait_for_selector("table.units >> text=水利局")
        await page.goto(f"{address}/units/import")
        await page.set_input_files("#file", str(bad))
        await page.click("text=上传并预览")
        await page.wait_for_selector("text=有 1 处错误")
        assert await page.inner_text("#part tbody th") == "B2"
        assert complaints == []
