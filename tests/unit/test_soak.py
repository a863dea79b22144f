"""`python -m benchmarks.soak` judges: what a recording is, calls that never left, and what the far end's book says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.soak import Tally, encoded, faults_of
from benchmarks.soak_watch import MEMORY_MB, MEMORY_SHARE, Series
from sip.media.capture import Block
from sip.media.capture_header import pack_header
from sip.placing import failed_record
from sip.record import CallRecord


def capture(path: Path, ended_ms: float) -> Path:
    """Write the capture of a call that heard silence for its whole length."""
    samples = round(ended_ms * 8)
    blocks = Block("heard", 0, codes=b"\xd5" * samples), Block("ended", samples)
    path.write_bytes(pack_header(0.0) + b"".join(block.pack() for block in blocks))
    return path


def record(outcome: str) -> CallRecord:
    return dataclasses.replace(failed_record("sip:1@host"), outcome=outcome, our_failure=False)  # type: ignore[arg-type]


def test_a_recording_is_as_long_as_what_was_captured_of_its_call(tmp_path: Path) -> None:
    assert encoded(capture(tmp_path / "1.part", 500.0), 500.0) == pytest.approx(0.0, abs=0.2)
    assert encoded(capture(tmp_path / "1.part", 500.0), 740.0) == pytest.approx(-240.0, abs=0.2)
    assert not list(tmp_path.iterdir())


def test_a_recording_that_cannot_be_made_is_named_and_the_soak_goes_on(tmp_path: Path) -> None:
    why = encoded(tmp_path / "2.part", 500.0)
    assert why == f"{tmp_path / '2.part'}: No such file or directory"
    tally = Tally()
    tally.add("busy", record("busy"), why)
    tally.add("load", record("answered"), -240.0)
    assert tally.judged() == [
        f"busy: busy None, no recording: {why}",
        "load: the recording is -240.0 ms longer than the call",
    ]


def test_calls_for_which_there_was_no_room_are_no_fault_of_the_phone_until_they_are_many() -> None:
    tally = Tally()
    for _ in range(99):
        tally.add("busy", record("busy"), 0.0)
    tally.refuse(record("cancelled"))
    assert tally.judged() == []
    tally.refuse(failed_record("sip:1@host", "this machine carries no more"))
    assert tally.judged() == [
        "2 calls never left: this machine is too busy for so many "
        "(1 cancelled while it waited for room; 1 this machine carries no more)"
    ]
    assert tally.calls == {"busy": 99}


def memory(*, settles_mb: float, leaks_mb: float) -> Series:
    """Half an hour of looks: what settles does so in ten minutes, what leaks does so all the time."""
    series = Series("signalling memory MB", MEMORY_SHARE, MEMORY_MB)
    for at_s in range(0, 1801, 2):
        series.add(at_s, 100 + settles_mb * min(1.0, at_s / 600) + leaks_mb * at_s / 1800)
    return series


def test_memory_that_settles_is_no_leak_and_a_kilobyte_a_call_is() -> None:
    assert list(faults_of(memory(settles_mb=30.0, leaks_mb=0.0), 360, 900, 1800)) == []
    assert list(faults_of(memory(settles_mb=30.0, leaks_mb=9.0), 360, 900, 1800)) == [
        "signalling memory MB: grew by 4.5, mean 136.8, allowed 4.1"
    ]


def test_what_is_open_after_the_last_call_was_open_before_the_first() -> None:
    sockets = Series("media sockets", 0.05, 6.0, [0.0, 2.0, 4.0, 6.0], [2.0, 200.0, 200.0, 5.0])
    assert list(faults_of(sockets, 1.0, 1.0, 5.0)) == [
        "media sockets: 2 before the first call, 5 after the last"
    ]
