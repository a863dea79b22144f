"""Figures as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values do not exceed; nan of nothing."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.nan


def show(figures: Mapping[str, Any]) -> None:
    """Print the figures, one a line, then all of them as one JSON object."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            value = "  ".join(f"{key} {part}" for key, part in value.items())
        print(f"{name:<18} {value}")
    print(json.dumps(figures))


def show_parts(figures: Mapping[str, Any], *, as_json: bool) -> None:
    """Print figures that come in parts, a part's members below its name; or all of them as one JSON object."""
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        if isinstance(value, Mapping):
            print(name)
            for member, figure in value.items():
                print(f"  {member}: {figure}")
        else:
            print(f"{name}: {value}")
