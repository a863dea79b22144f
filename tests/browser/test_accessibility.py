"""Every page in a real browser: nothing that axe-core calls serious, nothing too wide or cut, good on paper.

Each page is looked at as every role that sees parts in it which no other role does (`every_page.most`), in Chinese at
two widths of screen and on paper, and in English, whose words are longer, at the same widths.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize

from app.accounts.doors import ways
from app.accounts.permissions import Role
from tests.browser.every_page import LEFT_OUT, ROWS, UNSIGNED, WRONG, Parts, addresses, most, page_ways
from tests.browser.full_office import FullOffice, full_office
from tests.browser.office import OFFICE_SCREEN, Watch, chromium
from tests.peers import skip_for

pytestmark = [
    pytest.mark.peer("chromium"),
    pytest.mark.xdist_group("accessibility"),
    pytest.mark.asyncio(loop_scope="module"),
]
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
ENLARGED: ViewportSize = {"width": 1093, "height": 614}
SCREENS = (OFFICE_SCREEN, ENLARGED)
"""An office screen, and what it holds at 125 %."""
LANDSCAPE: ViewportSize = {"width": 1016, "height": 688}
"""A4 across without its margins of 14 mm, in CSS pixels."""
PORTRAIT: ViewportSize = {"width": 642, "height": 986}
"""A4 upright without the margins of a form."""
FORMS = re.compile(r"/phone-records/\d+$|/notice$")
"""What is printed upright."""
FAULTS = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter((fault) => fault.impact === "serious" || fault.impact === "critical")
  .map((fault) => `${fault.id}: ${fault.nodes[0].html.slice(0, 160)}`)"""
OPEN = "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Charts take the size of a screen a frame after it has changed."""
REFUSED = (
    "/units/new", "/units/1/people/new", "/units/1/lines/new", "/units/1/whereabouts/new", "/units/1/exemptions/new",
    "/stops",
)  # fmt: skip
"""Forms that are sent as they stand, with nothing filled in."""
SEND = """() => {
  const form = document.querySelector("main form[method=post]:not(.row)");
  form.noValidate = true;
  form.requestSubmit();
}"""
WHOLE = "() => !document.querySelector('.htmx-request')"
"""The parts that a page asks for by itself have come."""
FIT = """() => {
  const root = document.documentElement, room = root.clientWidth, found = [];
  const note = (what, one) => found.push(`${what}: <${one.tagName} class="${one.getAttribute("class") ?? ""}"> ` +
    (one.innerText ?? "").slice(0, 60));
  if (root.scrollWidth > room) found.push(`the page is ${root.scrollWidth - room} px too wide`);
  for (const one of document.body.querySelectorAll("*")) {
    if (!one.checkVisibility() || one.closest(".skip, .sr-only, .unseen, svg")) continue;
    const box = one.getBoundingClientRect();
    if (box.width > 2 && box.right > room + 1) note("off the edge", one);
    if (["INPUT", "TEXTAREA", "AUDIO", "PROGRESS", "METER"].includes(one.tagName)) continue;
    const control = ["BUTTON", "SELECT"].includes(one.tagName), look = getComputedStyle(one);
    const wider = one.scrollWidth > one.clientWidth + 1 && look.display !== "inline";
    const higher = one.scrollHeight > one.clientHeight + 3;
    if (wider && (control || look.overflowX !== "visible")) note("cut at its side", one);
    if (higher && (control || ["hidden", "clip"].includes(look.overflowY))) note("cut below", one);
  }
  return found.slice(0, 5);
}"""
"""What is wider than its place: a page that scrolls sideways, a box that hides what it holds, a word that is cut."""
ON_PAPER = """() => {
  const found = [];
  const note = (what, one) => found.push(`${what}: <${one.tagName} class="${one.className}"> ` +
    one.innerText.slice(0, 60));
  const shown = (marks) => [...document.querySelectorAll(marks)].filter((one) => one.checkVisibility());
  const pressed = "nav, button:not([aria-pressed='true']), [type=submit], .button, dialog, audio";
  shown(`${pressed}, .pages, .tabs, .filter`).forEach((one) => note("stands on paper", one));
  for (const one of shown("main table")) {
    const head = one.tHead, row = one.tBodies[0]?.rows[0];
    if (head?.checkVisibility() && getComputedStyle(head).display !== "table-header-group") note("head once", one);
    if (row?.checkVisibility() && getComputedStyle(row).breakInside !== "avoid") note("rows are torn", one);
  }
  for (const one of shown("main *")) {
    const hides = getComputedStyle(one).overflowY !== "visible" && !one.closest("textarea, .sr-only, .unseen");
    if (hides && one.scrollHeight > one.clientHeight + 3) note("cut on paper", one);
  }
  return found.slice(0, 5);
}"""


