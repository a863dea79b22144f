"""How many calls the machine can carry: learned from ticks, told to the parent, and held when calls are opened."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from sip.media import EngineFull, MediaEngine, SessionSpec
from sip.media.admission import BUDGET_MS, CapacityWatch, try_out
from sip.media.model import ALWAYS
from sip.media.uring import Ring

TRIED_US = 9.0
LOOPBACK = "127.0.0.1"


class CostlyBank:
    """A bank with which a call takes 0.2 ms of each tick."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity

    def reset(self, row: int) -> None:
        pass

    def push(self, rows: npt.NDArray[np.intp], pcm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        time.sleep(0.0002 * len(rows))
        return np.zeros((len(rows), 1), np.float32)


COSTLY = "tests.unit.test_media_admission:CostlyBank"


def seconds(watch: CapacityWatch, count: int, tick_ms: float, talking: int, late_ms: float = 0.0) -> None:
    """Let seconds pass in which each tick takes so long."""
    for _ in range(count):
        complete = [watch.note(late_ms / 1000, tick_ms / 1000) for _ in range(50)]
        assert complete == [False] * 49 + [True]
        watch.close(talking)


def calls(watch: CapacityWatch) -> int:
    return watch.estimate().calls


def new(capacity: int = 4096, files: int = 20_000) -> CapacityWatch:
    return CapacityWatch(TRIED_US, capacity, files)


def test_before_any_call_that_counts_which_was_tried() -> None:
    estimate = new().estimate()
    assert estimate.calls == int((BUDGET_MS - 1) * 1000 / TRIED_US)
    assert (estimate.limited_by, estimate.talking) == ("tick", 0)
    assert "about 1444 calls at once" in str(estimate)
    assert "9.0 µs" in str(estimate)


def test_many_calls_say_it_better_than_what_was_tried() -> None:
    watch = new()
    seconds(watch, 5, 13.0, 1000)
    assert 1070 < calls(watch) < 1100, "12 ms for 1,000 calls, 13 to be had"
    assert "takes 13.0 of 20 ms with 1000 calls" in str(watch.estimate())
    slow = new()
    seconds(slow, 5, 1.0 + 0.012 * 10, 10)
    assert 1420 < calls(slow) <= 1444, "ten calls say little"


def test_one_stall_moves_nothing() -> None:
    watch = new()
    seconds(watch, 5, 10.0, 1000)
    before = watch.estimate()
    seconds(watch, 2, 60.0, 1000, late_ms=100.0)
    assert watch.estimate() == before


def test_an_engine_that_is_behind_takes_no_more_until_it_has_caught_up() -> None:
    watch = new()
    seconds(watch, 5, 10.0, 500)
    seconds(watch, 3, 22.0, 500)
    estimate = watch.estimate()
    assert estimate.calls <= 500
    assert estimate.limited_by == "behind"
    assert "does not keep up" in str(estimate)
    seconds(watch, 3, 10.0, 500)
    assert watch.estimate().limited_by == "behind", "two of the last five seconds were too long"
    seconds(watch, 1, 10.0, 500)
    assert watch.estimate().limited_by == "tick"


def test_lateness_counts_too() -> None:
    watch = new()
    seconds(watch, 5, 5.0, 300, late_ms=16.0)
    assert watch.estimate().limited_by == "behind"


def test_a_few_calls_are_always_tried() -> None:
    watch = CapacityWatch(100_000.0, 4096, 20_000)
    assert calls(watch) == ALWAYS
    seconds(watch, 5, 40.0, 3)
    assert calls(watch) == ALWAYS


def test_a_machine_that_something_else_keeps_busy_still_makes_a_few_calls() -> None:
    watch = new()
    seconds(watch, 5, 22.0, 500)
    behind = watch.estimate()
    assert behind.limited_by == "behind"
    assert [replace(behind, sessions=open_).worth_having for open_ in (0, 3, 300)] == [ALWAYS, ALWAYS, 300]
    assert new().estimate().worth_having == calls(new())
    few = CapacityWatch(TRIED_US, 2, 20_000)
    seconds(few, 5, 22.0, 2)
    assert few.estimate().worth_having == 2


def test_what_limits_besides_the_tick_is_named() -> None:
    sockets, capacity = new(files=264).estimate(), new(capacity=30).estimate()
    assert (sockets.calls, sockets.limited_by) == (100, "sockets")
    assert "RLIMIT_NOFILE" in str(sockets)
    assert (capacity.calls, capacity.limited_by) == (30, "capacity")


@pytest.mark.parametrize("together", [False, True])
def test_trying_finds_a_cost_that_a_call_may_have(together: bool) -> None:
    ring = Ring.open() if together else None
    assert 1.0 < try_out(ring, None) < 10_000.0
    bank = CostlyBank(1024)
    assert try_out(ring, bank.push) > 400.0, "0.2 ms, twice"
    if ring is not None:
        ring.close()
        assert try_out(ring, None) > 1.0, "a ring that has failed does nothing in no time"


async def test_a_call_too_many_is_refused_until_one_ends() -> None:
    async with await MediaEngine.start(writer=False, bank=COSTLY, capacity=64) as engine:
        told: list[bool] = []
        engine.on_capacity = lambda: told.append(engine.capacity_estimate().full)
        most = engine.capacity_estimate().calls
        assert ALWAYS <= most <= 33
        sessions = [await engine.open(SessionSpec(LOOPBACK)) for _ in range(most)]
        with pytest.raises(EngineFull, match=f"about {most} calls at once: a call takes"):
            await engine.open(SessionSpec(LOOPBACK))
        assert True in told
        waiting = asyncio.create_task(engine.open(SessionSpec(LOOPBACK), wait_s=30.0))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await sessions.pop().close(0.0)
        sessions.append(await waiting)
        assert engine.capacity_estimate().sessions == most
        stop = asyncio.Event()
        given_up = asyncio.create_task(engine.open(SessionSpec(LOOPBACK), wait_s=30.0, stop=stop))
        await asyncio.sleep(0.05)
        stop.set()
        with pytest.raises(EngineFull):
            await given_up
        assert (await engine.health()).sessions == most


class PatientBank(CostlyBank):
    """One that cannot be made by a process that goes before ordinary work."""

    def __init__(self, capacity: int) -> None:
        hasty = os.getpriority(os.PRIO_PROCESS, 0) < os.getpriority(os.PRIO_PROCESS, os.getppid())
        if hasty or os.sched_getscheduler(0) != os.SCHED_OTHER:
            raise RuntimeError("whatever loads for so long must let others go first")
        super().__init__(capacity)


async def test_an_engine_that_starts_keeps_no_other_from_its_packets() -> None:
    bank = f"{PatientBank.__module__}:{PatientBank.__name__}"
    async with await MediaEngine.start(writer=False, bank=bank, capacity=64) as engine:
        # And it has been tried what a call costs.
        assert engine.capacity_estimate().calls <= 33


async def test_whoever_wants_to_see_what_happens_may_go_beyond() -> None:
    async with await MediaEngine.start(writer=False, bank=COSTLY, capacity=64, measured=False) as engine:
        sessions = [await engine.open(SessionSpec(LOOPBACK)) for _ in range(40)]
        assert engine.capacity_estimate().full
        assert len(sessions) == 40
