"""`dutyring draw verify`: a run that did what it committed to holds; whatever is changed afterwards is named."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count

import pytest
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.checks.models import Attempt, SpotCheck
from app.cli import main
from app.database import Database
from app.planning import ledger, sealed, service, verify
from app.planning.clockwork import Planner
from app.planning.models import DrawEpoch, DrawSkip, PlanRun
from app.settings import Settings, get_settings
from tests.web.planning_office import (
    HandClock,
    api,
    enter_lines,
    enter_plan,
    enter_prompts,
    go_on,
    moments,
    set_holiday,
    start_plan,
)

END = datetime(2026, 3, 17, 2, 0, tzinfo=UTC)
Spoil = Callable[[AsyncSession], Awaitable[None]]


@pytest.fixture
async def over(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """A run of two weeks that is over, with three draws and a moment that was passed over; another one goes on."""
    seeds = count(7)
    monkeypatch.setattr("app.planning.sealed.new_seed", lambda: sha256(bytes([next(seeds)])).digest())
    hand = HandClock()
    with clock.running(hand):
        await enter_lines(database, 3)
        await enter_prompts(database, settings)
        plan_id = await enter_plan(database, last_day="2026-03-15")
        run = await start_plan(database, settings, plan_id)
        planner = Planner(database, settings)
        slots = await moments(database, settings, run.id)
        await go_on(planner, database, hand, slots[0].at)
        async with database.unit_of_work() as session:
            await service.pause(session, plan_id, "会议", "boss")
        await go_on(planner, database, hand, slots[1].at)
        async with database.unit_of_work() as session:
            await service.resume(session, plan_id, "会毕", "boss")
        await go_on(planner, database, hand, datetime(2026, 3, 8, 20, 0, tzinfo=UTC))
        async with database.unit_of_work() as session:
            set_holiday(session, datetime(2026, 3, 10).date(), hand())
        await go_on(planner, database, hand, END)
        await start_plan(database, settings, await enter_plan(database))
        yield database


async def reported(session: AsyncSession) -> list[str]:
    found = await verify.gather(session)
    reports = [await verify.verify_run(session, item) for item in found]
    lines = list(await verify.verify_whole(session, found))
    for told in reports:
        lines += [f"{told.name}: {fault}" for fault in told.faults]
    return lines


async def _first(session: AsyncSession, kind: type, where: object) -> object:
    found = await session.scalar(select(kind).where(where).order_by(kind.id))  # type: ignore[attr-defined, arg-type]
    assert found is not None
    return found


def _epoch(number: int, **changes: object) -> Spoil:
    async def spoil(session: AsyncSession) -> None:
        row = await _first(session, DrawEpoch, (DrawEpoch.run_id == 1) & (DrawEpoch.number == number))
        for name, value in changes.items():
            setattr(row, name, value)

    return spoil


def _inputs(number: int, member: str, value: object) -> Spoil:
    async def spoil(session: AsyncSession) -> None:
        row = await _first(session, DrawEpoch, (DrawEpoch.run_id == 1) & (DrawEpoch.number == number))
        assert isinstance(row, DrawEpoch)
        content = copy.deepcopy(row.inputs)
        content[member] = value
        row.inputs = content

    return spoil


def _run(**changes: object) -> Spoil:
    async def spoil(session: AsyncSession) -> None:
        row = await _first(session, PlanRun, PlanRun.id == 1)
        for name, value in changes.items():
            setattr(row, name, value)

    return spoil


def _order(**changes: object) -> Spoil:
    async def spoil(session: AsyncSession) -> None:
        row = await _first(session, SpotCheck, (SpotCheck.run_id == 1) & (SpotCheck.epoch == 1))
        for name, value in changes.items():
            setattr(row, name, value)

    return spoil


async def _other_line(session: AsyncSession) -> None:
    order = await _first(session, SpotCheck, (SpotCheck.run_id == 1) & (SpotCheck.epoch == 1))
    assert isinstance(order, SpotCheck)
    order.line_id = order.line_id % 3 + 1


def _skip(**changes: object) -> Spoil:
    async def spoil(session: AsyncSession) -> None:
        row = await _first(session, DrawSkip, DrawSkip.run_id == 1)
        for name, value in changes.items():
            setattr(row, name, value)

    return spoil


async def _drop_order(session: AsyncSession) -> None:
    order = await _first(session, SpotCheck, SpotCheck.run_id == 1)
    assert isinstance(order, SpotCheck)
    await session.execute(delete(Attempt).where(Attempt.check_id == order.id))
    await session.delete(order)


async def _drop_skip(session: AsyncSession) -> None:
    await session.delete(await _first(session, DrawSkip, DrawSkip.run_id == 1))


async def _drop_epoch(session: AsyncSession) -> None:
    await session.delete(await _first(session, DrawEpoch, (DrawEpoch.run_id == 1) & (DrawEpoch.number == 1)))


async def _sealed_cause(session: AsyncSession) -> None:
    row = await _first(session, DrawEpoch, DrawEpoch.run_id == 2)
    assert isinstance(row, DrawEpoch)
    row.cause = "else"


async def _no_draws(session: AsyncSession) -> None:
    await session.execute(delete(DrawEpoch).where(DrawEpoch.run_id == 2))


async def _excuse(session: AsyncSession) -> None:
    """Take an order of the last draw out and say that it was passed over."""
    query = select(SpotCheck).where(SpotCheck.run_id == 1, SpotCheck.epoch == 2).order_by(SpotCheck.slot)
    order = await session.scalar(query)
    assert order is not None
    assert order.slot is not None
    assert order.first_due_at is not None
    await session.execute(delete(Attempt).where(Attempt.check_id == order.id))
    await session.delete(order)
    session.add(
        DrawSkip(
            run_id=1, epoch=2, slot=order.slot, line_id=order.line_id, at=order.first_due_at, why="missed",
            noted_at=order.first_due_at,
        )
    )  # fmt: skip


async def _drop_last_draw(session: AsyncSession) -> None:
    """Take back the last draw of a run that goes on, and the order that came of it."""
    run = await _first(session, PlanRun, PlanRun.id == 2)
    row = await _first(session, DrawEpoch, DrawEpoch.run_id == 2)
    assert isinstance(run, PlanRun)
    assert isinstance(row, DrawEpoch)
    chain = sealed.link(row.chain, 1, LATER, "lines", row.inputs_sha256)
    detail = f"run {run.number}, draw 1, chain {chain}: lines"
    await audit.record(session, "draw_again", f"plan:{run.plan_id}", detail, "system")


async def _drop_run(session: AsyncSession) -> None:
    """A start that did not please is taken out, with all that came of it."""
    await session.execute(delete(DrawEpoch).where(DrawEpoch.run_id == 2))
    await session.execute(delete(PlanRun).where(PlanRun.id == 2))


async def _made_anew(session: AsyncSession) -> None:
    """A start that did not please is made anew in its own row: seed, commitment and first link."""
    run = await _first(session, PlanRun, PlanRun.id == 2)
    row = await _first(session, DrawEpoch, DrawEpoch.run_id == 2)
    assert isinstance(run, PlanRun)
    assert isinstance(row, DrawEpoch)
    run.commitment = "ab" * 32
    row.chain = sealed.link(run.commitment, 0, row.drawn_at, row.cause, row.inputs_sha256)


async def _by_hand(session: AsyncSession) -> None:
    """A check is slipped in that looks drawn."""
    order = await _first(session, SpotCheck, SpotCheck.run_id == 1)
    assert isinstance(order, SpotCheck)
    session.add(
        SpotCheck(
            line_id=order.line_id, plan_id=1, kind="random", due_at=LATER, state="done", created_at=LATER
        )
    )  # fmt: skip


async def _uncalled(session: AsyncSession) -> None:
    order = await _first(session, SpotCheck, SpotCheck.run_id == 1)
    assert isinstance(order, SpotCheck)
    await session.execute(delete(Attempt).where(Attempt.check_id == order.id))


LATER = datetime(2026, 3, 10, 3, 0, tzinfo=UTC)
SPOILS: list[tuple[str, Spoil, str]] = [
    ("commitment", _run(commitment="ab" * 32), "not what was committed to"),
    ("commitment's form", _run(commitment="none"), "no SHA-256"),
    ("seed", _run(seed="ab" * 32), "not what was committed to"),
    ("seed's form", _run(seed="xy"), "no 32 bytes"),
    ("seed taken out", _run(seed=None), "said to be revealed"),
    ("start", _run(started_at=LATER), "started at another moment"),
    ("end", _run(ended_at=LATER), "last link"),
    ("end's reason", _run(ended_why="cancelled: x"), "last link"),
    ("last link", _run(last_link="0" * 64), "last link"),
    ("first inputs", _inputs(0, "calls", 2), "draw 0: its inputs were changed"),
    ("later inputs", _inputs(1, "extra_ppm", 0), "draw 1: its inputs were changed"),
    ("digest", _epoch(1, inputs_sha256="0" * 64), "draw 1: its inputs were changed"),
    ("cause", _epoch(1, cause="lines"), "draw 1: its link"),
    ("moment of a draw", _epoch(2, drawn_at=LATER), "draw 2: its link"),
    ("link", _epoch(2, chain="0" * 64), "draw 2: its link"),
    ("draw taken out", _drop_epoch, "draw 1 is missing"),
    ("order's line", _other_line, "it calls line"),
    ("order's moment", _order(first_due_at=LATER), "drawn for"),
    ("order's entry", _order(created_at=datetime(2026, 3, 1, tzinfo=UTC)), "was entered before its moment"),
    ("order's slot", _order(slot=9999), "has no slot 9999"),
    ("order's draw", _order(epoch=9), "names no draw"),
    ("order's plan", _order(plan_id=2), "another plan"),
    ("order taken out", _drop_order, "neither an order nor accounted for"),
    ("reason of a skip", _skip(why="line"), "draw 1: its link"),
    ("moment of a skip", _skip(at=LATER), "draw 1: its link"),
    ("skip noted too early", _skip(noted_at=datetime(2026, 3, 1, tzinfo=UTC)), "before its moment"),
    ("skip taken out", _drop_skip, "neither an order nor accounted for"),
    ("order excused", _excuse, "last link"),
    ("start taken out", _run(number=2), "plan 1 run 1: is missing"),
    ("sealed run's draw", _sealed_cause, "plan 2 run 1: draw 0: its link in the chain does not hold"),
    ("last start taken out", _drop_run, "plan 2 run 1: is missing"),
    ("start made anew", _made_anew, "does not hold one start with this commitment"),
    ("last draw taken out", _drop_last_draw, "draw 1 of the audit trail is not there"),
    ("sealed again", _run(seed=None, revealed_at=None, last_link=None), "its seed was not revealed once"),
    ("slipped in", _by_hand, "counts as random and was not drawn"),
    ("order's kind", _order(kind="designated"), "is called designated"),
    ("order's call", _uncalled, "is done and has no call"),
    ("sealed run without draws", _no_draws, "plan 2 run 1: it has no draw"),
]


async def test_whatever_is_changed_is_named(over: Database) -> None:
    for name, spoil, words in SPOILS:
        async with over.unit_of_work() as session:
            await spoil(session)
            await session.flush()
            found = await reported(session)
            assert any(words in fault for fault in found), (name, found)
            await session.rollback()
    async with over.reading() as session:
        assert await reported(session) == []


async def test_an_outsider_can_repeat_it_from_the_api(over: Database, settings: Settings) -> None:
    """The run kept its word; everything that it takes to see that is told once it is over."""
    async with over.reading() as session:
        ended, standing = await verify.gather(session)
        told, still = [await verify.verify_run(session, item) for item in (ended, standing)]
    assert [epoch.cause for epoch in ended.epochs] == ["start", "paused:1", "calendar"]
    assert (told.faults, told.sealed, told.epochs, told.passed_over) == ((), False, 3, 1)
    assert told.orders == len(ended.orders) >= 6
    assert (still.faults, still.sealed, still.orders) == ((), True, 0)
    async with api(settings, over) as client:
        told = (await client.get("/api/v1/plans/1/draw")).json()["draws"][0]
        inputs = [
            (await client.get(f"/api/v1/plans/1/draw/1/inputs/{epoch['number']}")).json()
            for epoch in told["epochs"]
        ]
        slots, after = [], ""
        while after is not None:
            page = (
                await client.get(f"/api/v1/plans/1/draw/1/slots?limit=2{after and f'&after={after}'}")
            ).json()
            slots += page["items"]
            after = page["next"]
    canonical = [
        json.dumps(each, sort_keys=True, separators=(",", ":"), ensure_ascii=True) for each in inputs
    ]
    assert [sha256(text.encode()).hexdigest() for text in canonical] == [
        e["inputs_sha256"] for e in told["epochs"]
    ]
    seed = bytes.fromhex(told["run"]["seed"])
    assert (
        sha256(b"dutyring.commitment/1\n" + seed + canonical[0].encode()).hexdigest()
        == told["run"]["commitment"]
    )
    previous, passed = told["run"]["commitment"], []
    for epoch in told["epochs"]:
        content = {
            "cause": epoch["cause"],
            "drawn_at": datetime.fromisoformat(epoch["drawn_at"])
            .astimezone(UTC)
            .isoformat(timespec="microseconds"),
            "inputs_sha256": epoch["inputs_sha256"],
            "number": epoch["number"],
            "passed": passed,
            "previous": previous,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        assert sha256(text.encode()).hexdigest() == epoch["chain"]
        previous = epoch["chain"]
        passed = [
            [
                s["epoch"],
                s["slot"],
                s["line_id"],
                int(datetime.fromisoformat(s["at"]).timestamp()),
                s["passed_over"],
            ]
            for s in slots
            if s["passed_over"] and s["epoch"] == epoch["number"]
        ]
    async with over.reading() as session:
        kept = await ledger.orders_of(session, 1)
    assert [(s["epoch"], s["slot"], s["order_id"]) for s in slots if s["order_id"]] == [
        (o.epoch, o.slot, o.id) for o in kept
    ]


async def test_the_command_says_it_and_its_exit_status(
    over: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DUTYRING_DATA_DIR", str(settings.data_dir))
    get_settings.cache_clear()

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["draw", "verify", *arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    status, out, err = await _beside(command)
    assert (status, err) == (0, "")
    assert "plan 1 run 1: holds, every moment repeated" in out
    assert "plan 2 run 1: its chain holds" in out
    assert "still sealed" in out
    async with over.unit_of_work() as session:
        await _skip(why="line")(session)
    status, out, err = await _beside(command)
    assert status == 1
    assert out.splitlines()[0] == "plan 1 run 1: draw 1: its link in the chain does not hold"
    status, out, err = await _beside(command, "--plan", "2", "--json")
    assert (status, json.loads(out)["holds"]) == (0, True)
    status, out, err = await _beside(command, "--plan", "99")
    assert (status, out, err) == (1, "", "dutyring: there is no plan 99\n")
    get_settings.cache_clear()


async def _beside(command: Callable[..., tuple[int, str, str]], *arguments: str) -> tuple[int, str, str]:
    """Run a command in a thread: it has an event loop of its own."""
    import asyncio

    return await asyncio.to_thread(command, *arguments)
