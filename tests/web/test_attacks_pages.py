"""Markup in everything that is stored: unit names, transcripts, SIP headers, prompts, logins; no page lets it act."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright

from app.accounts import secrets
from app.accounts.gate import COOKIE
from app.accounts.models import Account, AuditEvent
from app.accounts.permissions import Role, apart
from app.accounts.sessions import begin
from app.clock import now
from app.commands.serve import listen, service
from app.database import Database
from app.planning.models import Prompt
from app.samples.models import AnnouncementSample
from app.settings import Settings
from tests.peers import program
from tests.web.apps import own_doors
from tests.web.people import SignedIn, account, signed_in
from tests.web.test_authorisation import Way, ways_of
from tests.web.twin import Twin, copied

MARK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
ACTING = ("<script>alert", "<img src=x", "onerror=alert(2)>")


async def poison(database: Database) -> None:
    """Put markup where the two counties have none: prompts, samples, the trail, names of accounts."""
    async with database.unit_of_work() as session:
        session.add_all(
            [
                Prompt(
                    kind="opening", name=f"开{MARK}"[:80], words=f"您好{MARK}", path="prompts/x", sha256="0" * 64,
                    duration_ms=1.0, created_at=now(), created_by=MARK[:80],
                ),
                AnnouncementSample(
                    meaning="powered_off", label=MARK[:120], version=1, prints=b"", length_ms=1.0, source=MARK,
                    marked_by=MARK[:80], marked_at=now(),
                ),
                AuditEvent(
                    at=now(), who=MARK[:80], action=MARK[:40], subject=MARK[:80], detail=MARK, address=MARK[:64],
                ),
            ]
        )  # fmt: skip


async def people_of(database: Database, settings: Settings) -> list[SignedIn]:
    """Somebody for each role, whose own name is markup."""
    found = []
    for roles in (
        (Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR),
        (Role.ADMINISTRATOR,),
        (Role.SECURITY,),
        (Role.AUDITOR,),
    ):
        assert apart(roles)
        found.append(await signed_in(database, settings, *roles, name=f"{roles[0]}{MARK}"[:80]))
    return found


def pages_of(ways: list[Way], twin: Twin) -> list[str]:
    return [
        way.address(twin.here) for way in ways if way.method == "GET" and not way.path.startswith("/api/")
    ]


@pytest.fixture
async def poisoned(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, Database, Twin]]:
    twin = copied(settings, MARK)
    app = own_doors(settings)
    await poison(app.state.database)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        client.app = app  # type: ignore[attr-defined]
        yield client, app.state.database, twin
    await app.state.database.close()


async def test_no_page_lets_markup_act(
    poisoned: tuple[httpx.AsyncClient, Database, Twin], settings: Settings
) -> None:
    client, database, twin = poisoned
    wrong, seen = [], 0
    addresses = pages_of(ways_of(client.app), twin)  # type: ignore[attr-defined]
    asked = [f"{address}?unit={MARK}&q={MARK}&who={MARK}&since={MARK}&next=/{MARK}" for address in addresses]
    for who in await people_of(database, settings):
        for address in (*addresses, *asked, f"/nothing/{MARK}", f"/sign-in?next=/{MARK}"):
            for language in ("zh-CN", "en") if address in addresses else ("zh-CN",):
                cookie = f"{who.headers['Cookie']}; dutyring_language={language}"
                answer = await client.get(address, headers={"Cookie": cookie})
                if answer.status_code >= 500:
                    wrong.append(f"{address}: {answer.status_code}")
                if "html" in answer.headers.get("content-type", ""):
                    wrong += [f"{address}: {part}" for part in ACTING if part in answer.text]
                    seen += "&lt;script&gt;alert" in answer.text
    assert wrong == []
    assert seen > 20
    for address in ("/sign-in", "/nothing", f"/enter/{MARK}"):
        page = await client.post("/sign-in", data={"login": MARK, "password": "x", "next": f"/{MARK}"})
        assert not any(part in page.text for part in ACTING), address


@pytest.mark.peer("chromium")
@pytest.mark.timeout(600)
async def test_a_browser_runs_none_of_it(settings: Settings) -> None:
    settings = settings.model_copy(update={"allowed_hosts": ("127.0.0.1",)})
    twin = copied(settings, MARK)
    with listen("127.0.0.1", 0) as listener:
        server = service(settings)
        app = server.config.app
        database: Database = app.state.database  # type: ignore[union-attr]
        await poison(database)
        who = await account(database, Role.DISPATCHER, Role.SUPERVISOR, Role.INSPECTOR)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            addresses = pages_of(ways_of(app), twin)  # type: ignore[arg-type]
            assert await _visited(base, await _cookie(database, settings, who), addresses) == []
        finally:
            server.should_exit = True
            await serving


async def _cookie(database: Database, settings: Settings, who: Account) -> str:
    async with database.unit_of_work() as session:
        return await begin(session, settings, who, "127.0.0.1", "test")


async def _visited(base: str, cookie: str, addresses: list[str]) -> list[str]:
    """Open pages with their scripts running; return what acted, or was kept from acting."""
    found: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        context = await browser.new_context(locale="zh-CN")
        await context.add_cookies([{"name": COOKIE, "value": cookie, "url": base}])
        page = await context.new_page()
        page.on("dialog", lambda dialog: found.append(f"dialog {dialog.message}"))
        page.on("console", lambda said: found.append(said.text) if "Security Policy" in said.text else None)
        page.on("request", lambda asked: found.append(asked.url) if asked.url.endswith("/x") else None)
        for address in addresses:
            if address.startswith("/recordings/") and address.count("/") == 2:
                # A sound, no page.
                continue
            try:
                await page.goto(f"{base}{address}", wait_until="load")
            except PlaywrightError as error:
                # A file, which the browser keeps and does not show.
                if "Download is starting" not in error.message:
                    raise
        await browser.close()
    return found


def test_a_token_of_a_page_is_no_markup() -> None:
    assert secrets.csrf_token(secrets.new()).isalnum()
