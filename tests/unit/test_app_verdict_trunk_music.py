"""Music of our own trunk tells nothing of when the line rang: no late answer is proposed by its onset."""

from __future__ import annotations

from typing import Any

import pytest

from app.checks.facts import Facts
from app.checks.verdict import judge
from tests.unit.test_app_verdict import NONE, RULES

RANG = {"t_ms": 3_000.0, "event": "received", "status": 180}
PROGRESS = {"t_ms": 200.0, "event": "received", "status": 183}
BURST = {"start_ms": 4_000.0, "end_ms": 5_000.0, "frequency_hz": 450.0, "level_dbm0": -10.0}


def record(
    outcome: str, seconds: float, *, alarms: tuple[str, ...] = ("trunk_music",), **more: Any
) -> dict[str, Any]:
    """A call that gave music from 200 ms on, and was answered or given up after so many seconds of it."""
    end_ms = 200.0 + seconds * 1000
    music = {"kind": "music", "start_ms": 200.0, "end_ms": end_ms, "confidence": 0.9}
    call: dict[str, Any] = {
        "outcome": outcome,
        "ring_started_ms": 200.0,
        "ended_ms": end_ms,
        "early_media": {"kind": "crbt", "segments": [music]},
        "alarms": list(alarms),
        "timeline": [PROGRESS],
    }
    if outcome == "answered":
        ringing = {"ring_to_answer_ms": seconds * 1000, "ring_to_answer_min_ms": seconds * 1000}
        call |= {"answered_by": "human", "answered_ms": end_ms, **ringing}
    return call | more


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (record("answered", 24.0), "unmeasured"),
        (record("answered", 17.0), "unmeasured"),
        (record("answered", 9.0), "within"),
        (record("answered", 24.0, timeline=[PROGRESS, RANG]), "overtime"),
        (record("answered", 24.0, rings={"bursts": [BURST]}), "overtime"),
        (record("answered", 24.0, alarms=()), "crbt"),
    ],
)
def test_a_late_answer_is_proposed_only_where_the_line_was_seen_to_ring(
    call: dict[str, Any], code: str
) -> None:
    verdict = judge(Facts.from_json(call), RULES, NONE)
    assert verdict.code == code
    assert ("overtime" in {found.code for found in verdict.findings}) == (code in ("overtime", "crbt"))


def test_an_unanswered_call_behind_it_has_an_unknown_ringing() -> None:
    (found,) = judge(Facts.from_json(record("no_answer", 60.0)), RULES, NONE).findings
    assert (found.code, found.grade, found.detail) == (
        "no_answer",
        "weak",
        "响铃时长未核实，无人接听，仅一次拨打",
    )
    (sure,) = judge(Facts.from_json(record("no_answer", 60.0, alarms=())), RULES, NONE).findings[-1:]
    assert (sure.grade, sure.detail) == ("strong", "响铃 60.0 秒无人接听，仅一次拨打")
