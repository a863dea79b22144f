"""What is wrong with something that was given, in words that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "extra_forbidden": "there is no member of this name; look at its spelling",
    "missing": "it is needed and was not given",
}


def wrong(item: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's errors, reworded where theirs says nothing to somebody at a duty desk."""
    return _WORDS.get(item["type"]) or str(item["msg"]).removeprefix("Value error, ")
