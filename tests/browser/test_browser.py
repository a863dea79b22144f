"""The pages in a real browser: from the list to the sound, within the content security policy and the house."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import ConsoleMessage, Page, Request, async_playwright
from sqlalchemy import select, text

from app.checks.models import Recording
from app.checks.rules import Rules
from app.database import Database, upgrade
from app.logs import configure
from app.picture import LANGUAGES, Sheet, draw, svg_file
from app.settings import Settings
from tests.drawn_calls import drawn_calls
from tests.peers import program
from tests.web.searching import say
from tests.web.seed import fill

pytestmark = pytest.mark.peer("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A data folder whose lines were all called once."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("browser") / "data", phone_process=False)
    configure(settings)
    upgrade(settings)

    async def run() -> None:
        async with Database(settings.url) as database:
            await fill(database, settings)
            async with database.unit_of_work() as session:
                recording = await session.scalar(select(Recording).where(Recording.attempt_id == 3))
                assert recording is not None
                await say(session, recording, ("您好", "我是王强", "请讲"))

    asyncio.run(run())
    return settings


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    """The service as a process; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        env=os.environ | settings.environment(),
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().decode()
        found = line.split()[-1].rstrip("/")
        _wait_for(f"{found}/healthz")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def _wait_for(address: str) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(address):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium"), headless=True, args=FLAGS
        )
        opened = await browser.new_page(viewport={"width": 1366, "height": 768}, locale="zh-CN")
        yield opened
        await browser.close()


