"""Requests that are sent again, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.api.idempotency import KEPT, once
from app.api.models import IdempotencyKey
from app.api.paging import pack, unpack
from app.database import Database
from app.errors import BadInputError, ConflictError

ROUTE = "POST /api/v1/test"


async def work(session: AsyncSession) -> tuple[int, dict[str, Any]]:
    """Count how often it was done, slowly."""
    count = await audit.count_of(session, "call:1")
    await audit.record(session, "call", "call:1")
    await asyncio.sleep(0.05)
    return 201, {"number": count + 1}


async def done(database: Database) -> int:
    async with database.reading() as session:
        return await audit.count_of(session, "call:1")


async def test_however_often_a_request_arrives_at_once_it_is_done_once(either: Database) -> None:
    answers = await asyncio.gather(*(once(either, "key-00001", ROUTE, {"a": 1}, work) for _ in range(8)))
    assert await done(either) == 1
    assert {answer.status_code for answer in answers} == {201}
    assert [json.loads(answer.body) for answer in answers] == [{"number": 1}] * 8
    assert sorted(answer.headers.get("idempotent-replay", "") for answer in answers) == [""] + ["true"] * 7


async def test_another_key_or_route_is_another_request_another_body_a_conflict(either: Database) -> None:
    await once(either, "key-00001", ROUTE, {"a": 1}, work)
    await once(either, "key-00002", ROUTE, {"a": 1}, work)
    await once(either, "key-00001", "POST /api/v1/other", {"a": 1}, work)
    assert await done(either) == 3
    with pytest.raises(ConflictError, match="came before"):
        await once(either, "key-00001", ROUTE, {"a": 2}, work)
    assert await done(either) == 3


async def test_what_was_refused_may_be_asked_for_again(either: Database) -> None:
    async def refuse(session: AsyncSession) -> tuple[int, dict[str, Any]]:
        await audit.record(session, "call", "call:1")
        raise ConflictError("the cap is reached")

    with pytest.raises(ConflictError, match="cap"):
        await once(either, "key-00001", ROUTE, {}, refuse)
    assert await done(either) == 0
    assert (await once(either, "key-00001", ROUTE, {}, work)).status_code == 201
    assert await done(either) == 1


async def test_answers_are_forgotten_in_time(either: Database) -> None:
    start = datetime(2026, 5, 1, tzinfo=UTC)
    with clock.running(lambda: start):
        await once(either, "key-00001", ROUTE, {}, work)
    with clock.running(lambda: start + KEPT - timedelta(seconds=1)):
        await once(either, "key-00002", ROUTE, {}, work)
    assert await kept(either) == 2
    with clock.running(lambda: start + KEPT + timedelta(seconds=1)):
        await once(either, "key-00003", ROUTE, {}, work)
    assert await kept(either) == 2


async def kept(database: Database) -> int:
    async with database.reading() as session:
        return await session.scalar(select(func.count()).select_from(IdempotencyKey)) or 0


moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


@given(moments, st.integers(-(2**63), 2**63 - 1), texts)
def test_a_place_is_read_as_it_was_written(at: datetime, key: int, name: str) -> None:
    assert unpack(pack(at, key, name), datetime, int, str) == (at, key, name)


@given(st.text(max_size=60) | st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456789-_", max_size=60))
def test_anything_else_is_no_place(text: str) -> None:
    with pytest.raises(BadInputError):
        unpack(text, datetime, int)


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "", "x"]
)
def test_a_place_outside_the_calendar_is_none(moment: str) -> None:
    import base64

    place = base64.urlsafe_b64encode(json.dumps([{"at": moment}, 1]).encode()).decode()
    with pytest.raises(BadInputError):
        unpack(place, datetime, int)
