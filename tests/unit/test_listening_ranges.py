"""Byte ranges as RFC 9110 section 14 has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.listening.ranges import DamagedRangeError, Span, UnsatisfiableRangeError, matches, none_match, wanted

SIZE = 1_000
sizes = st.integers(0, 10**7)
places = st.integers(0, 2 * 10**7)


@given(sizes, places, places)
def test_a_range_with_both_ends(size: int, first: int, length: int) -> None:
    last = first + length
    if first >= size:
        with pytest.raises(UnsatisfiableRangeError):
            wanted(f"bytes={first}-{last}", size)
        return
    span = wanted(f"bytes={first}-{last}", size)
    assert span is not None
    data = range(size)
    assert (data[span.start], data[span.end - 1]) == (first, min(last, size - 1))


@given(sizes, places)
def test_a_range_to_the_end(size: int, first: int) -> None:
    if first < size:
        assert wanted(f"bytes={first}-", size) == Span(first, size)
    else:
        with pytest.raises(UnsatisfiableRangeError):
            wanted(f"bytes={first}-", size)


@given(sizes, places)
def test_a_suffix(size: int, length: int) -> None:
    if length and size:
        assert wanted(f"bytes=-{length}", size) == Span(max(0, size - length), size)
    else:
        with pytest.raises(UnsatisfiableRangeError):
            wanted(f"bytes=-{length}", size)


@given(st.text(max_size=60), st.integers(0, 10**6))
def test_anything_is_a_range_the_whole_or_refused(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            span = wanted(text, size)
        except (DamagedRangeError, UnsatisfiableRangeError):
            continue
        assert span is None or 0 <= span.start < span.end <= size


@pytest.mark.parametrize(
    "header", [None, "seconds=1-2", "bytes=0-1,5-9", "bytes=-5, 3-", "bytes=0-0,99999-", ""]
)
def test_answered_with_the_whole(header: str | None) -> None:
    assert wanted(header, SIZE) is None


@pytest.mark.parametrize(
    "header", ["bytes=", "bytes", "bytes=z", "bytes=5-3", "bytes=1", "bytes=--1", "bytes=1-2-3"]
)
def test_damaged(header: str) -> None:
    with pytest.raises(DamagedRangeError):
        wanted(header, SIZE)


def test_numbers_longer_than_any_file() -> None:
    many = "9" * 6_000
    assert wanted(f"bytes=5-{many}", SIZE) == Span(5, SIZE)
    assert wanted(f"bytes=-{many}", SIZE) == Span(0, SIZE)
    assert wanted(f"bytes={'0' * 6_000}7-8", SIZE) == Span(7, 9)
    with pytest.raises(UnsatisfiableRangeError):
        wanted(f"bytes={many}-", SIZE)
    with pytest.raises(DamagedRangeError):
        wanted(f"bytes={many}-1", SIZE)


def test_tags() -> None:
    assert matches(None, '"a"')
    assert matches('"a"', '"a"')
    for other in ('"b"', 'W/"a"', "a", "Thu, 26 Nov 2026 10:00:00 GMT", ""):
        assert not matches(other, '"a"')
    assert none_match(None, '"a"')
    assert none_match('"b", "c"', '"a"')
    assert not none_match('"b", "a"', '"a"')
    assert not none_match('W/"a"', '"a"')
    assert not none_match("*", '"a"')
