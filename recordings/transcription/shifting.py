"""Utterances on another time line."""

from __future__ import annotations

from sip.progress.transcript import Utterance, Word


def shifted(utterances: tuple[Utterance, ...], by_ms: float) -> tuple[Utterance, ...]:
    """Return the utterances so much later."""
    return tuple(
        Utterance(
            round(u.start_ms + by_ms, 1),
            round(u.end_ms + by_ms, 1),
            u.text,
            tuple(
                Word(w.text, round(w.start_ms + by_ms, 1), round(w.end_ms + by_ms, 1), w.confidence)
                for w in u.words
            ),
            u.confidence,
        )
        for u in utterances
    )
