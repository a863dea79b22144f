"""`dutyring bench calls` places whole calls, and refuses more than the machine carries."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.bench import calls_figures
from app.bench.calls import Line, Wanted, capture_of, place
from app.bench.calls_figures import Load, held, setups_per_s, table, timing_errors
from app.bench.far_process import FarProcess
from app.bench.processes import dropped
from sip.media import CapacityEstimate, EngineHealth
from sip.record import CallRecord, TimelineEntry


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", "bench", "calls", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    done = run("--concurrency", "4", "--seconds", "1", "--json")
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_every_call_is_whole(figures: dict[str, Any]) -> None:
    assert figures["schema"] == "dutyring.bench/1"
    assert figures["concurrency"] == figures["answered"] == figures["rings_heard"] == 4
    assert figures["recordings_right"] == 4
    assert figures["lost_pct"] == 0
    # Over 5 s both ways, 50 packets a second.
    assert 4 * 2 * 5 * 50 < figures["packets"] < 4 * 2 * 30 * 50
    # None was hung up before the measured second was over.
    assert figures["talking"] == 4
    assert figures["measured_s"] >= 1
    assert figures["far_end"]["dialogs_left"] == 0
    assert figures["far_end"]["missing"] == 0
    assert figures["timings_compared"] >= 4
    assert set(figures["cpu_pct"]) == {"signalling", "media", "writer", "far_end"}
    assert {"p50", "p99"} == set(figures["tick_ms"]) == set(figures["timing_error_ms"])


def test_the_table_names_what_was_measured_and_the_verdict_what_failed(figures: dict[str, Any]) -> None:
    assert "4, answered 4" in table(figures)
    good = {**figures, "late_pct": 0.0}
    assert held(good)
    for name, value in (
        ("answered", 3),
        ("talking", 3),
        ("recordings_right", 3),
        ("late_pct", 0.6),
        ("lost_pct", 0.1),
    ):
        assert not held({**good, name: value}), name


def test_more_calls_than_the_machine_carries_are_refused_before_the_first() -> None:
    done = run("--concurrency", "10000", "--seconds", "1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "10000 calls at once are too many" in done.stderr
    assert "--beyond-limit" in done.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--concurrency", "0"), ("--seconds", "0"), ("--rate", "5000")]
)
def test_figures_that_make_no_sense_are_named(option: str, value: str) -> None:
    done = run(option, value)
    assert done.returncode == 2
    assert option in done.stderr


async def test_calls_that_come_to_nothing_are_not_waited_for_without_end(tmp_path: Path) -> None:
    """A far end that takes every INVITE and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        far = FarProcess(mute.getsockname()[1], os.getpid())
        wanted = Wanted(2, seconds=0.5, beyond_limit=True, patience_s=1.0, ending_s=1.0)
        async with asyncio.timeout(60):
            records, load = await place(wanted, far, tmp_path)
    assert load.talking == 0
    told = calls_figures.figures(records, load, [capture_of(tmp_path, n) for n in range(2)])
    whole = told.finish({}, {"packets": {"received": 0, "missing": 0}, "open": 0})
    assert whole["concurrency"] == 2
    assert whole["answered"] == whole["talking"] == whole["recordings_right"] == 0
    # Without any response an INVITE may not be cancelled: its call goes on until its transaction gives up.
    assert records == [None, None]
    assert whole["broken_off"] == 2
    assert not held(whole)
    assert "2, answered 0, would not end 2" in table(whole)


async def test_a_media_engine_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.bench.calls.ANSWER_S", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        far = FarProcess(mute.getsockname()[1], os.getpid())
        wanted = Wanted(1, seconds=0.2, beyond_limit=True, patience_s=1.0, ending_s=1.0)
        running = asyncio.create_task(place(wanted, far, tmp_path))
        assert await asyncio.wait_for(asyncio.to_thread(mute.recv, 65_535), 30)
        (engine,) = (
            child
            for child in psutil.Process().children(recursive=True)
            if "sip.media.engine" in child.cmdline()
        )
        engine.suspend()
        async with asyncio.timeout(90):
            records, load = await running
        assert not engine.is_running()
    assert load.health is None
    told = calls_figures.figures(records, load, [capture_of(tmp_path, 0)])
    whole = told.finish({}, {"packets": {"received": 0, "missing": 0}, "open": 0})
    assert json.loads(json.dumps(whole, allow_nan=False))["tick_ms"] == {"p50": None, "p99": None}
    assert not held(whole)
    assert "did not answer" in table(whole)


