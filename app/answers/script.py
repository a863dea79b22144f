"""What one side said, as one text whose every character has its time. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from sip.progress.transcript import Transcript, Utterance

BETWEEN: Final = "。"
"""Stands between two utterances."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One utterance in the text."""

    start: int
    """Its first character."""
    utterance: Utterance

    @property
    def end(self) -> int:
        return self.start + len(self.utterance.text)


class Script:
    """The utterances of a transcript one behind the other."""

    def __init__(self, transcript: Transcript) -> None:
        self.pieces: list[Piece] = []
        texts: list[str] = []
        at = 0
        for utterance in transcript.utterances:
            self.pieces.append(Piece(at, utterance))
            texts.append(utterance.text)
            at += len(utterance.text) + len(BETWEEN)
        self.text = BETWEEN.join(texts)
        self._starts = [piece.start for piece in self.pieces]

    def piece_at(self, at: int) -> Piece:
        """Return the utterance of a character."""
        return self.pieces[max(0, bisect_right(self._starts, at) - 1)]

    def around(self, piece: Piece, most_ms: float) -> tuple[float, float]:
        """Return when an utterance was said, in ms, with `most_ms` on both sides and at most half of each pause."""
        at = self.pieces.index(piece)
        said = piece.utterance
        before = self.pieces[at - 1].utterance.end_ms if at else 0.0
        behind = (
            self.pieces[at + 1].utterance.start_ms if at + 1 < len(self.pieces) else said.end_ms + 2 * most_ms
        )
        start_ms = said.start_ms - min(most_ms, max(0.0, said.start_ms - before) / (2 if at else 1))
        return start_ms, said.end_ms + min(most_ms, max(0.0, behind - said.end_ms) / 2)

    def times(self, start: int, end: int) -> tuple[float, float]:
        """Return when the characters [start, end) were said, in ms.

        By the words of the utterance where they are its text; else in proportion to its characters.
        """
        first, last = self.piece_at(start), self.piece_at(max(start, end - 1))
        begin = _time(first, start - first.start, of_end=False)
        stop = _time(last, end - last.start, of_end=True)
        return begin, max(begin, stop)


def _time(piece: Piece, at: int, *, of_end: bool) -> float:
    said = piece.utterance
    at = min(max(at, 0), len(said.text))
    if said.words and "".join(word.text for word in said.words) == said.text:
        place = 0
        for word in said.words:
            after = place + len(word.text)
            if (place < at <= after) if of_end else (place <= at < after):
                return word.end_ms if of_end else word.start_ms
            place = after
        return said.end_ms if at else said.start_ms
    share = at / len(said.text) if said.text else 0.0
    return said.start_ms + share * (said.end_ms - said.start_ms)
