"""Alive, ready, figures, and the log of requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from structlog.testing import capture_logs

from app.checks import alarms, engine_board
from app.checks.dispatcher import Dispatcher
from app.checks.models import Attempt
from app.database import Database
from app.directory.models import DutyLine
from app.operations.readiness import head_revision
from app.settings import Settings, TrunkSettings
from sip.media import CapacityEstimate
from tests.web.apps import make_app
from tests.web.fake import FakePhone
from tests.web.seed import NAMES, fill
from tests.web.test_ledger import order

TOKEN = "a token of some length"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    return Settings(
        data_dir=tmp_path / "data",
        phone_process=False,
        allowed_hosts=("testserver",),
        metrics_token_file=token,
        trunks={"main": TrunkSettings(host="192.0.2.1"), "09173262000": TrunkSettings(host="192.0.2.2")},
    )


@pytest.fixture
async def app(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    made = make_app(settings)
    yield made
    await made.state.database.close()


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened


async def figures(client: httpx.AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_metrics_are_for_who_has_the_token(client: httpx.AsyncClient, settings: Settings) -> None:
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = await client.get("/metrics", headers=given)
        assert answer.status_code == 401
        assert "dutyring_" not in answer.text
    assert settings.metrics_token_file is not None
    for content in ("", "short"):
        settings.metrics_token_file.write_text(content)
        assert (
            await client.get("/metrics", headers={"Authorization": f"Bearer {content}"})
        ).status_code == 503
    settings.metrics_token_file.unlink()
    assert (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 503


async def test_without_a_token_in_the_settings_there_are_no_metrics(
    tmp_path: Path, database: Database
) -> None:
    app = make_app(Settings(data_dir=tmp_path / "data", phone_process=False, allowed_hosts=("testserver",)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        assert (await client.get("/metrics")).status_code == 404
    await app.state.database.close()


async def test_the_media_engine_is_told_of_while_there_is_a_phone(
    client: httpx.AsyncClient, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Measured:
        def capacity_estimate(self) -> CapacityEstimate:
            return CapacityEstimate(1500, "tick", 9.0, 900, 8.0, sessions=900, tick_ms_p99=12.5)

    assert not any(name.startswith("dutyring_engine_") for name in await figures(client))
    assert isinstance(Measured(), engine_board.MeasuredPhone)
    telling = asyncio.create_task(engine_board.tell(Measured(), settings))
    while engine_board.read(settings) is None:
        await asyncio.sleep(0.01)
    telling.cancel()
    found = await figures(client)
    assert found["dutyring_engine_calls"] == 900
    assert found["dutyring_engine_calls_limit"] == 1500
    assert found["dutyring_engine_tick_p99_seconds"] == pytest.approx(0.0125)
    monkeypatch.setattr(engine_board, "STALE_S", -1.0)
    assert not any(name.startswith("dutyring_engine_") for name in await figures(client)), "a dead phone's"


async def test_figures_are_those_of_the_records_and_name_nobody(
    client: httpx.AsyncClient, database: Database, settings: Settings, tmp_path: Path
) -> None:
    await fill(database, settings)
    async with database.unit_of_work() as session:
        await alarms.raise_alarm(session, "disk_low", "", "云溪县")
    found = await figures(client)
    calls = {name: value for name, value in found.items() if name.startswith("dutyring_calls_total")}
    assert sum(calls.values()) == len(NAMES)
    assert calls['dutyring_calls_total{outcome="no_answer",state="finished"}'] == 1
    assert calls['dutyring_calls_total{outcome="none",state="failed"}'] == 1
    assert found["dutyring_ring_seconds_count"] == found['dutyring_ring_seconds_bucket{le="+Inf"}'] == 5
    async with database.reading() as session:
        rung = [
            ms / 1000 for ms in await session.scalars(select(Attempt.ring_to_answer_ms)) if ms is not None
        ]
    assert found["dutyring_ring_seconds_sum"] == pytest.approx(sum(rung))
    for limit in (5, 11, 15, 20, 60):
        assert found[f'dutyring_ring_seconds_bucket{{le="{limit}"}}'] == sum(s <= limit for s in rung)
    assert found['dutyring_office_alarms{kind="disk_low"}'] == 1
    assert found['dutyring_trunk_state{state="unknown",trunk="main"}'] == 1
    assert found['dutyring_transcripts{state="waiting"}'] > 0
    told = (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text
    assert "云溪县" not in told
    assert not re.search(r"0000-?555|0917|3262000", told)

    # A call under way is counted once it is over, and what was counted stays.
    phone = FakePhone(settings.recordings_dir)
    dispatcher = Dispatcher(database, phone, settings)
    async with database.reading() as session:
        line = (await session.scalars(select(DutyLine).order_by(DutyLine.id).limit(1))).one()
    await order(database, line)
    assert (await figures(client))["dutyring_checks_due"] == 1
    await dispatcher.place_due()
    await dispatcher.idle()
    again = await figures(client)
    assert sum(v for name, v in again.items() if name.startswith("dutyring_calls_total")) == len(NAMES) + 1
    assert again["dutyring_ring_seconds_count"] == 6


async def test_every_metric_is_documented_and_none_else(client: httpx.AsyncClient, app: FastAPI) -> None:
    await client.get("/healthz")
    answer = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", answer.text, re.MULTILINE))
    told = {name: kind for name, kind in kinds.items() if not name.endswith("_created")}
    rows = re.findall(r"^\| `(dutyring_\w+)` \| (\w+) \|", PAGE.read_text(), re.MULTILINE)
    assert told == dict(rows)


async def test_requests_are_counted_by_route_and_logged_without_query_or_body(
    client: httpx.AsyncClient, database: Database
) -> None:
    with capture_logs() as lines:
        first = await client.get("/checks/4711?unit=secret-word")
        await client.get("/no/such/secret-word")
        await client.post("/sign-in", data={"login": "secret-word", "password": "secret-word"})
        await client.get("/healthz")
    assert first.status_code == 404
    told = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["route"], line["status"], line["account"]) for line in told] == [
        ("GET", "/checks/{check_id}", 404, 0),
        ("GET", "none", 404, 0),
        ("POST", "/sign-in", 403, 0),
    ], "what machines ask each second stands there at level debug alone"
    assert "secret-word" not in str(lines)
    assert re.fullmatch("[0-9a-f]{16}", first.headers["x-request-id"])
    found = await figures(client)
    assert (
        found['dutyring_http_request_seconds_count{method="GET",route="/checks/{check_id}",status="4xx"}']
        == 1
    )


async def test_readiness_names_what_is_not_ready(
    client: httpx.AsyncClient, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.operations.readiness.KEPT_S", 0.0)

    async def ask() -> tuple[int, dict[str, str]]:
        answer = await client.get("/readyz")
        return answer.status_code, answer.json()

    assert await ask() == (200, {"status": "ready", "database": "ok", "archive": "ok", "phone": "off"})
    for revision, word in (("0001", "old"), ("9999", "newer"), (head_revision(), "ok")):
        async with database.unit_of_work() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        status, told = await ask()
        assert (status, told["database"]) == (200 if word == "ok" else 503, word)
    async with database.unit_of_work() as session:
        await alarms.raise_alarm(session, "recordings_unstored")
    assert (await ask())[1]["archive"] == "failed"
    async with database.unit_of_work() as session:
        await alarms.clear_alarm(session, "recordings_unstored")
        await session.execute(text("DROP TABLE alembic_version"))
    assert (await ask())[1]["database"] == "failed"
    settings.recordings_dir.rmdir()
    settings.recordings_dir.write_text("no folder")
    assert await ask() == (
        503,
        {"status": "not ready", "database": "failed", "archive": "failed", "phone": "off"},
    )
