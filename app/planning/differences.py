"""What changed between the inputs of a draw and those of today: only such a change draws the remainder anew.

What a run's own calls change (what lines bore, what was counted) is no such change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.planning.draw_inputs import DrawInputs

_LineView = tuple[tuple[int, ...], tuple[tuple[int, int], ...]]


def differences(drawn: DrawInputs, present: DrawInputs, now_s: int) -> tuple[str, ...]:
    """Name what differs from a second since 1970 on: `calendar`, `lines`, `weights`, `handovers`, `exemptions`."""
    return tuple(_differences(drawn, present, now_s))


def _differences(drawn: DrawInputs, present: DrawInputs, now_s: int) -> Iterator[str]:
    if _pieces(drawn, now_s) != _pieces(present, now_s):
        yield "calendar"
    if drawn.night != present.night:
        yield "night"
    before, after = _lines(drawn, now_s), _lines(present, now_s)
    if before.keys() != after.keys():
        yield "lines"
    shared = before.keys() & after.keys()
    if {unit.unit_id: unit.weight_ppm for unit in drawn.units} != _weights(present, drawn):
        yield "weights"
    if any(before[key][0] != after[key][0] for key in shared):
        yield "handovers"
    if any(before[key][1] != after[key][1] for key in shared):
        yield "exemptions"


def _pieces(inputs: DrawInputs, now_s: int) -> list[tuple[Any, ...]]:
    return [(max(p.start, now_s), p.end, p.day, p.period, p.night) for p in inputs.pieces if p.end > now_s]


def _weights(present: DrawInputs, drawn: DrawInputs) -> dict[int, int]:
    """Present weights of the units that were drawn; units that came or went show themselves by their lines."""
    found = {unit.unit_id: unit.weight_ppm for unit in present.units}
    return {unit.unit_id: found.get(unit.unit_id, unit.weight_ppm) for unit in drawn.units}


def _lines(inputs: DrawInputs, now_s: int) -> dict[tuple[int, int], _LineView]:
    """Handovers and closed stretches to come of each line, by unit and line."""
    found: dict[tuple[int, int], _LineView] = {}
    for unit in inputs.units:
        for line in unit.lines:
            group = inputs.groups[line.group]
            closed = tuple((max(start, now_s), end) for start, end in group.closed if end > now_s)
            found[unit.unit_id, line.line_id] = (group.handovers, closed)
    return found
