"""A small county and people who sign in to its duty office, for the pages of the directory."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx

from app.accounts.permissions import Role
from app.database import Database
from app.directory import lines, people, tree
from app.directory.lines import Dialling, LineEntry
from app.directory.models import UnitRegime
from app.directory.people import PersonEntry
from app.directory.tree import UnitEntry
from app.settings import Settings
from sip.guard import DialPolicy
from tests.web.apps import own_doors
from tests.web.migrated import migrate
from tests.web.people import signed_in

MAY = Dialling(DialPolicy.open(), frozenset())
WILD = '<script>alert("一")</script> & “局”'
"""A name that must come out as it is written."""
LONG = "很长的单位名称" * 17


@dataclass(slots=True)
class Office:
    """The service with its county, and a browser for each person."""

    database: Database
    settings: Settings
    client: httpx.AsyncClient
    keys: Mapping[str, int]

    async def person(self, *roles: Role, units: list[str] | None = None) -> Browser:
        """Somebody with these roles, for some units or for all."""
        heads = None if units is None else [self.keys[name] for name in units]
        who = await signed_in(self.database, self.settings, *roles, unit_ids=heads)
        return Browser(self.client, dict(who.headers))


@dataclass(slots=True)
class Browser:
    """What somebody sends and reads."""

    client: httpx.AsyncClient
    headers: dict[str, str]

    async def get(self, path: str, status: int = 200, *, english: bool = False) -> str:
        """Read a page; return its text as it is sent."""
        headers = dict(self.headers)
        if english:
            headers["Cookie"] += "; dutyring_language=en"
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == status, (path, answer.status_code, answer.text[-800:])
        return answer.text

    async def send(self, path: str, status: int = 303, **given: Any) -> httpx.Response:
        """Send a form; return the answer."""
        answer = await self.client.post(path, headers=self.headers, data=given)
        assert answer.status_code == status, (path, answer.status_code, plain(answer.text)[-800:])
        return answer

    async def change(self, path: str, status: int = 303, **given: Any) -> httpx.Response:
        """Open a form, change what is given of it, and send it, as a browser does."""
        return await self.send(path, status, **(filled(await self.get(path)) | given))


def filled(page: str) -> dict[str, Any]:
    """What the form of a page would send as it stands."""
    form = page[page.index('<form class="sheet entry"') :]
    found: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        held = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if held.get("type") == "checkbox" and " checked" not in tag:
            continue
        found[held["name"]] = html.unescape(held.get("value", ""))
    for name, options in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        assert chosen is not None
        found[name] = chosen[1]
    for name, value in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = html.unescape(value)
    return found


def plain(page: str) -> str:
    """The words of a page as they are read, in one line."""
    body = page[page.find('<main id="main">') :] if '<main id="main">' in page else page
    body = body.partition("</main>")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


@asynccontextmanager
async def office_of(settings: Settings) -> AsyncIterator[Office]:
    """The service on a fresh database of these settings, with its county."""
    migrate(settings)
    settings = settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    app = own_doors(settings)
    database: Database = app.state.database
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        keys = await enter_county(database)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            yield Office(database, settings, client, keys)
    finally:
        await database.close()


async def enter_county(database: Database) -> Mapping[str, int]:
    """Enter the county; return the keys of its parts by a short name."""
    async with database.unit_of_work() as session:
        county = await tree.enter_unit(session, UnitEntry("C01", "云溪县", category="county"))
        departments = await tree.enter_unit(session, UnitEntry("C01-B", "直属各局"), county.id)
        water = await tree.enter_unit(
            session, UnitEntry("C01-B1", "水利局", category="county_department"), departments.id
        )
        closed = await tree.enter_unit(
            session, UnitEntry("C01-B2", "原农机局", last_day=date(2020, 3, 1)), departments.id
        )
        town = await tree.enter_unit(
            session, UnitEntry("C01-T1", "城关镇", category="town", handover_times=("08:30",)), county.id
        )
        wild = await tree.enter_unit(session, UnitEntry("C01-T1-1", WILD), town.id)
        deep = await tree.enter_unit(session, UnitEntry("C01-T1-1-1", LONG), wild.id)
        line = await lines.enter_line(
            session, town, LineEntry("0917-3212345", pilot_numbers=("0917-3210000",)), MAY
        )
        inner = await lines.enter_line(session, town, LineEntry("转8012", name="夜间"), MAY)
        inner.verification, inner.failed_calls = "failed", 3
        fax = await lines.enter_line(session, town, LineEntry("0917-3212345", kind="fax", name="传真"), MAY)
        await lines.share(session, line, [water.id])
        officer = await people.enter_person(
            session, town.id, PersonEntry("李四", "科员", "duty_officer", "contract", "13800001111")
        )
        await tree.set_regime(
            session, town, UnitRegime(first_day=date(2020, 1, 1), duty="onsite", leader="phone")
        )
        await tree.set_regime(
            session, water, UnitRegime(first_day=date(2020, 1, 1), duty="onsite", leader="none")
        )
        return {
            "county": county.id,
            "departments": departments.id,
            "water": water.id,
            "closed": closed.id,
            "town": town.id,
            "wild": wild.id,
            "deep": deep.id,
            "line": line.id,
            "inner": inner.id,
            "fax": fax.id,
            "officer": officer.id,
        }
