"""`python -m benchmarks.setups`: calls without media are calls all the same, and a rate is judged as a whole."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.bench.far_process import far_process
from benchmarks.setups import held
from benchmarks.setups_engine import NoMedia
from sip.phone import Phone, Script


async def test_without_media_all_of_the_signalling_is_done_and_nothing_else() -> None:
    with far_process(0, ring_s=0.1, early_sound=False, realtime=False) as far:
        async with Phone(start_engine=NoMedia.ready) as phone:
            script = Script(max_talk_s=0.1)
            records = await asyncio.gather(*(phone.call(far.uri(n), script) for n in range(3)))
            assert phone.capacity_estimate().sessions == 0
    assert [record.outcome for record in records] == ["answered"] * 3
    assert all(record.media.sent == record.media.received == 0 for record in records)
    assert all(record.answered_ms is not None and record.answered_ms < record.ended_ms for record in records)
    assert far.counts["calls"]["acknowledged"] == far.counts["calls"]["ended"] == 3
    assert far.counts["open"] == 0


@pytest.mark.parametrize(
    ("worse", "value"),
    [("answered", 899), ("error_ms", {"p99": 2.1}), ("error_ms", {"p99": None}), ("setups_per_s", 293.0)],
)
def test_a_rate_is_held_only_with_all_answered_true_times_and_no_falling_behind(
    worse: str, value: object
) -> None:
    good: dict[str, Any] = {
        "rate": 300.0,
        "calls": 900,
        "answered": 900,
        "error_ms": {"p99": 0.1},
        "setups_per_s": 299.0,
    }
    assert held(good)
    assert not held({**good, worse: value})
