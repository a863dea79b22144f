"""A whole office for the browser: simulated lines, the service with its phone, and an account for every role."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright
from pydantic import SecretStr
from sqlalchemy import select

from app.accounts import people, sessions
from app.accounts.gate import COOKIE
from app.accounts.models import Account
from app.accounts.permissions import Role
from app.database import Database, upgrade
from app.settings import Settings, TrunkSettings
from sip.simulator import DIGEST_PASSWORD, DIGEST_USER
from tests.peers import program

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = {
    Role.DISPATCHER: "周值班",
    Role.SUPERVISOR: "吴督查",
    Role.INSPECTOR: "郑检查",
    Role.ADMINISTRATOR: "王管理",
    Role.SECURITY: "冯安全",
    Role.AUDITOR: "陈审计",
}
OFFICE_SCREEN = {"width": 1366, "height": 768}


LEFT, ENDED = "htmx:sendAbort", "htmx:afterRequest"


class Watch:
    """What a browser asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if message.text.startswith(LEFT):
            # The page was left while a request of it was under way. htmx names an abort after the request's end.
            if self.complaints and self.complaints[-1].startswith(ENDED):
                self.complaints.pop()
            return
        self.complaints.append(message.text)


@dataclass(frozen=True, slots=True)
class Office:
    """A running office."""

    address: str
    settings: Settings

    async def cookie(self, role: Role) -> dict[str, str]:
        """Begin a session of the account with this role, as its browser keeps it; sign-in has tests of its own."""
        async with Database(self.settings.url) as database, database.unit_of_work() as session:
            account = (await session.scalars(select(Account).where(Account.login == f"day-{role}"))).one()
            secret = await sessions.begin(session, self.settings, account, "127.0.0.1", "browser")
        return {"name": COOKIE, "value": secret, "url": self.address, "sameSite": "Strict"}

    @asynccontextmanager
    async def signed_in(self, browser: Browser, role: Role, language: str = "zh-CN") -> AsyncIterator[Page]:
        """A page of somebody with this role, on an office screen."""
        context = await browser.new_context(
            viewport=OFFICE_SCREEN, locale=language, base_url=self.address, accept_downloads=True
        )
        chosen = {"name": "dutyring_language", "value": language, "url": self.address}
        await context.add_cookies([await self.cookie(role), chosen])
        try:
            yield await context.new_page()
        finally:
            await context.close()


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium"), headless=True, args=FLAGS
        )
        try:
            yield browser
        finally:
            await browser.close()


@contextmanager
def office(folder: Path, *, phone: bool = True, zone: str = "Asia/Shanghai") -> Iterator[Office]:
    """Run an office on a data folder and by the clocks of a zone; without `phone` its pages alone."""
    if not phone:
        with _service(Settings(data_dir=folder, phone_process=False, timezone=zone)) as running:
            yield running
        return
    far_end = subprocess.Popen(
        [sys.executable, "-m", "app.demo.far_end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert far_end.stdin is not None
    assert far_end.stdout is not None
    try:
        found = re.search(rb"listening on (\S+):(\d+)", far_end.stdout.readline())
        assert found is not None
        trunk = TrunkSettings(
            host=found[1].decode(),
            port=int(found[2]),
            user=DIGEST_USER,
            password=SecretStr(DIGEST_PASSWORD),
            max_calls=None,
            calls_per_s=None,
            per_called=None,
        )
        settings = Settings(
            data_dir=folder,
            timezone=zone,
            trunks={"main": trunk},
            default_trunk="main",
            max_ring_s=40.0,
            max_talk_s=14.0,
        )
        with _service(settings) as running:
            yield running
    finally:
        far_end.stdin.close()
        far_end.wait(timeout=20)
        far_end.stdout.close()


@contextmanager
def _service(settings: Settings) -> Iterator[Office]:
    upgrade(settings)
    asyncio.run(_accounts(settings))
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        env=os.environ | settings.environment(),
    )
    assert process.stdout is not None
    try:
        address = process.stdout.readline().decode().split()[-1].rstrip("/")
        _wait_for(f"{address}/healthz")
        yield Office(address, settings)
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


async def _accounts(settings: Settings) -> None:
    async with Database(settings.url) as database, database.unit_of_work() as session:
        for role, name in NAMES.items():
            if await session.scalar(select(Account).where(Account.login == f"day-{role}")) is None:
                account = await people.create(session, f"day-{role}", name, frozenset({role}))
                account.state = "active"


def _wait_for(address: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.1)
    raise TimeoutError(address)
