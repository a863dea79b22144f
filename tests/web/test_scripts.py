"""What is said on a call: the approved prompts of its plan, else the newest ones; never one that was changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from app import clock
from app.checks import alarms
from app.checks.models import SpotCheck
from app.database import Database
from app.planning import prompts
from app.planning.models import Plan, Prompt
from app.settings import SettingError, Settings
from tests.web.dial import Desk
from tests.web.fake import FakePhone


@pytest.fixture
async def desk(database: Database, settings: Settings, tmp_path: Path) -> AsyncIterator[Desk]:
    with Desk(database, settings, FakePhone(tmp_path / "data" / "recordings")).open() as opened:
        yield opened


async def prompt(desk: Desk, kind: str, hertz: float) -> Prompt:
    """An approved prompt with a sound of its own."""
    path = desk.settings.data_dir / "draft.wav"
    time_s = np.arange(8000) / 8000
    sf.write(path, (9000 * np.sin(2 * np.pi * hertz * time_s)).astype(np.int16), 8000)
    async with desk.database.unit_of_work() as session:
        row = await prompts.add(
            session, desk.settings.data_dir, kind, f"{kind} {hertz}", f"词 {hertz}", path.read_bytes(), "李"
        )
        return await prompts.approve(session, row.id, "王督查")


async def planned(desk: Desk, order_id: int, **content: object) -> None:
    async with desk.database.unit_of_work() as session:
        plan = Plan(name="月抽查", created_at=clock.now(), content=content)
        session.add(plan)
        await session.flush()
        check = await session.get(SpotCheck, order_id)
        assert check is not None
        check.plan_id = plan.id


async def test_an_order_of_a_plan_is_called_by_its_script(desk: Desk) -> None:
    opening, closing = await prompt(desk, "opening", 500.0), await prompt(desk, "closing", 600.0)
    newer = await prompt(desk, "opening", 700.0)
    _, line = await desk.unit("1")
    order_id = await desk.order(line)
    script = {"opening_id": opening.id, "closing_id": closing.id, "max_talk_s": 25.0, "max_ring_s": 50.0}
    await planned(desk, order_id, trunk="main", **script)
    _, other = await desk.unit("2")
    await desk.order(other)
    assert await desk.call() == 2
    ordered, designated = desk.phone.orders
    assert ordered.opening is not None
    assert ordered.closing is not None
    assert (opening.sha256 in ordered.opening.name, closing.sha256 in ordered.closing.name) == (True, True)
    assert (ordered.max_talk_s, ordered.max_ring_s, ordered.prefer_trunk) == (25.0, 50.0, "main")
    assert designated.opening is not None
    assert newer.sha256 in designated.opening.name
    assert (designated.max_talk_s, designated.max_ring_s) == (desk.settings.max_talk_s, None)
    assert [row.opening_sha256 for row in await desk.attempts()] == [opening.sha256, newer.sha256]


async def test_no_unattended_call_lasts_longer_than_forty_seconds(desk: Desk) -> None:
    patient = Desk(desk.database, desk.settings.model_copy(update={"max_talk_s": 300.0}), desk.phone)
    _, line = await desk.unit("1")
    await desk.order(line)
    await patient.call()
    assert [order.max_talk_s for order in desk.phone.orders] == [40.0]


@pytest.mark.parametrize("damage", ["gone", "changed"])
async def test_without_its_approved_opening_no_call_leaves(desk: Desk, damage: str) -> None:
    opening = await prompt(desk, "opening", 500.0)
    path = desk.settings.data_dir / opening.path
    kept = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(kept + b"more")
    _, line = await desk.unit("1")
    order_id = await desk.order(line)
    assert await desk.call() == 1
    assert desk.phone.dialled == []
    (attempt,) = await desk.attempts()
    assert (attempt.state, attempt.verdict_code) == ("failed", "our_side")
    async with desk.database.reading() as session:
        (alarm,) = await alarms.standing(session, "prompt_missing")
    assert f"prompt {opening.id}" in alarm.detail
    # It is our fault, and called again once it is mended.
    path.write_bytes(kept)
    assert (await desk.check(order_id)).state == "retry"
    assert await desk.pass_by(14) == 1
    assert desk.phone.dialled == [line.target]
    async with desk.database.reading() as session:
        assert await alarms.standing(session, "prompt_missing") == []


async def test_an_opening_that_was_taken_out_of_use_is_not_played_by_a_running_plan(desk: Desk) -> None:
    """Whoever retires it may have found that it gives a wrong number for calling back."""
    opening, _ = await prompt(desk, "opening", 500.0), await prompt(desk, "opening", 700.0)
    _, line = await desk.unit("1")
    await planned(desk, await desk.order(line), opening_id=opening.id)
    async with desk.database.unit_of_work() as session:
        await prompts.retire(session, opening.id, "王督查")
    await desk.call()
    assert desk.phone.dialled == []
    async with desk.database.reading() as session:
        (alarm,) = await alarms.standing(session, "prompt_missing")
    assert f"prompt {opening.id} was taken out of use" in alarm.detail


async def test_while_our_own_rules_cannot_be_read_nothing_is_dialled_and_the_process_lives(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.checks.dispatcher.BLIND_PAUSE_S", 0.05)
    readable = desk.phone.refused

    async def unreadable(_: object) -> frozenset[str]:
        raise SettingError("DUTYRING_ANSWER_KEYS_FILE: the file cannot be read")

    desk.phone.refused = unreadable  # type: ignore[method-assign]
    _, line = await desk.unit("1")
    order_id = await desk.order(line)
    running = asyncio.create_task(desk.dispatcher.run())
    await asyncio.sleep(0.3)
    assert (await desk.check(order_id)).state == "due"
    desk.phone.refused = readable  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        while (await desk.check(order_id)).state != "done":
            await asyncio.sleep(0.05)
    await desk.dispatcher.stop()
    await running
    assert desk.phone.dialled == [line.target]
