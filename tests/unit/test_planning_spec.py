"""What a plan may say, and how it is told what is wrong."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from app.planning.spec import MOST_TALK_S, PlanSpec, Window, minute_of, period_of

GOOD: dict[str, Any] = {
    "first_day": "2026-10-01",
    "last_day": "2026-12-31",
    "windows": {"workday": [{"start": "08:00", "end": "12:00"}]},
}


def test_the_defaults_are_those_of_the_office() -> None:
    spec = PlanSpec.model_validate(GOOD)
    assert (spec.period, spec.calls_per_unit, spec.extra_per_unit, spec.yearly_coverage) == (
        "month",
        1,
        0.5,
        1,
    )
    assert (spec.caps.line_day, spec.caps.line_week, spec.caps.least_gap_h) == (1, 3, 12.0)
    assert (spec.retry.after_min_s, spec.retry.after_max_s) == (600, 780)
    assert spec.notice
    assert spec.opening_id is None
    assert not spec.calls_at_night
    assert PlanSpec.model_validate(spec.to_content()) == spec


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"windows": {"workday": [{"start": "8:00", "end": "12:00"}]}}, "windows.workday.0.start"),
        ({"windows": {"workday": [{"start": "08:00", "end": "24:01"}]}}, "windows.workday.0.end"),
        ({"windows": {"workday": [{"start": "08:60", "end": "12:00"}]}}, "windows.workday.0.start"),
        ({"windows": {"workday": [{"start": "²³:00", "end": "12:00"}]}}, "windows.workday.0.start"),
        ({"windows": {"workday": [{"start": "08:00", "end": "08:00"}]}}, "windows.workday.0"),
        ({"windows": {"workday": [{"start": "24:00", "end": "08:00"}]}}, "windows.workday.0"),
        ({"windows": {"feast": []}}, "windows.feast.[key]"),
        ({"windows": {"workday": []}}, ""),
        ({"windows": {}}, "windows"),
        ({"last_day": "2026-09-30"}, ""),
        ({"last_day": "2030-09-30"}, ""),
        ({"first_day": "0001-01-01"}, "first_day"),
        ({"calls_per_unit": 3, "most_per_unit": 2}, ""),
        ({"calls_per_unit": 0, "extra_per_unit": 0, "yearly_coverage": 0}, ""),
        ({"max_talk_s": MOST_TALK_S + 1}, "max_talk_s"),
        ({"extra_per_unit": "nan"}, "extra_per_unit"),
        ({"caps": {"line_day": 0}}, "caps.line_day"),
        ({"weights": [{"factor": 2}]}, "weights.0"),
        ({"weights": [{"unit": 1, "kind": "镇街", "factor": 2}]}, "weights.0"),
        ({"units": {"categories": ["village"]}}, "units.categories.0"),
        ({"units": {"line_kinds": ["fax"]}}, "units.line_kinds.0"),
        ({"opening": 3}, "opening"),
    ],
)
def test_a_wrong_member_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        PlanSpec.model_validate(GOOD | change)
    assert ".".join(str(part) for part in refused.value.errors()[0]["loc"]) == where


def test_windows_stand_in_for_days_that_a_plan_does_not_mention() -> None:
    day, feast, alert = ([{"start": f"{hour:02}:00", "end": f"{hour + 2:02}:00"}] for hour in (8, 10, 12))
    spec = PlanSpec.model_validate(
        GOOD | {"windows": {"workday": day, "holiday": feast, "sensitive": alert, "weekend": []}}
    )
    assert spec.windows_of("makeup_workday", False)[0].start == "08:00"
    assert spec.windows_of("lieu_day", False)[0].start == "10:00"
    assert spec.windows_of("weekend", False) == ()
    # Sensitive days have their own windows, whatever else they are; without any, those of their kind.
    assert spec.windows_of("weekend", True)[0].start == "12:00"
    plain = PlanSpec.model_validate(GOOD)
    assert plain.windows_of("workday", True)[0].start == "08:00"
    assert plain.windows_of("holiday", True) == ()


@pytest.mark.parametrize(
    ("start", "end", "minutes", "night"),
    [
        ("08:00", "24:00", (480, 1440), False),
        ("22:00", "06:00", (1320, 1800), True),
        ("22:00", "00:00", (1320, 1440), False),
        ("05:59", "08:00", (359, 480), True),
        ("06:00", "08:00", (360, 480), False),
        ("00:00", "24:00", (0, 1440), True),
    ],
)
def test_a_window_may_go_on_after_midnight(
    start: str, end: str, minutes: tuple[int, int], night: bool
) -> None:
    window = Window(start=start, end=end)
    assert (window.minutes, window.at_night) == (minutes, night)


def test_periods_are_those_of_the_calendar() -> None:
    day, first = date(2026, 8, 16), date(2026, 8, 5)
    assert [period_of(period, day, first) for period in ("week", "month", "quarter", "year", "whole")] == [
        date(2026, 8, 10),
        date(2026, 8, 1),
        date(2026, 7, 1),
        date(2026, 1, 1),
        first,
    ]
    assert minute_of("24:00") == 1440
