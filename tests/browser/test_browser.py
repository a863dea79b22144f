"""The pages in a real browser: from the list to the sound, within the content security policy and the house."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import text

from app.checks.rules import Rules
from app.database import Database
from app.picture import LANGUAGES, Sheet, draw, svg_file
from app.settings import Settings
from tests.browser.office import Watch
from tests.drawn_calls import drawn_calls

pytestmark = pytest.mark.peer("chromium")


async def test_from_the_list_to_the_sound(page: Page, address: str) -> None:
    watch = Watch(page)
    await page.goto(f"{address}/checks")
    await page.get_by_role("row", name="城关镇").get_by_role("link").click()
    await page.wait_for_url("**/checks/3")
    assert await page.locator("h1").inner_text() == "云溪县城关镇值班电话 0000-5550103"
    player = page.locator("audio")
    assert not [url for url in watch.requests if "/recordings/3?" in url]
    await expect(page.locator(".wave-tools").first).to_be_visible()
    await page.locator("a[data-seek]").first.click()
    # Before the head of the sound is read, currentTime already reads the moment that was asked for.
    await page.wait_for_function(
        "() => (sound => sound.readyState > 0 && sound.currentTime > 24.05)(document.querySelector('audio'))",
        timeout=15_000,
    )
    duration = await player.evaluate("element => element.duration")
    assert duration == pytest.approx(28.6, abs=0.05)
    await player.evaluate("element => element.pause()")
    assert await page.locator("svg rect.ring").count() == 5
    assert watch.complaints == []
    assert {urlsplit(url).netloc for url in watch.requests} == {urlsplit(address).netloc}


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
    await page.locator("select[name=verdict]").select_option(label="设置彩铃")
    await page.locator("select[name=verdict]").press("Tab")
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


async def test_it_prints_on_paper(page: Page, address: str, tmp_path: Path) -> None:
    await page.goto(f"{address}/checks/3")
    await page.emulate_media(media="print")
    assert not await page.locator("audio").is_visible()
    assert not await page.locator("nav").first.is_visible()
    paper = await page.pdf(path=tmp_path / "check.pdf", prefer_css_page_size=True)
    assert paper.startswith(b"%PDF")
