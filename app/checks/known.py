"""What is known of a line before its call: how it rang before, and which numbers its unit has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.directory.models import DutyLine
from sip.numbers import split_extension
from sip.progress.forwarding import user_of
from sip.targets import is_uri


def by_trunk(delays: Iterable[tuple[str, float]]) -> Mapping[str, tuple[float, ...]]:
    """Part post-dial delays by trunk: each has its own network behind it."""
    parted: dict[str, list[float]] = {}
    for trunk, delay_ms in delays:
        parted.setdefault(trunk, []).append(delay_ms)
    return {trunk: tuple(found) for trunk, found in parted.items()}


def numbers_of(lines: Iterable[DutyLine]) -> tuple[str, ...]:
    """The numbers of a unit's lines: as printed, as dialled, their switchboards' and their pilot numbers."""
    numbers: dict[str, None] = {}
    for line in lines:
        target = user_of(line.target) if is_uri(line.target) else line.target
        for text in (line.number, target or "", *line.pilot_numbers):
            number, extension = split_extension(text)
            for own in (number, *([extension] if extension else [])):
                numbers.setdefault(own)
    numbers.pop("", None)
    return tuple(numbers)
