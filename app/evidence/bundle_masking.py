"""What leaves in a bundle holds no answer key, and of a withdrawn call no words."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from app.answers.masking import mask
from sip.numbers import NumberError, parse_number, split_extension

_UNTOUCHED: Final = re.compile(r"[0-9a-f]{64}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
"""Hashes and moments: no number of a telephone stands in them, and they must stay as they are."""
_NO_DIGIT: Final = re.compile(r"[^0-9]+")
_QUOTED: Final = re.compile(r"“[^”]*”")
_HEARD: Final = re.compile(r"\Asays .*", re.DOTALL)
"""Of the signs of who answered."""
_LEFT_OUT: Final = "（已封存）"


def masked(value: Any, keys: Collection[str]) -> Any:
    """Return a JSON value in whose texts the answer keys are masked."""
    if not keys:
        return value
    if isinstance(value, str):
        return value if _UNTOUCHED.fullmatch(value) else masked_text(value, keys)
    if isinstance(value, dict):
        return {name: masked(item, keys) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, keys) for item in value]
    return value


def masked_text(text: str, keys: Collection[str]) -> str:
    """Return a text of any length in which the answer keys are masked, line by line.

    A line that can hold none is not read with care: a signalling trace has thousands of them.
    """
    if not keys:
        return text
    cores = {_core(key) for key in keys}
    lines = text.splitlines(keepends=True)
    return "".join(mask(line, keys) if _may_hold(line, cores) else line for line in lines)


def _core(key: str) -> str:
    """The digits of a key without area code and extension: it is masked with them and without."""
    try:
        number = parse_number(split_extension(key)[0])
    except NumberError:
        return _NO_DIGIT.sub("", key)
    return _NO_DIGIT.sub("", number.subscriber or number.national)


def _may_hold(line: str, cores: Collection[str]) -> bool:
    """Whether a line may hold a key. In a line without Chinese, numbers are written in digits alone."""
    if not line.isascii():
        return True
    digits = _NO_DIGIT.sub("", line)
    return any(core in digits for core in cores)


def wordless(value: Any) -> Any:
    """Return facts or a verdict without what was said: no transcript, and nothing of it quoted (封存)."""
    if isinstance(value, str):
        return _HEARD.sub(_LEFT_OUT, _QUOTED.sub(f"“{_LEFT_OUT}”", value))
    if isinstance(value, dict):
        return {name: None if name == "transcript" else wordless(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [wordless(item) for item in value]
    return value
