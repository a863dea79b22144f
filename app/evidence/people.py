"""What every act of a person on a recording asks for: a reason in words."""

from __future__ import annotations

from app.errors import BadInputError, Fault

MOST_SIGNS = 4000


def check_reason(reason: str) -> str:
    """Return a reason without spaces at its ends. Raises `BadInputError`."""
    text = reason.strip()
    if not 0 < len(text) <= MOST_SIGNS:
        fault = Fault("reason", f"takes 1 to {MOST_SIGNS} signs")
        raise BadInputError("须说明理由 (the reason must be given, in words)", [fault])
    return text
