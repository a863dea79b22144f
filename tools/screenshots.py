"""Takes a picture of every page, in both languages, of a filled office: `python -m tools.screenshots`.

It calls the fictional county by the simulator (a minute and a half), fills the rest, and writes PNG files with a
palette and an index into docs/screenshots. Chromium is needed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import struct
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.permissions import Role
from app.checks.models import Attempt, SpotCheck
from app.database import Database
from app.demo import fill as enter_county
from app.demo import place_all, results
from tests.browser.office import Office, chromium, office
from tools.screenshots_office import fill

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
CALLS_PATIENCE_S = 240.0
MONTH = timedelta(days=30)
TOO_LONG_PX = 1600
"""A page is shown down to here."""
D, S, A = Role.DISPATCHER, Role.SUPERVISOR, Role.ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Shot:
    """One page: its file, its address, who reads it, what it is."""

    name: str
    path: str
    role: Role
    title: str


SHOTS: Sequence[Shot] = (
    Shot("today", "/today", S, "今日待办 · what waits, today's calls"),
    Shot("overview", "/overview", D, "总览 · overview"),
    Shot("live", "/live", D, "实时 · calls that are under way"),
    Shot("plans", "/plans", D, "抽查计划 · plans"),
    Shot("plan", "/plans/1", D, "一个计划 · a plan that runs"),
    Shot("plan-new", "/plans/new", D, "新建计划 · a new plan"),
    Shot("plan-preview", "/plans/2", D, "预览 · coverage and load without the moments"),
    Shot("designated", "/designated", D, "指定抽查 · a designated check"),
    Shot("manual", "/manual", D, "人工补录 · checks by hand"),
    Shot("manual-new", "/manual/new", D, "新的补录 · entering one"),
    Shot("prompts", "/prompts", D, "提示音 · prompts"),
    Shot("calendar", "/calendar", D, "日历 · calendar"),
    Shot("checks", "/checks", S, "抽查记录 · records"),
    Shot("check", "/checks/1", S, "一次抽查 · one check"),
    Shot("check-forwarded", "/checks/19", S, "一次抽查 · a call that was forwarded"),
    Shot("recordings", "/recordings", S, "录音 · recordings"),
    Shot("keeping", "/recordings/1/keeping", S, "录音保管 · how long a recording is kept"),
    Shot("samples", "/samples", S, "提示音样本 · samples of announcements"),
    Shot("phone-records", "/phone-records", D, "电话记录单 · phone records"),
    Shot("phone-record", "/phone-records/1", D, "一份记录单 · one of them"),
    Shot("phone-record-new", "/phone-records/new", D, "新的记录单 · a new one"),
    Shot("units", "/units", D, "单位与电话 · units and lines"),
    Shot("unit", "/units/1", D, "一个单位 · one unit"),
    Shot("lines", "/units/lines", D, "值班电话 · lines"),
    Shot("rosters", "/units/1/rosters", D, "值班表 · rosters"),
    Shot("rosters-all", "/units/rosters", D, "值班表报送 · who filed"),
    Shot("exemptions", "/units/exemptions", D, "豁免 · exemptions"),
    Shot("number-changes", "/units/number-changes", D, "改号 · changes of number"),
    Shot("confirmations", "/units/confirmations", D, "号码核实 · confirmations"),
    Shot("import", "/units/import", D, "导入 · an import"),
    Shot("import-preview", "", D, "导入预览 · its preview"),
    Shot("reports", "/reports", Role.INSPECTOR, "报表 · summary"),
    Shot("ranking", "/reports/ranking", Role.INSPECTOR, "得分 · ranking"),
    Shot("forms", "/reports/forms", Role.INSPECTOR, "表格 · forms"),
    Shot("publications", "/reports/publications", Role.INSPECTOR, "通报 · publications"),
    Shot("exports", "/reports/exports", Role.INSPECTOR, "导出 · exports"),
    Shot("stops", "/stops", S, "紧急停拨 · emergency stop"),
    Shot("system", "/system", A, "系统 · system"),
    Shot("trunks", "/system/trunks", A, "中继 · trunks"),
    Shot("rules", "/system/rules", A, "规则 · rule sets"),
    Shot("accounts", "/system/accounts", Role.SECURITY, "账号 · accounts"),
    Shot("audit", "/system/audit", Role.AUDITOR, "审计 · audit trail"),
    Shot("notices", "/system/notices", A, "通知 · notices"),
    Shot("state", "/system/state", A, "运行情况 · state"),
    Shot("doctor", "/system/doctor", A, "自检 · self-check"),
    Shot("storage", "/system/storage", A, "存储 · storage"),
    Shot("settings", "/system/settings", A, "设置 · settings"),
    Shot("account", "/account", D, "我的账号 · one's own account"),
    Shot("help", "/help", D, "帮助 · help"),
    Shot("not-allowed", "/system/audit", D, "没有权限 · not allowed"),
)
PALETTE = """async (source) => {
  const picture = await createImageBitmap(await (await fetch(source)).blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const room = canvas.getContext("2d");
  room.drawImage(picture, 0, 0);
  const pixels = room.getImageData(0, 0, picture.width, picture.height).data;
  const colours = new Uint32Array(pixels.length / 4), counts = new Map();
  for (let at = 0; at < colours.length; at++) {
    const c = (pixels[4 * at] << 16) | (pixels[4 * at + 1] << 8) | pixels[4 * at + 2];
    colours[at] = c;
    counts.set(c, (counts.get(c) || 0) + 1);
  }
  const kept = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 64).map(([c]) => c);
  const nearest = new Map(kept.map((c, i) => [c, i]));
  const find = (c) => {
    let best = 0, least = Infinity;
    kept.forEach((k, i) => {
      const green = ((k >> 8) & 255) - ((c >> 8) & 255);
      const d = ((k >> 16) - (c >> 16)) ** 2 + green ** 2 + ((k & 255) - (c & 255)) ** 2;
      if (d < least) [best, least] = [i, d];
    });
    nearest.set(c, best);
    return best;
  };
  let text = "";
  const bytes = new Uint8Array(colours.length);
  for (let at = 0; at < colours.length; at++) bytes[at] = nearest.get(colours[at]) ?? find(colours[at]);
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return { width: picture.width, height: picture.height, palette: kept, pixels: btoa(text) };
}"""
"""Runs in the browser, which reads its own pictures: the commonest 64 colours, each other pixel by the nearest."""


def png(found: dict[str, Any]) -> bytes:
    """Write a picture of indexed colours as a PNG file."""
    width, height = found["width"], found["height"]
    pixels = base64.b64decode(found["pixels"])
    rows = b"".join(b"\0" + pixels[at * width : (at + 1) * width] for at in range(height))
    palette = b"".join(colour.to_bytes(3, "big") for colour in found["palette"])
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


async def call_county(running: Office) -> None:
    """Call every line of the county once, and wait until all calls are over. Raises TimeoutError."""
    async with Database(running.settings.url) as database:
        async with database.unit_of_work() as session:
            await enter_county(session)
            ordered = await place_all(session)
        end = time.monotonic() + CALLS_PATIENCE_S
        while time.monotonic() < end:
            await asyncio.sleep(1)
            async with database.unit_of_work() as session:
                if all(result.done for result in await results(session, ordered)):
                    await _as_planned(session, ordered)
                    return
    raise TimeoutError("the calls of the county are not over")


async def _as_planned(session: AsyncSession, ordered: Sequence[int]) -> None:
    """Let the calls be those of a plan, half of them a month ago, so that months can be compared."""
    await session.execute(update(SpotCheck).where(SpotCheck.id.in_(ordered)).values(kind="random"))
    for check in await session.scalars(select(SpotCheck).where(SpotCheck.id.in_(ordered[::2]))):
        for name in ("due_at", "first_due_at", "created_at", "closed_at"):
            if getattr(check, name):
                setattr(check, name, getattr(check, name) - MONTH)
    for attempt in await session.scalars(select(Attempt).where(Attempt.check_id.in_(ordered[::2]))):
        for name in ("claimed_at", "started_at", "ended_at"):
            if getattr(attempt, name):
                setattr(attempt, name, getattr(attempt, name) - MONTH)


async def ring(running: Office) -> None:
    """Order some calls anew, so that lines ring while the pictures are taken."""
    async with Database(running.settings.url) as database, database.unit_of_work() as session:
        await place_all(session)


async def take(running: Office, browser: Browser, folder: Path, shots: Sequence[Shot]) -> None:
    """Take the pictures, in both languages."""
    for language in ("zh-CN", "en"):
        for role in dict.fromkeys(shot.role for shot in shots):
            async with running.signed_in(browser, role, language) as page:
                for shot in shots:
                    if shot.role == role:
                        await _one(running, page, shot, folder / f"{shot.name}.{language[:2]}.png")


async def _one(running: Office, page: Page, shot: Shot, file: Path) -> None:
    path = shot.path or await _upload(page, running)
    if shot.name == "live":
        await ring(running)
    await page.goto(f"{running.address}{path}")
    await page.wait_for_timeout(4_000 if shot.name == "live" else 300)
    height = await page.evaluate("document.documentElement.scrollHeight")
    await page.set_viewport_size({"width": 1366, "height": max(768, min(height, TOO_LONG_PX))})
    taken = await page.screenshot()
    await page.set_viewport_size({"width": 1366, "height": 768})
    await page.goto("about:blank")
    source = f"data:image/png;base64,{base64.b64encode(taken).decode()}"
    await asyncio.to_thread(file.write_bytes, png(await page.evaluate(PALETTE, source)))


async def _upload(page: Page, running: Office) -> str:
    """Bring a file with a bad cell; return the address of its preview."""
    await page.goto(f"{running.address}/units/import")
    table = "单位,值班电话\n云溪县档案馆,0000-5550777\n云溪县妇联,32l2346\n".encode()
    await page.set_input_files("#file", [{"name": "通讯录.csv", "mimeType": "text/csv", "buffer": table}])
    async with page.expect_navigation():
        await page.click("form.upload .go button")
    return page.url.removeprefix(running.address)


def write_index(folder: Path) -> None:
    """Write the page that shows them all."""
    rows = [
        "# The pages in pictures",
        "",
        "The office of a fictional county; every name and number is invented.",
        "`python -m tools.screenshots` takes them anew.",
        "",
    ]
    for shot in SHOTS:
        rows += [f"## {shot.title}", "", f"`{shot.path or '/units/import/…'}`, as {shot.role.value}", ""]
        rows += [
            f"![{shot.name}, Chinese]({shot.name}.zh.png)",
            "",
            f"![{shot.name}, English]({shot.name}.en.png)",
            "",
        ]
    (folder / "README.md").write_text("\n".join(rows), encoding="utf-8")


async def _pictures(running: Office, folder: Path, filled: bool, shots: Sequence[Shot]) -> None:
    if not filled:
        await call_county(running)
        await fill(running.settings)
    async with chromium() as browser:
        await take(running, browser, folder, shots)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder of the pictures")
    parser.add_argument("--data", type=Path, help="data folder of an office that was filled before")
    parser.add_argument("--only", nargs="*", default=[], help="names of pages")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as fresh:
        given.to.mkdir(parents=True, exist_ok=True)
        shots = [shot for shot in SHOTS if not given.only or shot.name in given.only]
        with office(given.data or Path(fresh) / "data") as running:
            asyncio.run(_pictures(running, given.to, given.data is not None, shots))
        write_index(given.to)


if __name__ == "__main__":
    main()
