"""The real phone behind the port: what records and directory say holds from one call to the next."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from app.checks.placer import NoTrunkError, PhonePlacer
from app.checks.ports import CallOrder
from app.database import Database
from app.demo.announcements import mark_announcements
from app.demo.far_end import far_end
from app.directory import service as directory
from app.policy import AnswerKeysError
from app.samples import repository as samples
from app.samples.tunes import TuneKeeper, store
from app.settings import Settings
from app.trunk_settings import TrunkConfig
from app.trunks import repository, service
from sip.guard import AnswerKeyError, NotAllowedError
from sip.progress.stretches import PhasePrint
from sip.progress.tunes import KEPT, Tune

LINE = "404"
"""A simulated line that soon says that the number does not exist."""


async def state(database: Database, name: str) -> str:
    async with database.reading() as session:
        row = await repository.state(session, name)
    return "" if row is None else row.state


async def test_what_is_entered_holds_for_the_next_call(database: Database, settings: Settings) -> None:
    written: list[dict[str, Any]] = []

    async def journal(snapshot: dict[str, Any]) -> None:
        written.append(snapshot)

    async with far_end() as (host, port):
        config = TrunkConfig(host=host, port=port, max_calls=3)
        async with database.unit_of_work() as session:
            await service.add(session, "sim", config)
            unit = await directory.add_unit(session, "001", "云溪县地方志编纂室")
        async with PhonePlacer(settings, database) as placer:
            assert placer.capacity == 3

            async def place(target: str, name: str) -> Any:
                return await placer.place(CallOrder(target, name), journal)

            assert await placer.refused({LINE, "110", "sip:119@127.0.0.1"}) == {
                LINE,
                "110",
                "sip:119@127.0.0.1",
            }
            with pytest.raises(NotAllowedError):
                await place(LINE, "refused")
            assert written == []
            async with database.unit_of_work() as session:
                await directory.add_line(session, unit, LINE)
            assert await placer.refused({LINE, f"sip:{LINE}@{host}:{port}"}) == set()
            record = await place(LINE, "one")
            assert (record.outcome, record.trunk) == ("unobtainable", "sim")
            assert record.recording is not None
            assert [(s["trunk"], s["position"]) for s in written] == [("sim", 0)] * len(written)
            trace = (settings.recordings_dir / "one.sip.txt").read_text("utf-8")
            assert f"INVITE sip:{LINE}@" in trace
            # A SIP URI needs no list, and no trunk.
            direct = await place(f"sip:{LINE}@{host}:{port}", "two")
            assert (direct.outcome, direct.trunk) == ("unobtainable", "direct")
            async with asyncio.timeout(20):
                while await state(database, "sim") != "up":
                    await asyncio.sleep(0.05)
            async with database.unit_of_work() as session:
                await service.add_number(session, "answer_key", LINE)
            left = len(written)
            assert await placer.refused({LINE}) == {LINE}
            with pytest.raises(AnswerKeyError):
                await place(LINE, "three")
            async with database.unit_of_work() as session:
                await service.remove_number(session, "answer_key", LINE)
                await service.enable(session, "sim", False)
            # That nothing can carry it is our side's fault and no refusal.
            assert await placer.refused({LINE}) == set()
            with pytest.raises(NoTrunkError):
                await place(LINE, "four")
            assert len(written) == left
    assert await state(database, "sim") == "stopped"


async def test_an_announcement_marked_between_two_calls_is_known_in_the_second(
    database: Database, settings: Settings
) -> None:
    async def journal(_: dict[str, Any]) -> None:
        return

    async with far_end() as (host, port), PhonePlacer(settings, database) as placer:
        target = f"sip:992@{host}:{port}"
        first = asyncio.create_task(placer.place(CallOrder(target, "one"), journal))
        await asyncio.sleep(1.5)
        async with database.unit_of_work() as session:
            await mark_announcements(session)
        second = await placer.place(CallOrder(target, "two"), journal)
        assert [heard.road for heard in (await first).announcements] == ["signalling"]
    assert [(heard.road, heard.meaning) for heard in second.announcements] == [("sample", "in_call")]
    assert (second.outcome, second.line_state, second.ended_by) == ("busy", "in_call", "us")


async def test_tunes_outlive_a_restart_and_stay_few(database: Database) -> None:
    phase = PhasePrint(np.arange(200, dtype=np.uint16), np.full(200, 7, np.uint16))
    keeper = TuneKeeper(database)
    await keeper.begin()
    async with database.unit_of_work() as session:
        tunes = [Tune("main", f"unit:{n}", phase, 1_000.0 + n) for n in range(KEPT + 5)]
        await store(session, [*tunes, Tune("other", "unit:1", phase, 1.0)])
    async with database.reading() as session:
        rows = await samples.tunes(session)
    assert [row.line for row in rows if row.trunk == "main"] == [f"unit:{n}" for n in range(5, KEPT + 5)]
    assert [row.line for row in rows if row.trunk == "other"] == ["unit:1"]
    await TuneKeeper(database).begin()


async def test_no_phone_starts_while_the_answer_keys_cannot_be_read(
    database: Database, settings: Settings
) -> None:
    given = settings.model_copy(update={"answer_keys_file": settings.data_dir / "missing"})
    with pytest.raises(AnswerKeysError):
        async with PhonePlacer(given, database):
            raise AssertionError("not reached")


async def test_a_trunk_that_cannot_be_used_leaves_the_others(database: Database, settings: Settings) -> None:
    async with database.unit_of_work() as session:
        for name, more in (("poor", {"user": "u", "password_env": "SURELY_NOT_SET"}), ("good", {})):
            config = TrunkConfig.model_validate({"host": "127.0.0.1", "health_s": None} | more)
            await service.add(session, name, config)
    async with PhonePlacer(settings, database) as placer:
        assert placer.capacity == 2
        placer._trunks.clear()
        assert placer.capacity == placer.capacity_estimate().calls, (
            "no trunk bounds it, but this machine does"
        )
        assert await state(database, "good") in ("starting", "unknown")
        assert await state(database, "poor") == ""


async def test_a_repeat_leaves_by_another_trunk_and_a_plan_by_the_one_it_names(
    database: Database, settings: Settings
) -> None:
    async def journal(_: dict[str, Any]) -> None:
        return

    async with far_end() as (host, port):
        async with database.unit_of_work() as session:
            for name in ("first", "second"):
                config = TrunkConfig(host=host, port=port, health_s=None, max_calls=3)
                await service.add(session, name, config)
            unit = await directory.add_unit(session, "001", "云溪县地方志编纂室")
            await directory.add_line(session, unit, LINE)
        async with PhonePlacer(settings, database) as placer:
            taken = []
            for number, choice in enumerate(
                ({}, {"avoid_trunk": "first"}, {"prefer_trunk": "second"},
                 {"prefer_trunk": "second", "avoid_trunk": "second"})
            ):  # fmt: skip
                record = await placer.place(CallOrder(LINE, f"call-{number}", **choice), journal)
                taken.append(record.trunk)
    assert taken == ["first", "second", "second", "first"]
