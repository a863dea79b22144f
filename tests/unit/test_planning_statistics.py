"""A simulated year shows no pattern: figures of a fixed seed within limits that chance breaks once in 30,000 draws.

`benchmarks/draw.py` measures 2,000 units and further plans; docs/explanation/the-draw.md has its figures.
"""

from __future__ import annotations

from typing import Any

import pytest

from app.planning.draw import draw
from benchmarks.draw import FITS, LEAST_CHANCE, MOST_FIT, measure, misses
from benchmarks.draw_figures import SEED, Year, local_hour, normal_fit, weekday, year_inputs


@pytest.mark.parametrize("members", [{}, {"period": "quarter", "extra_per_unit": 1.0}])
def test_a_year_shows_no_pattern(members: dict[str, Any]) -> None:
    figures = measure(year_inputs(250, **members))
    assert misses(figures, crowded=False) == []
    assert figures["coverage"] == 1.0
    assert figures["chance_after_30_days"] > 2 * LEAST_CHANCE


def test_the_figures_see_a_pattern_where_there_is_one() -> None:
    """Else they would prove nothing: of a fair draw only the calls are kept that a pattern would leave."""
    inputs = year_inputs(250)
    slots = draw(SEED, inputs)
    mornings = Year(inputs, [slot for slot in slots if slot.at.hour < 8 or slot.slot % 3])
    assert mornings.fit(local_hour) > MOST_FIT
    fridays = Year(inputs, [slot for slot in slots if slot.at.weekday() != 4 or slot.slot % 3])
    assert fridays.fit(weekday) > MOST_FIT
    full_minutes = Year(inputs, [slot for slot in slots if slot.at.second < 30 or slot.slot % 3])
    assert full_minutes.second_of_minute() > MOST_FIT
    in_turn = Year(
        inputs, [slot for slot in slots if (slot.unit_id > 125) == (slot.at.day > 15) or slot.slot % 3]
    )
    assert abs(in_turn.order_of_units()) > MOST_FIT
    once = {}
    for slot in slots:
        once.setdefault((slot.line_id, (slot.at.month + 2) // 3), slot)
    assert Year(inputs, sorted(once.values(), key=lambda slot: slot.at)).chance_after(30) < 2 * LEAST_CHANCE


def test_a_fit_is_about_nought_where_counts_are_as_expected() -> None:
    expected = dict.fromkeys(range(20), 100.0)
    assert normal_fit(dict.fromkeys(range(20), 100), expected) < -MOST_FIT
    assert normal_fit({number: 90 + 20 * (number % 2) for number in range(20)}, expected) == pytest.approx(
        0.15, abs=0.2
    )
    assert set(FITS) >= {"hour", "weekday"}
