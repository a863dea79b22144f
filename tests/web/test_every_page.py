"""What every page says, whatever it is about: asked for over all routes that there are."""

from __future__ import annotations

import re

import httpx
from fastapi.routing import iter_route_contexts

from app.database import Database
from app.settings import Settings
from app.web import i18n
from tests.web.apps import make_app, own_doors
from tests.web.seed import fill

SECRECY = "非密系统，严禁录入涉密信息"
ENDLESS = {"/live/stream"}
"""Answers without an end, which a client inside the process would wait for."""


def pages() -> list[str]:
    """The address of every way that is read and is no JSON, with 1 for each parameter."""
    app = make_app(Settings(phone_process=False))
    found = set()
    for context in iter_route_contexts(app.routes):
        path, methods = getattr(context, "path", None), getattr(context, "methods", None) or ()
        if path and "GET" in methods and not path.startswith(("/api/", "/static")):
            found.add(re.sub(r"\{[^}]+\}", "1", path))
    return sorted(found - ENDLESS)


async def test_every_page_forbids_secrets(database: Database, settings: Settings) -> None:
    await fill(database, settings)
    app = make_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        whole = {
            path for path in [*pages(), "/no-such-page", "/checks?after=x"] if await says_it(client, path)
        }
    assert {
        "/today",
        "/checks",
        "/checks/1",
        "/account",
        "/system/accounts",
        "/enter/1",
        "/no-such-page",
    } <= whole
    await app.state.database.close()


async def says_it(client: httpx.AsyncClient, path: str) -> bool:
    """Whether this is a whole page; it then says so, in each language."""
    for language in i18n.LANGUAGES:
        cookie = {"Cookie": f"dutyring_language={language}"}
        async with client.stream("GET", path, headers=cookie) as answer:
            if not answer.headers.get("content-type", "").startswith("text/html"):
                return False
            text = (await answer.aread()).decode()
        if "<html" not in text:
            return False
        assert i18n.catalogue(language).get(SECRECY, SECRECY) in text, path
        assert f'<html lang="{language}">' in text, path
    return True


async def test_signing_in_and_errors_say_it_too(database: Database, settings: Settings) -> None:
    app = own_doors(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        for method, path in (
            ("GET", "/sign-in"),
            ("POST", "/sign-in"),
            ("GET", "/enter/x"),
            ("POST", "/enter/x"),
        ):
            assert SECRECY in (await client.request(method, path)).text, path
        app.state.sign_in_limits = None
        broken = await client.post("/sign-in", data={"login": "a", "password": "b"})
        assert broken.status_code == 500
        assert SECRECY in broken.text
    await app.state.database.close()
