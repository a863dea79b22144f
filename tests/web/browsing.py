"""A browser without scripts: keeps cookies, and sends the token that stands in the page it looks at."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from app.accounts import people
from app.database import Database

GOOD = "Tide-7-lantern"
OTHER = "Quiet+4+harbour"


class Browser:
    """One browser, at one address, before one service."""

    def __init__(self, app: FastAPI, address: str = "127.0.0.1", base: str = "http://testserver") -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
        self.client = httpx.AsyncClient(transport=transport, base_url=base)
        self.page = ""

    async def get(self, path: str, status: int = 200) -> str:
        """Look at a page."""
        return self._seen(await self.client.get(path), status)

    async def post(self, path: str, status: int = 303, **fields: Any) -> str:
        """Send a form of the page that is looked at; return where it leads, or the page that came back."""
        answer = await self.send(path, **fields)
        assert answer.status_code == status, answer.text
        if status == 303:
            return answer.headers["location"]
        return self._seen(answer, status)

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form; return whatever comes back."""
        return await self.client.post(path, data={"csrf": self.csrf} | fields)

    @property
    def csrf(self) -> str:
        """The token of the page that is looked at."""
        found = re.search(r'name="csrf-token" content="([0-9a-f]*)"', self.page)
        return found.group(1) if found else ""

    def _seen(self, answer: httpx.Response, status: int) -> str:
        assert answer.status_code == status, answer.text
        self.page = answer.text
        return self.page

    async def sign_in(self, login: str, password: str, status: int = 303, next: str = "/") -> str:
        """Sign in by the form."""
        return await self.post("/sign-in", status, login=login, password=password, next=next)


@asynccontextmanager
async def browser(app: FastAPI, address: str = "127.0.0.1") -> AsyncIterator[Browser]:
    """A browser that is closed at the end."""
    opened = Browser(app, address)
    async with opened.client:
        yield opened


async def first_link(database: Database) -> str:
    """The path of a link that creates the first administrator."""
    async with database.unit_of_work() as session:
        return f"/enter/{await people.make_link(session, 'first')}"


def link_in(page: str) -> str:
    """The path of the one-time link that a page shows."""
    found = re.search(r"http://testserver(/enter/[\w-]+)", page)
    assert found, page
    return found.group(1)


def code_in(page: str) -> str:
    """The code that a page shows."""
    found = re.search(r'class="once">(\d{8})<', page)
    assert found, page
    return found.group(1)
