"""Where in a text each of some names is likest to have been said, whatever was understood there. Pure.

Of 我叫何轩佳 recognition may leave nothing that looks like a cue or a name. So each name is put where it is likest,
behind a cue or not, and the second pass over the sound says how well it
fits there (docs/explanation/understanding-answers.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from app.answers.names import CUE_COST, GREETINGS, Likeness, Place, book_name, places
from sip.progress.syllables import MISSING, Token, distance, find, tokens_of

SKIPPED: Final = 0.08
"""What each syllable between a cue and the name adds to the distance."""
MOST_SKIPPED: Final = 2
UNCUED: Final = 0.2
"""What is added where no cue stands before the name."""

GREETED: Final = 0.3
"""What is added where a greeting stands."""


class _Heard:
    """The syllables of a text, and how like each is to a syllable of a name."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self._rows: dict[str, list[float]] = {}

    def row(self, said: Token) -> list[float]:
        """Return the distance of each syllable of the text."""
        if said.sound not in self._rows:
            self._rows[said.sound] = [distance(said, token) for token in self.tokens]
        return self._rows[said.sound]


def closest(text: str, names: Iterable[str]) -> tuple[Likeness, ...]:
    """Return each name once, at its likest place, the likest first; nothing where the text has no syllable."""
    tokens = tokens_of(text)
    if not tokens:
        return ()
    heard, spots = _Heard(tokens), places(tokens)
    added = [_added(at, spots) for at in range(len(tokens))]
    for phrase in GREETINGS:
        pattern = tokens_of(phrase)
        for hit in find(pattern, tokens, CUE_COST * len(pattern)):
            for at in range(hit.first, hit.after):
                added[at] = (added[at][0] + GREETED, "")
    found = [_likest(name, heard, added) for name in names]
    return tuple(
        sorted((like for like in found if like is not None), key=lambda like: (like.distance, like.name))
    )


def _added(at: int, spots: Iterable[Place]) -> tuple[float, str]:
    """What a name that begins at a syllable costs more for where that is, and the cue before it."""
    near = [(at - spot.first, spot.cue) for spot in spots if 0 <= at - spot.first <= MOST_SKIPPED]
    if not near:
        return UNCUED, ""
    skipped, cue = min(near)
    return SKIPPED * skipped, cue


def _likest(name: str, heard: _Heard, added: Sequence[tuple[float, str]]) -> Likeness | None:
    known = book_name(name)
    best: tuple[float, int, int] | None = None
    for form in known.forms:
        rows = [heard.row(token) for token in form]
        for first, (more, _) in enumerate(added):
            if best is not None and best[0] <= more:
                continue
            cost, after = _ending(rows, first)
            whole = cost / max(1, len(form)) + more
            if after > first and (best is None or whole < best[0]):
                best = (whole, first, after)
    if best is None:
        return None
    cost, first, after = best
    begin, end = heard.tokens[first].start, heard.tokens[after - 1].end
    return Likeness(name, known.pinyin, cost, begin, end, added[first][1])


def _ending(rows: Sequence[Sequence[float]], first: int) -> tuple[float, int]:
    """Return the least cost of a name that begins at a syllable, and the syllable behind it."""
    width = min(len(rows) + 1, len(rows[0]) - first) if rows else 0
    costs = [MISSING * at for at in range(width + 1)]
    for row in rows:
        before, costs[0] = costs[0], costs[0] + MISSING
        for at in range(1, width + 1):
            least = min(before + row[first + at - 1], costs[at] + MISSING, costs[at - 1] + MISSING)
            before, costs[at] = costs[at], least
    shortest = max(1, len(rows) - 1)
    ends = [(costs[at], at) for at in range(shortest, width + 1)] or [(MISSING * len(rows), 0)]
    cost, length = min(ends)
    return cost, first + length
