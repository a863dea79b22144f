"""An office whose lines were all called once, for the tests of pages that need no phone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Page
from sqlalchemy import select

from app.accounts.permissions import Role
from app.checks.models import Recording
from app.database import Database, upgrade
from app.logs import configure
from app.settings import Settings
from tests.browser.office import Office, chromium, office
from tests.web.searching import say
from tests.web.seed import fill


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The office; in its third call something was said."""
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
    with office(settings.data_dir, phone=False) as running:
        yield running


@pytest.fixture
def settings(filled: Office) -> Settings:
    """The settings of that office."""
    return filled.settings


@pytest.fixture
def address(filled: Office) -> str:
    """Where its pages are."""
    return filled.address


@pytest.fixture
async def page(filled: Office) -> AsyncIterator[Page]:
    """A page of its supervisor."""
    async with chromium() as browser, filled.signed_in(browser, Role.SUPERVISOR) as opened:
        yield opened
