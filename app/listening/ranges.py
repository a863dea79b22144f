"""Byte ranges (RFC 9110 section 14), one at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_UNIT: Final = "bytes"
_SPEC: Final = re.compile(r"(?P<first>[0-9]+)[ \t]*-[ \t]*(?P<last>[0-9]*)|-[ \t]*(?P<suffix>[0-9]+)")
_MOST_DIGITS: Final = 19
_TAG: Final = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a representation, `end` not included."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


class DamagedRangeError(ValueError):
    """A `Range` header in bytes that is no range; it may be rejected (section 14.2)."""


class UnsatisfiableRangeError(ValueError):
    """A range that holds none of the bytes that there are (416)."""


def wanted(header: str | None, size: int) -> Span | None:
    """Return the one range that a `Range` header asks for of `size` bytes; None: all of them.

    What names several ranges, or another unit, is answered with the whole, as section 14.2 allows and asks. Raises
    `DamagedRangeError` or `UnsatisfiableRangeError`.
    """
    if header is None:
        return None
    unit, equals, rest = header.partition("=")
    if unit.strip().lower() != _UNIT:
        return None
    specs = [spec.strip(" \t") for spec in rest.split(",") if spec.strip(" \t")]
    found = [_SPEC.fullmatch(spec) for spec in specs]
    if not equals or not found or not all(found):
        raise DamagedRangeError(header)
    spans = [_span(match, size) for match in found if match is not None]
    if len(spans) > 1:
        return None
    if spans[0] is None:
        raise UnsatisfiableRangeError(header)
    return spans[0]


def _span(match: re.Match[str], size: int) -> Span | None:
    """Return the bytes of one range, None where there are none of them. Raises `DamagedRangeError`."""
    if match["suffix"] is not None:
        length = min(_count(match["suffix"], size), size)
        return Span(size - length, size) if length else None
    if match["last"] and _order(match["last"]) < _order(match["first"]):
        raise DamagedRangeError(match[0])
    first, last = _count(match["first"], size), _count(match["last"] or match["first"], size)
    return Span(first, min(last + 1, size) if match["last"] else size) if first < size else None


def _order(digits: str) -> tuple[int, str]:
    """What numbers of any length are compared by."""
    plain = digits.lstrip("0")
    return len(plain), plain


def _count(digits: str, size: int) -> int:
    """Read a number of bytes; one that is longer than any file's is as good as the size."""
    plain = digits.lstrip("0") or "0"
    return int(plain) if len(plain) < _MOST_DIGITS else size


def matches(if_range: str | None, tag: str) -> bool:
    """Whether an `If-Range` header lets the range through: none, or this strong tag (section 13.1.5).

    A date never does: no `Last-Modified` is sent. Nor does a weak tag.
    """
    return if_range is None or (bool(_TAG.fullmatch(if_range.strip())) and if_range.strip() == tag)


def none_match(header: str | None, tag: str) -> bool:
    """Whether an `If-None-Match` header does not name this tag (section 13.1.2): then the whole is to be sent."""
    if header is None:
        return True
    if header.strip() == "*":
        return False
    return tag not in _TAG.findall(header)
