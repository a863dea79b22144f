"""A year's draw of 2,000 units: time, coverage, caps, and what could be learnt from it: `python -m benchmarks.draw`.

Exits 1 where a limit is missed. The seed is fixed: the figures are the same on every machine, but for the times.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from typing import Any

from app.planning.draw import DrawInputs, contradictions, draw, expected_load
from benchmarks.draw_figures import SEED, Year, local_day, local_hour, minute_of_hour, weekday, year_inputs
from benchmarks.table import show_parts

SCHEMA = "dutyring.bench.draw/1"
MOST_DRAW_S = 5.0
"""Of one core."""
FITS = ("in_window", "hour", "weekday", "day", "minute_of_hour", "second_of_minute", "order_of_units")
MOST_FIT = 4.0
LEAST_CHANCE = 0.3
"""Of another call within 30 days of one, over that of any moment."""
PLANS: dict[str, dict[str, Any]] = {
    "once a year": {"period": "year"},
    "once a quarter": {"period": "quarter"},
    "once a month": {},
    "once a month, as many further calls": {"extra_per_unit": 1.0},
    "twice a week, caps reached": {
        "period": "week",
        "calls_per_unit": 2,
        "caps": {"line_week": 2, "least_gap_h": 40.0},
    },
}


def measure(inputs: DrawInputs) -> dict[str, Any]:
    """Draw once and return the figures."""
    started = time.process_time()
    slots = draw(SEED, inputs)
    drawn_s = time.process_time() - started
    started = time.process_time()
    named = contradictions(inputs)
    expected_load(inputs)
    year = Year(inputs, slots)
    return {
        "calls": len(slots),
        "draw_cpu_s": round(drawn_s, 2),
        "preview_cpu_s": round(time.process_time() - started, 2),
        "contradictions": len(named),
        "coverage": year.coverage(),
        "broken_caps": year.broken_caps(),
        "in_window": round(year.inside(24), 2),
        "hour": round(year.fit(local_hour), 2),
        "weekday": round(year.fit(weekday), 2),
        "day": round(year.fit(local_day), 2),
        "minute_of_hour": round(year.fit(minute_of_hour, 60), 2),
        "second_of_minute": round(year.second_of_minute(), 2),
        "order_of_units": round(year.order_of_units(), 2),
        "gap_spread": round(year.gap_spread(), 2),
        **{f"chance_after_{days}_days": round(year.chance_after(days), 2) for days in (3, 7, 30)},
    }


def misses(figures: Mapping[str, Any], *, crowded: bool) -> list[str]:
    """Return the names of the figures that miss their limit.

    Where the caps are reached, calls repel each other, most of all across the end of a week: times are not alike then,
    and they are drawn in turns, which takes longer.
    """
    fits = [name for name in FITS if not (crowded and name in ("hour", "weekday", "day", "minute_of_hour"))]
    found = [name for name in fits if abs(figures[name]) > MOST_FIT]
    found += [name for name in ("broken_caps", "contradictions") if figures[name]]
    found += ["coverage"] * (figures["coverage"] < 1.0)
    found += ["draw_cpu_s"] * (figures["draw_cpu_s"] > MOST_DRAW_S and not crowded)
    return found + ["chance_after_30_days"] * (figures["chance_after_30_days"] < LEAST_CHANCE)


def main() -> int:
    """Measure every plan; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"schema": SCHEMA, "units": options.units}
    missed = []
    for name, members in PLANS.items():
        crowded = "caps" in members
        found[name] = measure(year_inputs(options.units, **members))
        missed += [f"{name}: {figure}" for figure in misses(found[name], crowded=crowded)]
    show_parts(found, as_json=options.json)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
