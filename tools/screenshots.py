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
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from tests.browser.office import Office, chromium, office
from tools.screenshots_calls import call_county, ring, trunk_up
from tools.screenshots_office import fill
from tools.screenshots_pages import SHOTS, Shot

FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
TOO_LONG_PX = 1600
"""A page is shown down to here."""
DRAWN = """[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('canvas, svg')) &&
  ![...document.querySelectorAll('[hx-trigger="load"]')].some((later) => later.textContent.trim().endsWith('…')) &&
  !document.querySelector('.player .wave[hidden]')"""
"""Whether charts and waves stand, and what comes later came."""
DRAWN_S = 10.0
LIVE = "live"
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


async def take(running: Office, browser: Browser, folder: Path, shots: Sequence[Shot]) -> None:
    """Take the pictures, in both languages; those of calls under way last, for more calls are placed for them."""
    for part in (
        [shot for shot in shots if shot.name != LIVE],
        [shot for shot in shots if shot.name == LIVE],
    ):
        for language in ("zh-CN", "en"):
            for role in dict.fromkeys(shot.role for shot in part):
                async with running.signed_in(browser, role, language) as page:
                    for shot in (shot for shot in part if shot.role == role):
                        await _one(running, page, shot, folder / f"{shot.name}.{language[:2]}.png")


async def _one(running: Office, page: Page, shot: Shot, file: Path) -> None:
    path = shot.path or await _upload(page, running)
    if shot.name == LIVE:
        await ring(running)
    await page.goto(f"{running.address}{path}")
    if shot.name == "doctor":
        await page.click("main form button")
    await _settled(page, 8_000 if shot.name == LIVE else 400)
    height = await page.evaluate("document.documentElement.scrollHeight")
    await page.set_viewport_size({"width": 1366, "height": max(768, min(height, TOO_LONG_PX))})
    taken = await page.screenshot()
    await page.set_viewport_size({"width": 1366, "height": 768})
    await page.goto("about:blank")
    source = f"data:image/png;base64,{base64.b64encode(taken).decode()}"
    await asyncio.to_thread(file.write_bytes, png(await page.evaluate(PALETTE, source)))


async def _settled(page: Page, rest_ms: float) -> None:
    """Wait until a page is drawn, and a little longer. Asked again and again: no page lets a text be evaluated."""
    end = time.monotonic() + DRAWN_S
    while time.monotonic() < end and not await page.evaluate(DRAWN):
        await page.wait_for_timeout(100)
    await page.wait_for_timeout(rest_ms)


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
    there = [shot for shot in SHOTS if (folder / f"{shot.name}.zh.png").exists()]
    rows = [
        "# The pages in pictures",
        "",
        "The office of a fictional county, called by the simulator; every name and number is invented.",
        "`make screenshots` takes them anew. Date fields and file buttons speak the browser's own language.",
        "",
        "| page | address | seen by | what to see |",
        "|---|---|---|---|",
    ]
    rows += [
        f"| [{shot.title}](#{shot.name}) | `{shot.path or '/units/import/…'}` | {shot.role.value} | {shot.see} |"
        for shot in there
    ]
    for shot in there:
        rows += [
            "",
            f'<a id="{shot.name}"></a>',
            "",
            f"## {shot.title}",
            "",
            f"{shot.see[0].upper()}{shot.see[1:]}.",
        ]
        rows += [
            "",
            f"![{shot.title}]({shot.name}.zh.png)",
            "",
            f"![{shot.title}, in English]({shot.name}.en.png)",
        ]
    (folder / "README.md").write_text("\n".join([*rows, ""]), encoding="utf-8")


async def _pictures(running: Office, folder: Path, filled: bool, shots: Sequence[Shot]) -> None:
    if not filled:
        await call_county(running)
        await fill(running.settings)
    await trunk_up(running)
    async with chromium() as browser:
        await take(running, browser, folder, shots)


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder of the pictures")
    parser.add_argument("--data", type=Path, help="data folder to keep; one that is there was filled before")
    parser.add_argument("--only", nargs="*", default=[], help="names of pages")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as fresh:
        given.to.mkdir(parents=True, exist_ok=True)
        shots = [shot for shot in SHOTS if not given.only or shot.name in given.only]
        data = given.data or Path(fresh) / "data"
        filled = data.exists()
        with office(data) as running:
            asyncio.run(_pictures(running, given.to, filled, shots))
        write_index(given.to)


if __name__ == "__main__":
    main()
