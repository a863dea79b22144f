"""Words beside moments and stretches in a lane, on as many lines as it takes that none covers another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.picture.labels import LEFT, RIGHT, WIDTH, text_width

NOTE_ROW = 17.0
NOTE_SIZE = 11.0
_GAP = 5.0
_MARGIN = 8.0
_MOST_ROWS = 8
_MOST_SHARE = 0.3
SIGN_WIDTH = 9.0
"""Room of the sign of a moment."""


@dataclass(frozen=True, slots=True)
class NoteText:
    """What is to be placed: a moment or a stretch, with its sign and words."""

    x: float
    width: float
    """0 for a moment."""
    sign: str
    """`said`, `proof`, `strong`, `hint` or `ours`."""
    text: str
    title: str
    """All that is known of it, for whoever points at it."""
    at_s: float


@dataclass(frozen=True, slots=True)
class Note:
    """A note in its place."""

    x: float
    width: float
    sign: str
    text: str
    title: str
    at_s: float
    row: int
    text_x: float
    anchor: str
    left: float
    right: float
    """What sign and words take together."""

    @property
    def inside(self) -> bool:
        """Whether the words stand in the stretch itself."""
        return self.x < self.text_x < self.x + self.width


def place(notes: Iterable[NoteText], more: str) -> tuple[tuple[Note, ...], int]:
    """Place the notes in order of time; return them and the number of rows.

    Where there are more than the lane may hold, the last row says how many are left out; `more` words it.
    """
    ends = [LEFT - _MARGIN]
    placed: list[Note] = []
    left_out = 0
    for note in sorted(notes, key=lambda each: each.x):
        found = _fit(note, ends)
        if found is None:
            left_out += 1
        else:
            placed.append(found)
    if left_out:
        text = more.format(left_out)
        width = text_width(text, NOTE_SIZE)
        placed.append(
            Note(LEFT, 0.0, "", text, text, 0.0, len(ends), LEFT, "start", LEFT, LEFT + width),
        )
        ends.append(LEFT + width)
    return tuple(placed), len(ends) if placed else 0


def _fit(note: NoteText, ends: list[float]) -> Note | None:
    """Place a note in the first row that has room; `ends` are where the rows' last words end."""
    text = _cut(note.text)
    width = text_width(text, NOTE_SIZE)
    half = 0.0 if note.width else SIGN_WIDTH / 2
    begin, end = note.x - half, note.x + note.width + half
    if note.width >= width + 2 * _GAP:
        left, right, text_x, anchor = begin, end, begin + _GAP, "start"
    elif end + _GAP + width <= WIDTH - RIGHT:
        left, right, text_x, anchor = begin, end + _GAP + width, end + _GAP, "start"
    else:
        left, right, text_x, anchor = begin - _GAP - width, end, begin - _GAP, "end"
    row = next((n for n, taken in enumerate(ends) if left >= taken + _MARGIN), None)
    if row is None:
        if len(ends) >= _MOST_ROWS:
            return None
        row = len(ends)
        ends.append(0.0)
    ends[row] = right
    return Note(
        note.x, note.width, note.sign, text, note.title, note.at_s, row, text_x, anchor, left, right
    )  # fmt: skip


def _cut(text: str) -> str:
    """Shorten what would find no room on either side of its sign."""
    most = (WIDTH - LEFT - RIGHT) * _MOST_SHARE
    if text_width(text, NOTE_SIZE) <= most:
        return text
    while text and text_width(text, NOTE_SIZE) > most - NOTE_SIZE:
        text = text[:-1]
    return text + "…"