def test_a_call_that_would_not_end_has_no_record_and_is_told(tmp_path: Path) -> None:
    health, carried = EngineHealth(1, 1, 1.0, 1.0, 1.0, 0), CapacityEstimate(9, "tick", 1.0, 1, 1.0)
    load = Load({}, 1.0, health, carried, kernel_drops=0, talking=1, span_s=1.0)
    captures = [tmp_path / "0.part", tmp_path / "1.part"]
    told = calls_figures.figures([None, record("a", s200=5.0)], load, captures)
    whole = told.finish({}, {"packets": {"received": 0, "missing": 0}, "open": 0})
    assert (whole["concurrency"], whole["broken_off"]) == (2, 1)
    assert not held(whole)
    assert "would not end 1" in table(whole)


def record(call_id: str, **told: float) -> CallRecord:
    entries = tuple(
        TimelineEntry(t_ms, "received", {"status": int(status[1:])}) for status, t_ms in told.items()
    )
    ended = TimelineEntry(9_000.0, "received", {"status": 200, "request": "BYE"})
    return CallRecord(
        target="sip:line@127.0.0.1",
        call_id=call_id,
        started_at="2026-01-01T00:00:00.000+08:00",
        clock_synchronised=True,
        outcome="answered",
        ended_by="us",
        timeline=(*entries, ended),
    )


def test_a_call_talks_from_answer_and_sound_until_its_end() -> None:
    line = Line()
    line.note(TimelineEntry(20.0, "media", {"what": "first packet"}))
    assert not line.talks
    assert not line.settled.is_set()
    line.note(TimelineEntry(4_000.0, "answered"))
    assert line.talks
    assert line.settled.is_set()
    line.end()
    assert not line.talks
    refused = Line()
    refused.end()
    # The measuring does not wait for what will never talk, nor count it.
    assert refused.settled.is_set()
    assert not refused.talks


def test_setups_a_second_are_those_that_came_up_however_fast_they_were_asked_for() -> None:
    calls = [dataclasses.replace(record(str(n)), connected_ms=4_000.0 + 500.0 * n) for n in range(5)]
    # All INVITEs left at once; the 200s came half a second apart.
    assert setups_per_s(calls) == pytest.approx(2.0)
    assert setups_per_s([record("refused")]) == 0
    assert setups_per_s([]) == 0


def test_times_are_compared_from_the_invite_with_a_capture_and_from_the_first_response_without() -> None:
    calls = [record("a", s180=10.0, s200=500.0), record("b", s180=12.0)]
    capture = {"a": {"INVITE": 100.0, "180": 100.011, "200": 100.502}}
    assert timing_errors(calls, capture) == pytest.approx([1.0, 2.0])
    stamps = {"a": {"180": 50.0, "200": 50.493}, "b": {"180": 51.0}}
    assert timing_errors(calls, stamps) == pytest.approx([3.0])


def test_a_call_without_a_recording_fails_and_its_figures_are_json_all_the_same(tmp_path: Path) -> None:
    health, carried = EngineHealth(1, 1, 1.0, 1.0, 1.0, 0), CapacityEstimate(9, "tick", 1.0, 1, 1.0)
    load = Load({}, 1.0, health, carried, kernel_drops=0, talking=1, span_s=1.0)
    told = calls_figures.figures([record("a", s200=5.0)], load, [tmp_path / "gone.part"])
    whole = told.finish({}, {"packets": {"received": 0, "missing": 0}, "open": 0})
    assert json.loads(json.dumps(whole, allow_nan=False))["recordings_right"] == 0
    assert not held(whole)
    assert "0 of the right length" in table(whole)


def test_datagrams_thrown_away_at_our_sockets_are_counted_and_only_those() -> None:
    before = dropped([os.getpid()])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as full:
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        full.bind(("127.0.0.1", 0))
        for _ in range(500):
            full.sendto(bytes(172), full.getsockname())
        taken = 0
        full.setblocking(False)
        lost = dropped([os.getpid()]) - before
        try:
            while full.recv(200):
                taken += 1
        except BlockingIOError:
            pass
    assert taken < 500
    assert taken + lost == 500
    assert dropped([]) == 0