@dataclass
class Inspector:
    """Opens pages one after the other and keeps what is wrong with them."""

    office: FullOffice
    browser: Browser
    rules: str
    wrong: list[str] = field(default_factory=list)
    watches: dict[Page, Watch] = field(default_factory=dict)

    async def look(self, page: Page, path: str, who: str, status: int = 200) -> None:
        """Open one page, in the language that the browser asks for, and look at it."""
        if page not in self.watches:
            self.watches[page] = Watch(page)
        complaints = self.watches[page].complaints
        complaints.clear()
        answer = await page.goto(self.office.address + path, wait_until="load")
        assert answer is not None
        await page.wait_for_function(WHOLE)
        found = [] if answer.status == status else [f"answers {answer.status}"]
        found += [f"complains: {words}" for words in complaints if status == 200]
        if await page.evaluate("document.documentElement.lang") == "en":
            who += ", English"
            found += await self.on_screens(page)
        else:
            found += await self.for_everybody(page)
            found += await self.on_screens(page)
            found += await self.on_paper(page, PORTRAIT if FORMS.search(path) else LANDSCAPE)
        self.wrong += [f"{path} ({who}): {fault}" for fault in found]

    async def for_everybody(self, page: Page) -> Sequence[str]:
        """What axe-core calls serious, also in what is folded in."""
        await page.evaluate(OPEN)
        await page.evaluate(self.rules)
        found: list[str] = await page.evaluate(FAULTS)
        return found

    async def on_screens(self, page: Page) -> Sequence[str]:
        """What does not fit an office screen, unfolded."""
        await page.evaluate(OPEN)
        found = [f"{size['width']}: {fault}" for size in SCREENS for fault in await _fitting(page, size)]
        await page.set_viewport_size(OFFICE_SCREEN)
        return found

    async def on_paper(self, page: Page, paper: ViewportSize) -> Sequence[str]:
        """What does not fit the paper or has nothing to do there."""
        await page.emulate_media(media="print")
        found = [f"paper: {fault}" for fault in await _fitting(page, paper)]
        found += await page.evaluate(ON_PAPER)
        await page.emulate_media(media="screen")
        await page.set_viewport_size(OFFICE_SCREEN)
        return found


async def _fitting(page: Page, size: ViewportSize) -> Sequence[str]:
    await page.set_viewport_size(size)
    await page.evaluate(DRAWN)
    found: list[str] = await page.evaluate(FIT)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inspector(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Inspector]:
    if not AXE.exists():
        skip_for(f"{AXE} is missing (npm ci)")
    folder = tmp_path_factory.mktemp("full") / "data"
    async with full_office(folder) as office, chromium() as browser:
        yield Inspector(office, browser, AXE.read_text(encoding="utf-8"))


async def _seen(
    office: FullOffice, cookies: Mapping[Role, Mapping[str, str]], path: str, roles: frozenset[Role]
) -> Mapping[Role, set[str]]:
    """Which parts a page has for each role that may open it; where there is but one, nothing is asked."""
    if len(roles) == 1:
        return {role: set() for role in roles}
    found = {}
    async with httpx.AsyncClient(base_url=office.address) as client:
        for role in roles:
            cookie = cookies[role]
            answer = await client.get(path, headers={"Cookie": f"{cookie['name']}={cookie['value']}"})
            found[role] = Parts(answer.text).found
    return found


async def test_every_way_that_is_left_out_is_there() -> None:
    there = {way.removeprefix("GET ") for way in ways()}
    assert {*LEFT_OUT, *ROWS} - there == set()


@asynccontextmanager
async def _stranger(browser: Browser, language: str) -> AsyncIterator[Page]:
    """A page of somebody who has not signed in."""
    context = await browser.new_context(viewport=OFFICE_SCREEN, locale=language)
    try:
        yield await context.new_page()
    finally:
        await context.close()


@pytest.mark.timeout(1200)
async def test_every_page_is_accessible_fits_the_screen_and_prints(inspector: Inspector) -> None:
    office, browser = inspector.office, inspector.browser
    cookies = {role: await office.cookie(role) for role in Role}
    todo: dict[str, dict[Role, list[str]]] = {
        language: {role: [] for role in Role} for language in ("zh-CN", "en")
    }
    for path, roles in page_ways().items():
        for address in await addresses(office.database, path):
            chosen = most(await _seen(office, cookies, address, roles))
            for role in chosen:
                todo["zh-CN"][role].append(address)
            todo["en"][chosen[0]].append(address)
    assert all(todo["zh-CN"].values()), "somebody's pages are not looked at"
    for language, of_roles in todo.items():
        for role, paths in of_roles.items():
            async with office.signed_in(browser, role, language) as page:
                for path in paths:
                    await inspector.look(page, path, role)
        async with _stranger(browser, language) as page:
            for path, status in UNSIGNED.items():
                await inspector.look(page, path, "nobody", status)
        async with office.signed_in(browser, Role.DISPATCHER, language) as page:
            for path, status in WRONG.items():
                await inspector.look(page, path, Role.DISPATCHER, status)
    assert not inspector.wrong, "\n".join(inspector.wrong)


async def test_panels_are_accessible(inspector: Inspector) -> None:
    async with inspector.office.signed_in(inspector.browser, Role.DISPATCHER) as page:
        for path, opens in (("/today", ".help-link"), ("/today", ".stop-button"), ("/live", "#live .acts a")):
            await page.goto(inspector.office.address + path, wait_until="load")
            await page.locator(opens).first.click()
            await page.locator("dialog#panel[open] .panel-body > *").first.wait_for()
            assert [*await inspector.for_everybody(page), *await inspector.on_screens(page)] == [], opens


async def test_forms_that_are_refused_are_accessible(inspector: Inspector) -> None:
    office = inspector.office
    async with office.signed_in(inspector.browser, Role.DISPATCHER) as page:
        for path in REFUSED:
            await page.goto(office.address + path, wait_until="load")
            async with page.expect_navigation(wait_until="load"):
                await page.evaluate(SEND)
            assert await page.locator("[aria-invalid=true], [role=alert]").count() > 0, path
            assert [*await inspector.for_everybody(page), *await inspector.on_screens(page)] == [], path


async def test_paper_is_a4(inspector: Inspector) -> None:
    office = inspector.office
    async with office.signed_in(inspector.browser, Role.SUPERVISOR) as page:
        for path, size in (
            ("/checks", (842, 595)),
            ("/checks/3", (842, 595)),
            ("/phone-records/1", (595, 842)),
        ):
            await page.goto(office.address + path, wait_until="load")
            paper = await page.pdf(prefer_css_page_size=True)
            boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", paper)
            assert {(round(float(width)), round(float(height))) for width, height in boxes} == {size}, path
