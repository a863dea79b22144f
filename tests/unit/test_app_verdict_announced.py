"""Announcements that take the place of the ringing: they are no ringing, and what rang before is not denied."""

from __future__ import annotations

from typing import Any

from app.checks.facts import Sound
from app.checks.verdict import judge
from tests.unit.test_app_verdict import NONE, RULES, failed


def test_the_announcement_after_the_ringing_is_no_ringing() -> None:
    def rang(outcome: str, state: Any, *before: Sound) -> tuple[float | None, str]:
        sounds = (
            *before,
            Sound("ringback", 200.0, 29_200.0, 0.99),
            Sound("announcement", 29_200.0, 34_000.0, 0.9),
        )
        facts = failed(
            outcome, ring_started_ms=200.0, ended_ms=36_000.0, early_sounds=sounds, line_state=state
        )
        (found,) = judge(facts, RULES, NONE).findings
        return facts.rung_ms, f"{found.code}/{found.grade}: {found.detail}"

    notice = Sound("announcement", 100.0, 190.0, 0.9)
    for before in ((), (notice,)):
        assert rang("no_answer", "no_answer", *before) == (
            29_000.0,
            "no_answer/weak: 响铃 29.0 秒无人接听，仅一次拨打，不足 30 秒",
        )
    assert rang("unreachable", "not_reachable") == (
        29_000.0,
        "line_check/none: 提示音：无法接通，线路不通，此前响铃 29.0 秒",
    )


def test_an_announcement_before_the_last_ringback_ends_no_ringing() -> None:
    sounds = (
        Sound("ringback", 200.0, 10_000.0, 0.99),
        Sound("announcement", 10_100.0, 14_000.0, 0.9),
        Sound("ringback", 15_000.0, 50_200.0, 0.99),
    )
    facts = failed("no_answer", ring_started_ms=200.0, ended_ms=50_200.0, early_sounds=sounds)
    assert facts.rung_ms == 50_000.0
