"""What the API makes of requests before any route sees them, and how its errors look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict

from app.accounts.gate import authorise
from app.api.actor import Actor
from app.api.guard import MOST_BYTES
from app.api.text import Day, Id, Long, Moment, Name, Number
from app.database import Database
from app.settings import Settings
from tests.web.apps import make_app

ACTOR = {"X-DutyRing-Actor": quote("王小明")}
router = APIRouter(prefix="/api/v1/test", tags=["test"])
FILE: dict[str, Any] = {"requestBody": {"content": {"audio/wav": {"schema": {"type": "string"}}}}}


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Name
    words: Long = ""
    at: Moment | None = None
    day: Day | None = None
    key: Id = 1
    number: Number = 0.0
    further: dict[str, Any] | None = None


@router.post("/things")
async def add(given: Given, who: Actor) -> dict[str, Any]:
    return {"who": who, "given": given.model_dump(mode="json")}


@router.post("/files", openapi_extra=FILE)
async def take_file(request: Request) -> int:
    return len(await request.body())


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """What a service with nothing but these routes says of them."""
    alone = FastAPI()
    alone.include_router(router)
    return alone.openapi()


@pytest.fixture
async def client(
    database: Database, settings: Settings, described: dict[str, Any]
) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(settings)
    app.include_router(router)
    whole = app.openapi()
    whole = whole | {"paths": whole["paths"] | described["paths"]}
    app.openapi = lambda: whole  # type: ignore[method-assign]
    # These routes are the test's own, and stand among no doors.
    app.dependency_overrides[authorise] = lambda: None
    # A failure of ours would be raised here, not answered.
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened
    await app.state.database.close()


async def post(client: httpx.AsyncClient, body: bytes | str, **headers: str) -> httpx.Response:
    given = {"Content-Type": "application/json"} | ACTOR | headers
    return await client.post(
        "/api/v1/test/things", content=body, headers={name: value for name, value in given.items() if value}
    )


def is_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, Any] = answer.json()
    assert content["status"] == status
    assert content["title"]
    return content


async def test_a_name_in_chinese_and_a_moment_in_another_zone_arrive(client: httpx.AsyncClient) -> None:
    answer = await post(
        client, '{"name": "  总值班室 ", "at": "2026-05-01T08:30:00+08:00", "day": "2026-05-01"}'
    )
    assert answer.status_code == 200
    assert answer.json()["who"] == "王小明"
    given = answer.json()["given"]
    assert (given["name"], given["at"], given["day"]) == ("总值班室", "2026-05-01T00:30:00Z", "2026-05-01")


@pytest.mark.parametrize(
    "body", ["{", "", "nonsense", '{"name": NaN}', "[" * 100_000, '{"key": ' + "9" * 5_000 + "}", b"\xff\xfe"]
)
async def test_what_is_no_json_is_a_bad_request(client: httpx.AsyncClient, body: str | bytes) -> None:
    answer = await post(client, body)
    is_problem(answer, 422 if body == "" else 400)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ('{"name": "a\\u0000b"}', "body.name"),
        ('{"name": "x", "words": "\\ud800"}', "body.words"),
        ('{"name": "x", "further": {"a": ["b", "\\udfff"]}}', "body.further.a.1"),
        ('{"name": "x", "further": {"\\u0000": 1}}', "body.further"),
        ('{"name": "x", "further": {"n": 1e999}}', "body.further.n"),
        ('{"name": "a\\nb"}', "body.name"),
        ('{"name": "   "}', "body.name"),
        ('{"name": "%s"}' % ("x" * 81), "body.name"),
        ('{"name": "x", "at": "0001-01-01T00:00:00+14:00"}', "body.at"),
        ('{"name": "x", "at": "9999-12-31T23:59:59-14:00"}', "body.at"),
        ('{"name": "x", "at": "2026-05-01T08:30:00"}', "body.at"),
        ('{"name": "x", "at": 20260501}', "body.at"),
        ('{"name": "x", "day": "20260501"}', "body.day"),
        ('{"name": "x", "day": "2026-02-30"}', "body.day"),
        ('{"name": "x", "key": 9223372036854775808}', "body.key"),
        ('{"name": "x", "number": 1e300}', "body.number"),
        ('{"name": "x", "unheard_of": 1}', "body.unheard_of"),
    ],
)
async def test_what_no_database_could_store_is_refused_by_its_name(
    client: httpx.AsyncClient, body: str, where: str
) -> None:
    problem = is_problem(await post(client, body), 422)
    assert where in [fault["where"] for fault in problem["errors"]]


async def test_a_body_has_a_type_and_a_size(client: httpx.AsyncClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        is_problem(await post(client, '{"name": "x"}', **{"Content-Type": kind}), 415)
    assert (
        await post(client, '{"name": "x"}', **{"Content-Type": "application/vnd.x+json"})
    ).status_code == 200
    is_problem(await post(client, b'{"name": "' + b"x" * MOST_BYTES + b'"}'), 413)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * (MOST_BYTES // 20)

    streamed = await client.post(
        "/api/v1/test/things", content=pieces(), headers=ACTOR | {"Content-Type": "application/json"}
    )
    is_problem(streamed, 413)


async def test_a_file_may_be_larger_than_json_but_not_without_end(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/api/v1/test/files"
    answer = await client.post(
        address, content=b"x" * (MOST_BYTES + 1), headers={"Content-Type": "audio/wav"}
    )
    assert answer.json() == MOST_BYTES + 1
    monkeypatch.setattr("app.api.guard.MOST_FILE_BYTES", 2 * MOST_BYTES)
    is_problem(await client.post(address, content=b"x" * (2 * MOST_BYTES + 1)), 413)


async def test_pages_elsewhere_on_the_web_change_nothing(client: httpx.AsyncClient) -> None:
    body = '{"name": "x"}'
    for header in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ):
        is_problem(await post(client, body, **header), 403)
    for header in (
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://testserver"},
        {},
    ):
        assert (await post(client, body, **header)).status_code == 200
    # A link to a list may stand anywhere.
    read = await client.get("/api/v1/checks", headers={"Sec-Fetch-Site": "cross-site"})
    assert read.status_code == 200


async def test_errors_of_addresses_are_problems_and_say_what_would_be_right(
    client: httpx.AsyncClient,
) -> None:
    is_problem(await client.get("/api/v1/nowhere"), 404)
    wrong = await client.put("/api/v1/checks")
    is_problem(wrong, 405)
    assert wrong.headers["allow"] == "GET"
    assert is_problem(await client.get("/api/v1/orders/0"), 422)["errors"][0]["where"] == "path.order_id"
    assert "7" in is_problem(await client.get("/api/v1/orders/7"), 404)["detail"]


async def test_the_description_names_problems_tags_and_who_asks(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/openapi.json")).json()
    names = []
    ours = {path: each for path, each in document["paths"].items() if not path.startswith(router.prefix)}
    assert len(ours) > 100
    for path, operations in ours.items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            assert operation["tags"], path
            expected = {"400", "401", "403", "404", "409", "422"} | (
                set() if method == "get" else {"413", "415"}
            )
            assert expected <= operation["responses"].keys(), path
            assert "application/problem+json" in operation["responses"]["422"]["content"]
    assert len(names) == len(set(names))
    assert document["security"] == [{"token": []}, {"session": []}]
    assert "HTTPValidationError" not in document["components"]["schemas"]
