"""A fictional county to call: units with invented numbers on simulated lines."""

from __future__ import annotations

from app.demo.board import Board, moving_table, progress, result_table
from app.demo.county import COUNTY, UNITS, DemoUnit
from app.demo.service import (
    ForeignUnitsError,
    Result,
    fill,
    mismatches,
    place_all,
    put_rules_in_force,
    results,
)

__all__ = [
    "COUNTY",
    "UNITS",
    "Board",
    "DemoUnit",
    "ForeignUnitsError",
    "Result",
    "fill",
    "mismatches",
    "moving_table",
    "place_all",
    "progress",
    "put_rules_in_force",
    "result_table",
    "results",
]