class Watch:
    """What the browser asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


async def test_from_the_list_to_the_sound(page: Page, address: str) -> None:
    watch = Watch(page)
    await page.goto(f"{address}/checks")
    await page.get_by_role("row", name="城关镇").get_by_role("link").click()
    await page.wait_for_url("**/checks/3")
    assert await page.locator("h1").inner_text() == "云溪县城关镇值班电话 0000-5550103"
    player = page.locator("audio")
    assert not [url for url in watch.requests if "/recordings/" in url]
    await page.locator("a[data-seek]").first.click()
    # Before the head of the sound is read, currentTime already reads the moment that was asked for.
    await page.wait_for_function(
        "(sound => sound.readyState > 0 && sound.currentTime > 24.05)(document.querySelector('audio'))",
        timeout=15_000,
    )
    duration = await player.evaluate("element => element.duration")
    assert duration == pytest.approx(28.6, abs=0.05)
    await player.evaluate("element => element.pause()")
    assert await page.locator("svg rect.ring").count() == 5
    assert watch.complaints == []
    assert {urlsplit(url).netloc for url in watch.requests} == {urlsplit(address).netloc}


async def test_a_moment_that_was_found_opens_at_its_words(page: Page, address: str) -> None:
    watch = Watch(page)
    await page.goto(f"{address}/checks/3#attempt-3&t=11.40")
    player = page.locator("#attempt-3 audio")
    assert await page.locator("tr.sought").all_inner_texts() == ["11.0 秒\t对方\t我是王强"]
    assert await player.evaluate("element => [element.currentTime, element.paused]") == [10.9, True]
    assert not [url for url in watch.requests if "/recordings/" in url]
    await page.keyboard.press(" ")
    await page.wait_for_function("() => document.querySelector('audio').currentTime > 11", timeout=15_000)
    assert await player.evaluate("element => element.currentTime") < 20
    await player.evaluate("element => element.pause()")
    await page.goto(f"{address}/checks/3#attempt-3&t=21.00")
    await page.locator("tr.sought", has_text="请讲").wait_for()
    assert watch.complaints == []


async def test_the_picture_and_pages_fit_an_office_screen(page: Page, address: str) -> None:
    watch = Watch(page)
    for path in ("/checks", "/checks/1", "/checks/5", "/checks/8", "/nowhere"):
        await page.goto(address + path)
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 1366, path
    assert [text for text in watch.complaints if "404" not in text] == []


WORDS = """() => [...document.querySelectorAll('svg.picture, svg[role=img]')].map(svg => ({
  box: svg.getBoundingClientRect().toJSON(),
  words: [...svg.querySelectorAll('text')].map(text => ({
    text: text.textContent, box: text.getBoundingClientRect().toJSON(),
    size: getComputedStyle(text).fontSize, wanted: text.getAttribute('font-size') + 'px',
  })),
}))"""


async def assert_readable(page: Page) -> int:
    """Assert that words of drawings cover no other words, stay on the paper and look as they should; count them."""
    count = 0
    for drawing in await page.evaluate(WORDS):
        box, words = drawing["box"], drawing["words"]
        for word in words:
            assert word["size"] == word["wanted"], word
            assert box["left"] <= word["box"]["left"] < word["box"]["right"] <= box["right"], word
            assert box["top"] <= word["box"]["top"] < word["box"]["bottom"] <= box["bottom"], word
        for one, other in combinations(words, 2):
            a, b = one["box"], other["box"]
            wide = min(a["right"], b["right"]) - max(a["left"], b["left"])
            # The boxes of letters reach above and below what is inked.
            high = min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) - 4.0
            assert wide <= 0.0 or high <= 0.0, (one["text"], other["text"])
        count += len(words)
    return count


async def test_no_words_of_a_picture_cover_others(page: Page, address: str, tmp_path: Path) -> None:
    watch = Watch(page)
    for number in (1, 2, 3, 4, 5, 7):
        await page.goto(f"{address}/checks/{number}")
        assert await assert_readable(page) > 15
    assert watch.complaints == []
    for language, words in LANGUAGES.items():
        for name, record in drawn_calls().items():
            picture = draw(record.to_dict(), Rules(), words)
            path = tmp_path / f"{name}-{language}.svg"
            path.write_text(svg_file(picture, Sheet(name, "24 s", ("a note",))), encoding="utf-8")
            await page.goto(path.as_uri())
            assert await assert_readable(page) > 15, name
    assert watch.complaints == []


async def test_the_measured_values_open_by_keyboard(page: Page, address: str) -> None:
    await page.goto(f"{address}/checks/1")
    table = page.locator("details.measured table")
    assert not await table.is_visible()
    await page.locator("details.measured summary").focus()
    await page.keyboard.press("Enter")
    assert await table.is_visible()
    assert await table.locator("tbody tr").count() == 2


async def test_filter_by_keyboard(page: Page, address: str) -> None:
    await page.goto(f"{address}/checks")
    await page.get_by_label("结论").select_option(label="设置彩铃")
    await page.get_by_label("结论").press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**verdict=crbt*")
    assert await page.locator("tbody tr").count() == 1


async def test_the_list_keeps_up_with_calls_under_way(page: Page, address: str, settings: Settings) -> None:
    database = Database(settings.url)
    live = "UPDATE attempts SET state = :state, verdict_code = :code, outcome = :outcome WHERE id = 2"
    async with database.unit_of_work() as session:
        await session.execute(text(live), {"state": "ringing", "code": None, "outcome": None})
    watch = Watch(page)
    await page.goto(f"{address}/checks")
    await page.get_by_text("正在拨测 1 路").wait_for()
    async with database.unit_of_work() as session:
        await session.execute(text(live), {"state": "finished", "code": "borderline", "outcome": "answered"})
    await page.get_by_text("当前没有正在进行的拨测").wait_for(timeout=20_000)
    await database.close()
    assert watch.complaints == []


async def test_the_page_of_a_call_under_way_shows_its_end(
    page: Page, address: str, settings: Settings
) -> None:
    database = Database(settings.url)
    change = "UPDATE attempts SET state = :state, verdict_code = :code WHERE id = 6"
    async with database.unit_of_work() as session:
        await session.execute(text(change), {"state": "ringing", "code": None})
    watch = Watch(page)
    await page.goto(f"{address}/checks/6")
    await page.get_by_text("本次拨测正在进行").wait_for()
    async with database.unit_of_work() as session:
        await session.execute(text(change), {"state": "finished", "code": "busy"})
    await page.get_by_text("本次拨测正在进行").wait_for(state="detached", timeout=20_000)
    await database.close()
    assert await page.locator(".ruling .code").inner_text() == "占线"
    asked = len(watch.requests)
    await page.wait_for_timeout(2_500)
    assert len(watch.requests) == asked
    assert watch.complaints == []


async def test_it_prints_on_paper(page: Page, address: str, tmp_path: Path) -> None:
    await page.goto(f"{address}/checks/3")
    await page.emulate_media(media="print")
    assert not await page.locator("audio").is_visible()
    assert not await page.locator("nav").first.is_visible()
    paper = await page.pdf(path=tmp_path / "check.pdf", prefer_css_page_size=True)
    assert paper.startswith(b"%PDF")
