"""Simplified characters for traditional ones (繁简转换): Whisper writes either, whatever it is asked for."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources


def simplified(text: str) -> str:
    """Return the text with each traditional character replaced; its length is the same."""
    return text.translate(_table())


@cache
def _table() -> dict[int, str]:
    # The dictionary of OpenCC, its first choice for each character.
    read = tomllib.loads(resources.files(__package__).joinpath("simplified.toml").read_text(encoding="utf-8"))
    return {ord(sign): plain for sign, plain in zip(read["traditional"], read["simplified"], strict=True)}
