"""The words over the picture of a call, laid out so that none covers another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

WIDTH = 1000.0
LEFT, RIGHT = 78.0, 34.0
ROW_HEIGHT = 15.0
_SIZES = {"answer": 13.0}
_SIZE = 11.0
"""Font sizes of the style sheet, by kind."""
_NARROW = 0.6
"""Width of a digit or sign, as a share of a Chinese character's."""
_GAP, _MARGIN = 4.0, 6.0
"""From a line to its words; between the words of two labels."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment."""

    x: float
    kind: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Label:
    """The words of a mark. Its line goes from the words down to the axis."""

    mark: Mark
    text: str
    row: int
    """0 stands just above the chart."""
    anchor: str
    """`start` or `end`: on which side of the line the words stand."""
    left: float
    right: float
    y: float = 0.0
    """Base line of the words."""

    @property
    def x(self) -> float:
        """Where the words are anchored."""
        return self.mark.x + (_GAP if self.anchor == "start" else -_GAP)


def text_width(text: str, size: float) -> float:
    """Estimate the width of a text: a Chinese character is as wide as it is high."""
    return sum(size * (1.0 if ord(sign) > 0x2E80 else _NARROW) for sign in text)


def lay_out(marks: Iterable[tuple[Mark, str]]) -> tuple[tuple[Label, ...], float]:
    """Place the words of marks; return them, and how much room they take above the chart."""
    placed: list[Label] = []
    # From right to left words stand beside their own line; the answer comes first among equals.
    for mark, text in sorted(marks, key=lambda item: (-item[0].x, item[0].kind != "answer")):
        if text:
            placed.append(_place(mark, text, placed))
    rows = max((label.row for label in placed), default=0) + 1
    top = rows * ROW_HEIGHT + 6.0
    return tuple(_with_y(label, top - 6.0 - label.row * ROW_HEIGHT) for label in placed), top


def _with_y(label: Label, y: float) -> Label:
    return Label(label.mark, label.text, label.row, label.anchor, label.left, label.right, y)


def _place(mark: Mark, text: str, placed: Sequence[Label]) -> Label:
    clear = (label for label in _candidates(mark, text, len(placed)) if _is_clear(label, placed))
    # Above all others there always is room, if not without crossing a line.
    return next(clear, next(_candidates(mark, text, len(placed), first=len(placed))))


def _candidates(mark: Mark, text: str, rows: int, first: int = 0) -> Iterator[Label]:
    width = text_width(text, _SIZES.get(mark.kind, _SIZE))
    if mark.x + _GAP + width <= WIDTH:
        for row in range(first, rows + 1):
            yield Label(mark, text, row, "start", mark.x + _GAP, mark.x + _GAP + width)
    for row in range(first, rows + 1):
        yield Label(mark, text, row, "end", mark.x - _GAP - width, mark.x - _GAP)


def _is_clear(label: Label, placed: Sequence[Label]) -> bool:
    for other in placed:
        if (
            other.row == label.row
            and label.left < other.right + _MARGIN
            and other.left < label.right + _MARGIN
        ):
            return False
        if other.row < label.row and other.left - 2 < label.mark.x < other.right + 2:
            return False
        if other.row > label.row and label.left - 2 < other.mark.x < label.right + 2:
            return False
    return True
