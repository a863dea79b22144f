"""`dutyring doctor`."""

from __future__ import annotations


def run(*, offline: bool, as_json: bool) -> int:
    """Placeholder."""
    return 0
