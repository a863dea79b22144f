"""`dutyring bench lists` asks for every page as the page wants to be asked."""

from __future__ import annotations

from http import HTTPStatus

import httpx

from app.bench.ask import Asked, page_requests
from app.bench.lists import HOST, NEWEST
from app.bench.people import signed_in
from app.database import Database
from app.main import create_app
from app.settings import Settings


async def test_no_page_wants_what_it_is_not_given(database: Database, settings: Settings) -> None:
    """Keys of the filled database are unknown to this one: that is no fault here."""
    settings = settings.model_copy(update={"allowed_hosts": (HOST,)})
    one_of_each: dict[tuple[str, str], Asked] = {}
    for asked in page_requests([1, 2], NEWEST, 100, [1, 30]):
        one_of_each.setdefault((asked.name, asked.page), asked)
    app = create_app(settings)
    refused = {}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        client.headers["Cookie"] = await signed_in(database, settings, None)
        for asked in one_of_each.values():
            answer = await client.get(asked.path, params=dict(asked.query))
            if answer.status_code not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.SEE_OTHER):
                refused[asked.name] = answer.status_code
    assert {"page /checks", "page /system/trunks/tests?trunk_name"} <= {
        asked.name for asked in one_of_each.values()
    }
    assert refused == {}
    await app.state.database.close()
