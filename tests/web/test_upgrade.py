"""A database that the first version made comes up to the present one with its data, works, and goes down again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, Row, create_engine, text

from app import clock
from app.checks import service
from app.checks.dispatcher import Dispatcher
from app.checks.facts import Facts
from app.checks.rules import Exemptions, Rules
from app.checks.verdict import judge
from app.database import Database, _blocking_url, downgrade, upgrade
from app.directory import repository as directory
from app.settings import Settings
from tests.web.apps import make_app
from tests.web.fake import FakePhone, answered

FIRST = "0001"
NOW = datetime(2026, 11, 20, 4, 0, 0, 482_000, tzinfo=UTC)
LONG_AGO = datetime(2026, 3, 2, 1, 30, 12, 345_000, tzinfo=UTC)
LATER = ("announcements", "line_state_vote", "answerer", "level", "trunk", "targets", "alarms")
"""Members of a call record that the first version did not write."""
_RECORD = answered("sip:1@127.0.0.1:5062").to_dict()
FACTS = {name: value for name, value in _RECORD.items() if name not in LATER}
VERDICT = judge(Facts.from_json(FACTS), Rules(), Exemptions()).to_dict()
CONTENT: dict[str, list[dict[str, Any]]] = {
    "units": [
        {"id": 1, "code": "001", "name": "云溪县应急管理局", "kind": "县直部门", "created_at": LONG_AGO},
        {"id": 2, "code": "002", "name": "云溪县水利局", "kind": "", "created_at": LONG_AGO},
    ],
    "duty_lines": [
        {"id": 1, "unit_id": 1, "name": "值班电话", "number": "0000-5550101", "target": "sip:1@127.0.0.1:5062",
         "active": True},
        {"id": 2, "unit_id": 2, "name": "值班电话", "number": "0000-5550102", "target": "sip:2@127.0.0.1:5062",
         "active": True},
    ],
    "line_exemptions": [
        {"id": 1, "line_id": 2, "kind": "forwarding", "first_day": LONG_AGO.date(), "last_day": None,
         "reason": "防汛期间准予转移"},
    ],
    "plans": [
        {"id": 1, "name": "第一季度", "running": True, "created_at": LONG_AGO},
        {"id": 2, "name": "暂停的计划", "running": False, "created_at": LONG_AGO},
    ],
    "spot_checks": [
        {"id": 1, "line_id": 1, "plan_id": 1, "due_at": LONG_AGO, "state": "done", "reason": "计划抽查：第一季度",
         "created_at": LONG_AGO},
        {"id": 2, "line_id": 2, "plan_id": None, "due_at": NOW, "state": "due", "reason": "指定抽查",
         "created_at": NOW},
        {"id": 3, "line_id": 1, "plan_id": 1, "due_at": NOW, "state": "planned", "reason": "计划抽查：第一季度",
         "created_at": LONG_AGO},
        {"id": 4, "line_id": 1, "plan_id": 1, "due_at": NOW + timedelta(days=9), "state": "planned",
         "reason": "计划抽查：第一季度", "created_at": LONG_AGO},
        {"id": 5, "line_id": 2, "plan_id": None, "due_at": LONG_AGO, "state": "withdrawn", "reason": "演示 2",
         "created_at": LONG_AGO},
    ],
    "attempts": [
        {"id": 1, "check_id": 1, "number": 1, "line_id": 1, "unit_id": 1, "target": "sip:1@127.0.0.1:5062",
         "state": "finished", "owner": "first", "claimed_at": LONG_AGO, "started_at": LONG_AGO,
         "ended_at": LONG_AGO + timedelta(seconds=10), "call_id": "a@b", "snapshot": json.dumps({"state": "x"}),
         "released_at": None, "error": None, "outcome": "answered", "answered_by": "human",
         "ring_to_answer_ms": 6000.125, "ring_to_answer_min_ms": 5999.5, "rings": 2, "three_ring": "within",
         "verdict_code": "within", "needs_review": False},
    ],
    "attempt_events": [
        {"id": 1, "attempt_id": 1, "at": LONG_AGO, "state": "claimed", "detail": ""},
        {"id": 2, "attempt_id": 1, "at": LONG_AGO, "state": "finished", "detail": "好"},
    ],
    "call_facts": [{"attempt_id": 1, "content": json.dumps(FACTS)}],
    "recordings": [
        {"id": 1, "attempt_id": 1, "path": "2026/03/02/check-1-attempt-1.flac", "sha256": "ab" * 32,
         "duration_ms": 10_000.5, "channels": 2, "sample_rate": 8000, "repaired": False, "created_at": LONG_AGO},
    ],
    "verdicts": [
        {"id": 1, "attempt_id": 1, "rule_set": "three-ring/1", "code": "within", "lawful": True,
         "needs_review": False, "content": json.dumps(VERDICT, ensure_ascii=False), "judged_at": LONG_AGO},
    ],
    "audit_events": [
        {"id": 1, "at": LONG_AGO, "who": "local", "action": "play", "subject": "recording:1", "detail": ""},
    ],
}  # fmt: skip
"""By table, in the order in which keys point; columns as the first version had them."""


@contextmanager
def connected(settings: Settings) -> Iterator[Connection]:
    engine = create_engine(_blocking_url(settings.url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def enter(connection: Connection) -> None:
    """Write the rows as the first version did."""
    is_sqlite = connection.dialect.name == "sqlite"
    for table, rows in CONTENT.items():
        for row in rows:
            values = {name: plain(value) if is_sqlite else value for name, value in row.items()}
            marks = ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"), values)
        if not is_sqlite and "id" in rows[0]:
            numbered = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {len(rows)})"
            connection.execute(text(numbered))


def plain(value: Any) -> Any:
    """A value as SQLite keeps it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if hasattr(value, "isoformat") else value


