"""The simulated year, cut down to three weeks, and the checker that its figures rest on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.bench.year import CAPS, Call, NotEmptyError, simulate, violations
from app.settings import Settings

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 3, 2, 2, tzinfo=UTC)


def call(hours: float, line: int = 1, number: int = 1) -> Call:
    return Call(int(hours * 10), line, number, MONDAY + timedelta(hours=hours))


async def test_three_weeks_cover_every_unit_and_break_no_cap(settings: Settings) -> None:
    found = await simulate(settings, 5, 2026, last_day=date(2026, 1, 21))
    assert found["coverage"] == 1.0
    assert found["checks"] >= 5
    assert found["calls"] >= found["checks"]
    assert (found["cap_violations"], found["double_dials"]) == (0, 0)
    with pytest.raises(NotEmptyError):
        await simulate(settings, 5, 2026)


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ([call(0), call(1)], ["2 checks on 2026-03-02", "checks at"]),
        ([call(0), call(1, number=2)], []),
        ([call(0), call(1, line=2)], []),
        ([call(0), call(30), call(80)], ["3 checks in week"]),
        ([call(0), call(20)], ["checks at"]),
        ([call(0), call(48), call(24 * 7)], []),
    ],
)
def test_every_broken_cap_is_named(calls: list[Call], told: list[str]) -> None:
    found = list(violations(calls, CAPS, ZONE))
    assert len(found) == len(told)
    assert all(words in line for words, line in zip(told, found, strict=True))
