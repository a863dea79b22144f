"""紧急停拨: whom a stop covers, what it does to calls due and under way, and how it is placed and lifted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import AuditEvent
from app.checks import stops
from app.checks.models import EmergencyStop
from app.checks.watching import CallWatch
from app.cli import main
from app.database import Database
from app.directory.models import LineUnit, Unit
from app.errors import BadInputError, ConflictError, NotFoundError
from app.settings import Settings, get_settings
from tests.web.apps import make_app
from tests.web.dial import Desk
from tests.web.fake import FakePhone
from tests.web.migrated import migrate
from tests.web.test_ledger import attempts
from tests.web.test_phone_process import until_states

Command = Callable[..., tuple[int, str, str]]
WHO = {"X-DutyRing-Actor": "%E7%8E%8B%E7%9D%A3%E6%9F%A5"}


@pytest.fixture
def desk(database: Database, settings: Settings, tmp_path: Path) -> Desk:
    phone = FakePhone(tmp_path / "data" / "recordings", hold=asyncio.Event())
    return Desk(database, settings, phone)


async def tree(database: Database) -> dict[str, int]:
    """A city with two counties, one of which has a town."""
    paths = {"city": (), "east": ("city",), "town": ("city", "east"), "west": ("city",)}
    keys: dict[str, int] = {}
    async with database.unit_of_work() as session:
        for name, above in paths.items():
            unit = Unit(code=name, name=name, created_at=stops.clock.now())
            session.add(unit)
            await session.flush()
            keys[name] = unit.id
            unit.path = "".join(f"{keys[head]}/" for head in (*above, name))
    return keys


async def covered(database: Database, keys: dict[str, int]) -> set[str]:
    async with database.reading() as session:
        found = await stops.stopped_of(session, keys.values())
        for name, key in keys.items():
            assert (await stops.stopped(session, key) is not None) == (key in found), name
    return {name for name, key in keys.items() if key in found}


async def place(database: Database, unit_id: int | None) -> int:
    async with database.unit_of_work() as session:
        return (await stops.place_stop(session, unit_id, "汛情", "王督查")).id


async def lift(database: Database, stop_id: int) -> None:
    async with database.unit_of_work() as session:
        await stops.lift_stop(session, stop_id, "汛情解除", "王督查")


async def test_a_stop_covers_a_subtree_or_everybody_until_it_is_lifted(either: Database) -> None:
    keys = await tree(either)
    assert await covered(either, keys) == set()
    east = await place(either, keys["east"])
    assert await covered(either, keys) == {"east", "town"}
    every = await place(either, None)
    assert await covered(either, keys) == {"city", "east", "town", "west"}
    await lift(either, every)
    assert await covered(either, keys) == {"east", "town"}
    town = await place(either, keys["town"])
    await lift(either, east)
    assert await covered(either, keys) == {"town"}
    await lift(either, town)
    assert await covered(either, keys) == set()


async def test_a_shared_line_is_stopped_with_each_unit_that_it_reaches(either: Database) -> None:
    keys = await tree(either)
    desk = Desk(either, Settings(), FakePhone(Path("nowhere")))
    unit, line = await desk.unit("9")
    async with either.unit_of_work() as session:
        session.add(LineUnit(line_id=line.id, unit_id=keys["west"]))
    await place(either, keys["east"])
    async with either.reading() as session:
        assert await stops.stopped_line(session, line.id, unit.id) is None
    await place(either, keys["west"])
    async with either.reading() as session:
        assert await stops.stopped_line(session, line.id, unit.id) is not None


async def test_a_stop_is_lifted_once_with_a_reason_and_put_on_record(either: Database) -> None:
    stop_id = await place(either, None)
    with pytest.raises(BadInputError):
        async with either.unit_of_work() as session:
            await stops.lift_stop(session, stop_id, "  ", "王督查")

    async def lifting(who: str) -> bool:
        try:
            async with either.unit_of_work() as session:
                await stops.lift_stop(session, stop_id, "解除", who)
        except ConflictError:
            return False
        return True

    assert sum(await asyncio.gather(*(lifting(f"督查{n}") for n in range(5)))) == 1
    with pytest.raises(NotFoundError):
        async with either.unit_of_work() as session:
            await stops.lift_stop(session, 99, "解除", "王督查")
    with pytest.raises(NotFoundError):
        async with either.unit_of_work() as session:
            await stops.place_stop(session, 99, "汛情", "王督查")
    async with either.reading() as session:
        lines = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id))).all()
    assert [(line.action, line.subject) for line in lines] == [
        ("stop_calls", f"stop:{stop_id}"),
        ("lift_stop", f"stop:{stop_id}"),
    ]
    assert lines[0].who == "王督查"
    assert "汛情" in lines[0].detail


async def test_calls_under_way_end_within_a_second_and_only_those_that_are_meant(desk: Desk) -> None:
    unit, line = await desk.unit("1")
    _, other = await desk.unit("2")
    await desk.order(line)
    await desk.order(other)
    running = asyncio.create_task(desk.dispatcher.run())
    await until_states(desk.database, "connected", "connected")
    began = asyncio.get_running_loop().time()
    await place(desk.database, unit.id)
    async with asyncio.timeout(5):
        while len(desk.phone.stopped) == 0:
            await asyncio.sleep(0.01)
    assert asyncio.get_running_loop().time() - began < 1.0
    await until_states(desk.database, "finished", "connected")
    first, second = await attempts(desk.database)
    assert (first.verdict_code, second.verdict_code) == ("cancelled", None)
    # What we stopped is no finding, and is not called again.
    check = await desk.check(first.check_id)
    assert (check.state, check.closed_why) == ("done", "settled")
    # A new order of the stopped unit is not even dialled.
    again = await desk.order(line)
    async with asyncio.timeout(10):
        while (await desk.check(again)).state != "withdrawn":
            await asyncio.sleep(0.05)
    assert desk.phone.dialled == [line.target, other.target]
    assert desk.phone.hold is not None
    desk.phone.hold.set()
    await desk.dispatcher.stop()
    await running


async def test_whatever_fails_once_the_stops_are_still_watched(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, line = await desk.unit("1")
    await desk.order(line)
    looks = iter((True, True))
    standing = stops.standing

    async def odd(session: AsyncSession) -> Sequence[EmergencyStop]:
        if next(looks, False):
            raise OSError("connection reset")
        return await standing(session)

    running = asyncio.create_task(desk.dispatcher.run())
    await until_states(desk.database, "connected")
    monkeypatch.setattr(stops, "standing", odd)
    await place(desk.database, None)
    await until_states(desk.database, "finished")
    await desk.dispatcher.stop()
    await running


async def test_a_stop_between_the_claim_and_the_invite_keeps_it_from_leaving(desk: Desk) -> None:
    _, line = await desk.unit("1")
    await desk.order(line)
    refused = desk.phone.place

    async def late_stop(order, journal):  # type: ignore[no-untyped-def]
        await place(desk.database, None)
        return await refused(order, journal)

    desk.phone.place = late_stop  # type: ignore[method-assign]
    assert await desk.call() == 1
    assert desk.phone.dialled == []
    (attempt,) = await attempts(desk.database)
    assert (attempt.state, attempt.verdict_code) == ("finished", "cancelled")


async def test_a_look_that_fails_keeps_an_invite_back_and_spoils_no_call_under_way(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, line = await desk.unit("1")
    attempt = await desk.engine.claim(await desk.order(line))
    assert attempt is not None
    watch = CallWatch(desk.database, desk.engine, desk.phone, {attempt.id: attempt})

    async def fail(_: AsyncSession) -> Sequence[EmergencyStop]:
        raise OSError("connection reset")

    monkeypatch.setattr(stops, "standing", fail)
    calling = {"state": "Calling", "call_id": "x", "dialogs": []}
    with pytest.raises(OSError, match="reset"):
        await watch.journal(attempt, calling)
    await watch.journal(attempt, calling | {"state": "Proceeding", "dialogs": [{"remote_tag": "y"}]})
    (row,) = await attempts(desk.database)
    assert row.state == "ringing"


async def test_it_survives_a_restart(desk: Desk) -> None:
    _, line = await desk.unit("1")
    order_id = await desk.order(line)
    await place(desk.database, None)
    again = Desk(desk.database, desk.settings, desk.phone)
    await again.dispatcher.recover()
    assert await again.call() == 0
    assert (await desk.check(order_id)).closed_why == "stopped"


async def test_the_api_places_lists_and_lifts(database: Database, settings: Settings) -> None:
    keys = await tree(database)
    app = make_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        nobody = await client.post("/api/v1/stops", json={"reason": "汛情"}, headers={"X-DutyRing-Actor": ""})
        assert nobody.status_code == 401
        given = await client.post(
            "/api/v1/stops", json={"reason": "汛情", "unit_id": keys["east"]}, headers=WHO
        )
        assert given.status_code == 201
        told = given.json()
        assert (told["placed_by"], told["unit_id"], told["lifted_at"]) == ("王督查", keys["east"], None)
        every = (await client.post("/api/v1/stops", json={"reason": "试机"}, headers=WHO)).json()
        page = (await client.get("/api/v1/stops", params={"limit": 1})).json()
        assert [item["id"] for item in page["items"]] == [every["id"]]
        rest = (await client.get("/api/v1/stops", params={"limit": 1, "after": page["next"]})).json()
        assert ([item["id"] for item in rest["items"]], rest["next"]) == ([told["id"]], None)
        path = f"/api/v1/stops/{told['id']}/lift"
        assert (await client.post(path, json={"reason": ""}, headers=WHO)).status_code == 422
        assert (await client.post(path, json={"reason": "解除"}, headers=WHO)).status_code == 200
        twice = await client.post(path, json={"reason": "解除"}, headers=WHO)
        assert (twice.status_code, twice.headers["content-type"]) == (409, "application/problem+json")
        assert (
            await client.post("/api/v1/stops/99/lift", json={"reason": "x"}, headers=WHO)
        ).status_code == 404
        standing = (await client.get("/api/v1/stops", params={"standing": True})).json()
        assert [item["id"] for item in standing["items"]] == [every["id"]]
        assert (await client.get("/api/v1/alarms")).json() == {"items": [], "next": None}
    await app.state.database.close()


@pytest.fixture
def command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Command]:
    """Gives `dutyring stop-calls` on the data folder of the test."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["stop-calls", *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield run
    get_settings.cache_clear()


def test_the_command_needs_no_service(settings: Settings, command: Command) -> None:
    migrate(settings)
    assert command()[0] == 2
    status, _, told = command("--unit", "nowhere", "--reason", "汛情")
    assert (status, len(told.splitlines()), "nowhere" in told) == (2, 1, True)
    status, out, _ = command("--reason", "汛情", "--by", "王督查", "--json")
    assert status == 0
    stop = json.loads(out)
    assert (stop["unit_id"], stop["placed_by"], stop["lifted_at"]) == (None, "王督查", None)
    status, out, _ = command("--list", "--json")
    assert [item["whom"] for item in json.loads(out)["stops"]] == ["全部单位"]
    assert "王督查" in command("--list")[1]
    status, out, _ = command("--lift", str(stop["id"]), "--reason", "解除", "--json")
    assert (status, json.loads(out)["lift_reason"]) == (0, "解除")
    status, _, told = command("--lift", str(stop["id"]), "--reason", "解除")
    assert (status, len(told.splitlines())) == (1, 1)
    assert "no stop holds" in command("--list")[1]