def stored(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """What stands in the columns of the first version."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table, rows in CONTENT.items():
        key = "id" if "id" in rows[0] else "attempt_id"
        read = connection.execute(text(f"SELECT {', '.join(rows[0])} FROM {table} ORDER BY {key}"))
        found[table] = [comparable(row) for row in read][: len(rows)]
    return found


def comparable(row: Row[Any]) -> dict[str, Any]:
    return {name: same(value) for name, value in row._mapping.items()}


def same(value: Any) -> Any:
    """A value in the one form for both databases."""
    if isinstance(value, datetime):
        return plain(value.astimezone(UTC))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, str) and value.startswith("{"):
        return json.dumps(json.loads(value), ensure_ascii=False, sort_keys=True)
    return int(value) if isinstance(value, bool) else plain(value)


EXPECTED = {
    table: [{name: same(value) for name, value in row.items()} for row in rows]
    for table, rows in CONTENT.items()
}


@pytest.fixture
def old(empty_settings: Settings) -> Settings:
    """Settings on a database of the first version with data, brought up to the present one."""
    settings = empty_settings.model_copy(
        update={"phone_process": False, "allowed_hosts": ("testserver",), "default_trunk": None}
    )
    assert upgrade(settings, FIRST) == FIRST
    with connected(settings) as connection:
        enter(connection)
        assert stored(connection) == EXPECTED
    upgrade(settings)
    return settings


def test_up_and_down_every_value_stays(old: Settings) -> None:
    with connected(old) as connection:
        assert stored(connection) == EXPECTED
        told = connection.execute(
            text("SELECT kind, unit_id, first_due_at = due_at, shelf FROM spot_checks ORDER BY id")
        ).all()
        assert [tuple(row) for row in told] == [
            ("random", 1, True, "random|done|||"),
            ("designated", 2, True, "designated|due|||"),
            ("random", 1, True, "random|planned|||"),
            ("random", 1, True, "random|planned|||"),
            ("demo", 2, True, "demo|withdrawn|||"),
        ]
        counts = connection.execute(text("SELECT counts FROM spot_checks ORDER BY id")).scalars().all()
        assert [bool(value) for value in counts] == [True, False, False, False, False]
        assert connection.execute(text("SELECT unit_id FROM recordings")).scalars().all() == [1]
        assert connection.execute(text("SELECT kind FROM attempts")).scalar_one() == "random"
        assert connection.execute(text("SELECT path FROM units ORDER BY id")).scalars().all() == ["1/", "2/"]
        assert connection.execute(text("SELECT state FROM plans ORDER BY id")).scalars().all() == [
            "running",
            "paused",
        ]
    assert downgrade(old, FIRST) == FIRST
    with connected(old) as connection:
        assert stored(connection) == EXPECTED
    upgrade(old)
    with connected(old) as connection:
        assert stored(connection) == EXPECTED


EVIDENCE = (
    "INSERT INTO recordings (attempt_id, kind, path, sha256, duration_ms, channels, sample_rate, repaired, gaps,"
    " created_at) VALUES (NULL, 'report', 'objects/cd/x.wav', 'cd', 900.5, 1, 8000, :no, '[]', :at)",
    "UPDATE recordings SET keep_until = :at, gaps = '[{}]', gone_why = 'withdrawn', gone_by = '李',"
    " gone_reason = '涉密' WHERE id = 1",
    "INSERT INTO recording_holds (recording_id, reason, placed_at, placed_by) VALUES (1, '争议', :at, '李')",
    "INSERT INTO recording_removals (recording_id, reason, state, requested_at, requested_by, decision_note)"
    " VALUES (1, '误录', 'requested', :at, '李', '')",
    "INSERT INTO transcriptions (recording_id, state, tries, requested_at, content) VALUES (1, 'done', 1, :at, '{}')",
    "INSERT INTO transcript_pieces (transcription_id, recording_id, called_at, unit_id, channel, start_ms, end_ms,"
    " text, sought) VALUES (1, 1, :at, 1, 'them', 0.5, 1.5, '您好', 'nin hao')",
    "INSERT INTO call_readings (attempt_id, transcription_id, content, made_at) VALUES (1, 1, '{}', :at)",
    "INSERT INTO answer_items (attempt_id, transcription_id, kind, heard, heard_pinyin, start_ms, end_ms, expected,"
    " grade, evidence, answer, note)"
    " VALUES (1, 1, 'name', '张', 'zhang', 0.5, 1.5, '', 'weak', '{}', 'unverified', '')",
    "INSERT INTO phone_records (number, source, recording_id, unit_id, called_at, state, created_at, created_by)"
    " SELECT '2026-0001', 'report', max(id), 1, :at, 'draft', :at, '李' FROM recordings",
    "INSERT INTO phone_record_versions (record_id, version, content, written_at, written_by)"
    " VALUES (1, 1, '{}', :at, '李')",
)
"""Rows of everything that revision 0010 brings."""


def test_recordings_as_evidence_go_down_and_the_calls_own_stay(old: Settings) -> None:
    for _ in range(2):
        with connected(old) as connection:
            at = plain(LONG_AGO) if connection.dialect.name == "sqlite" else LONG_AGO
            for statement in EVIDENCE:
                connection.execute(text(statement), {"at": at, "no": False})
        assert downgrade(old, "0009") == "0009"
        with connected(old) as connection:
            assert stored(connection) == EXPECTED
            assert connection.execute(text("SELECT count(*) FROM recordings")).scalar_one() == 1
        upgrade(old)
        with connected(old) as connection:
            (row,) = connection.execute(text("SELECT kind, gone_why, keep_until FROM recordings"))
            assert tuple(row) == ("check", None, None)


@pytest.fixture
async def client(old: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = make_app(old)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened
    await app.state.database.close()


async def test_pages_and_lists_show_what_was_there(client: httpx.AsyncClient) -> None:
    assert "云溪县应急管理局" in (await client.get("/checks")).text
    assert (await client.get("/checks/1")).status_code == 200
    told = (await client.get("/api/v1/checks/1")).json()["attempts"][0]
    assert told["facts"] == json.loads(json.dumps(FACTS))
    assert told["verdict"] == json.loads(json.dumps(VERDICT))
    assert told["recording"]["sha256"] == "ab" * 32
    listed = (await client.get("/api/v1/orders")).json()["items"]
    assert [order["id"] for order in listed] == [2, 5, 1]
    assert (await client.get("/api/v1/orders?unit=1")).json()["items"] == [listed[2]]
    for hidden in (3, 4):
        assert (await client.get(f"/api/v1/orders/{hidden}")).status_code == 404
        assert (await client.get(f"/api/v1/checks/{hidden}")).status_code == 404


async def test_what_was_due_is_called_and_what_was_planned_released(old: Settings, tmp_path: Path) -> None:
    phone = FakePhone(tmp_path / "sounds")
    with clock.running(lambda: NOW):
        await _call_what_is_due(old, phone)
    assert phone.dialled.count("sip:1@127.0.0.1:5062") == 2


async def _call_what_is_due(old: Settings, phone: FakePhone) -> None:
    async with Database(old.url) as database:
        async with database.unit_of_work() as session:
            released, missed = await service.release_due(session, NOW, 600.0)
        assert (released, missed) == (1, 0)
        dispatcher = Dispatcher(database, phone, old)
        await dispatcher.place_due()
        await dispatcher.idle()
        assert sorted(phone.dialled) == ["sip:1@127.0.0.1:5062", "sip:2@127.0.0.1:5062"]
        async with database.unit_of_work() as session:
            line = await directory.line(session, 1)
            assert line is not None
            await service.order_now(session, line, "指定抽查")
        await dispatcher.place_due()
        await dispatcher.idle()
