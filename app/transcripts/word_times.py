"""When a part of an utterance is said. Pure."""

from __future__ import annotations

from app.transcripts.search_words import plain
from sip.progress.transcript import Utterance


def word_time(utterance: Utterance, place: int, *, end: bool = False) -> float:
    """Return when the word begins, or ends, in which the sign at `place` of `plain(utterance.text)` stands, in ms.

    The utterance's own time where its words are not timed, or are not those of its text.
    """
    text, reached = plain(utterance.text), 0
    for word in utterance.words:
        letters = plain(word.text).strip()
        start = text.find(letters, reached)
        if not letters or start < 0:
            continue
        reached = start + len(letters)
        if place < reached:
            return word.end_ms if end else word.start_ms
    return utterance.end_ms if end else utterance.start_ms
