"""A fictional county to call: units with invented numbers on simulated lines."""

from __future__ import annotations

from app.demo.county import COUNTY, UNITS, DemoUnit
from app.demo.service import ForeignUnitsError, Result, fill, mismatches, place_all, result_table, results

__all__ = [
    "COUNTY",
    "UNITS",
    "DemoUnit",
    "ForeignUnitsError",
    "Result",
    "fill",
    "mismatches",
    "place_all",
    "result_table",
    "results",
]
