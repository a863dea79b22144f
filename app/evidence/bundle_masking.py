"""What leaves in a bundle holds no answer key, and of a withdrawn call no words."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from app.answers.masking import mask

_UNTOUCHED = re.compile(r"[0-9a-f]{64}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
"""Hashes and moments: no number of a telephone stands in them, and they must stay as they are."""
_QUOTED = re.compile(r"“[^”]*”")
_HEARD = re.compile(r"\Asays .*", re.DOTALL)
"""Of the signs of who answered."""
_LEFT_OUT = "（已封存）"


def masked(value: Any, keys: Collection[str]) -> Any:
    """Return a JSON value in whose texts the answer keys are masked."""
    if not keys:
        return value
    if isinstance(value, str):
        return value if _UNTOUCHED.fullmatch(value) else mask(value, keys)
    if isinstance(value, dict):
        return {name: masked(item, keys) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, keys) for item in value]
    return value


def wordless(value: Any) -> Any:
    """Return facts or a verdict without what was said: no transcript, and nothing of it quoted (封存)."""
    if isinstance(value, str):
        return _HEARD.sub(_LEFT_OUT, _QUOTED.sub(f"“{_LEFT_OUT}”", value))
    if isinstance(value, dict):
        return {name: None if name == "transcript" else wordless(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [wordless(item) for item in value]
    return value
