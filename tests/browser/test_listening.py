"""Listening in a real browser: the wave under the content security policy, loops, levels, keys, words that follow."""

from __future__ import annotations

import pytest
from playwright.async_api import Page
from sqlalchemy import select, text

from app.accounts.models import AuditEvent
from app.database import Database
from app.settings import Settings
from tests.browser.office import Watch

pytestmark = pytest.mark.peer("chromium")
SOUND = "document.querySelector('audio')"


async def at(page: Page) -> float:
    """Where the sound stands, in seconds."""
    found: float = await page.evaluate(f"{SOUND}.currentTime")
    return found


async def listenings(settings: Settings) -> list[tuple[str, str]]:
    """Who has heard the third recording, by the audit trail."""
    async with Database(settings.url) as database, database.reading() as session:
        query = select(AuditEvent).where(AuditEvent.subject == "recording:3").order_by(AuditEvent.id)
        return [(line.who, line.action) for line in await session.scalars(query)]


async def test_the_wave_is_drawn_and_the_sound_obeys_its_tools(
    page: Page, address: str, settings: Settings
) -> None:
    watch = Watch(page)
    before = await listenings(settings)
    await page.goto(f"{address}/checks/3")
    await page.locator(".wave-drawing canvas").first.wait_for()
    # Its picture is no listening: nothing of the sound was read, nothing is on record.
    assert not [url for url in watch.requests if "/recordings/3?" in url]
    assert await page.locator(".on-record").inner_text() == ""
    drawn = "[...document.querySelector('.wave-drawing > div').shadowRoot.querySelectorAll('canvas')]"
    assert await page.evaluate(f"{drawn}.filter(one => one.width > 100).length") >= 2
    inner = "document.querySelector('.wave-drawing > div').shadowRoot.querySelector('.wrapper')"
    layer = await page.evaluate(f"getComputedStyle({inner}).zIndex")
    assert layer == "2", "the style of the library was refused"
    assert await page.locator(".wave-marks .mark.proof").count() == 1
    await page.locator(".marks a", has_text="超时接听").click()
    await page.wait_for_function(
        f"() => {SOUND}.readyState > 0 && {SOUND}.currentTime > 24.05", timeout=15_000
    )
    assert await page.locator(".on-record").inner_text() == "本次收听已记入审计。"
    await page.get_by_label("速度").select_option("1.5")
    await page.get_by_label("对方音量").fill("50")
    assert await page.evaluate(f"[{SOUND}.playbackRate, {SOUND}.paused]") == [1.5, False]
    await page.get_by_role("button", name="播放 / 暂停").click()
    assert await page.evaluate(f"{SOUND}.paused")
    assert await listenings(settings) == [*before, ("吴督查", "play")]
    assert watch.complaints == []


async def test_keys_move_it_and_its_words_follow(page: Page, address: str) -> None:
    watch = Watch(page)
    await page.goto(f"{address}/checks/3#attempt-3&t=11.40")
    await page.locator(".wave-drawing canvas").first.wait_for()
    assert await at(page) == 10.9
    await page.keyboard.press(" ")
    await page.wait_for_function(f"() => {SOUND}.currentTime > 11.2", timeout=15_000)
    assert await page.locator("tr[aria-current]").inner_text() == "11.0 秒\t对方\t我是王强"
    await page.keyboard.press(" ")
    before = await at(page)
    await page.keyboard.press("ArrowRight")
    assert await at(page) == pytest.approx(before + 10, abs=0.3)
    await page.keyboard.press("Shift+ArrowLeft")
    assert await at(page) == pytest.approx(before + 9, abs=0.3)
    await page.keyboard.press("F7")
    assert await page.evaluate(f"{SOUND}.playbackRate") == 1.25
    # A loop: from here to one second later; what is looped is what a sample is marked of.
    await page.keyboard.press("F4")
    await page.keyboard.press("Shift+ArrowRight")
    await page.keyboard.press("F4")
    start, end = [
        await page.locator(f".sample-form [name={name}]").input_value() for name in ("start", "end")
    ]
    assert float(end) - float(start) == pytest.approx(1.0, abs=0.3)
    await page.keyboard.press(" ")
    await page.wait_for_function(f"() => {SOUND}.currentTime < {end} - 0.2", timeout=15_000)
    await page.keyboard.press(" ")
    await page.keyboard.press("F9")
    told = page.locator(".copied")
    await page.wait_for_function("() => document.querySelector('.copied').textContent !== ''")
    assert "已复制" in await told.inner_text() or "/checks/3#attempt-3&t=" in await told.inner_text()
    assert watch.complaints == []


async def test_a_moment_that_was_found_opens_at_its_words(page: Page, address: str) -> None:
    watch = Watch(page)
    await page.goto(f"{address}/checks/3#attempt-3&t=11.40")
    player = page.locator("#attempt-3 audio")
    assert await page.locator("tr.sought").all_inner_texts() == ["11.0 秒\t对方\t我是王强"]
    assert await player.evaluate("element => [element.currentTime, element.paused]") == [10.9, True]
    assert not [url for url in watch.requests if "/recordings/3?" in url]
    await page.keyboard.press(" ")
    await page.wait_for_function("() => document.querySelector('audio').currentTime > 11", timeout=15_000)
    assert await player.evaluate("element => element.currentTime") < 20
    await player.evaluate("element => element.pause()")
    await page.goto(f"{address}/checks/3#attempt-3&t=21.00")
    await page.locator("tr.sought", has_text="请讲").wait_for()
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
    # What is being written stays as it is, and so does the place where it is written.
    await page.locator("#beside summary").click()
    note = page.locator("#beside textarea")
    await note.fill("来电说明")
    async with database.unit_of_work() as session:
        await session.execute(text(change), {"state": "finished", "code": "busy"})
    await page.get_by_text("本次拨测正在进行").wait_for(state="detached", timeout=20_000)
    await database.close()
    assert await note.input_value() == "来电说明"
    assert await note.evaluate("element => element === document.activeElement")
    assert await page.locator(".ruling .code").inner_text() == "占线"
    asked = len(watch.requests)
    await page.wait_for_timeout(2_500)
    assert len(watch.requests) == asked
    assert watch.complaints == []


async def test_the_recordings_play_one_after_another(page: Page, address: str) -> None:
    watch = Watch(page)
    await page.goto(f"{address}/recordings")
    await page.locator("#recording-3 a.play").click()
    await page.wait_for_function(f"() => {SOUND}.readyState > 0", timeout=15_000)
    await page.evaluate(f"{SOUND}.currentTime = {SOUND}.duration - 0.1")
    await page.wait_for_function(
        f"() => document.querySelector('tr[aria-current]').id !== 'recording-3' && {SOUND}.readyState > 0",
        timeout=15_000,
    )
    assert await page.locator(".on-record").inner_text() == "本次收听已记入审计。"
    await page.evaluate(f"{SOUND}.pause()")
    assert watch.complaints == []
