"""The announcements' phrases as data: `zh.toml`, read once."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sip.progress.syllables import Token, pattern_of
from sip.record import AnnouncementMeaning

_FILE = Path(__file__).parent / "zh.toml"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One text by its sound, with what it may cost to be recognised."""

    text: str
    tokens: tuple[Token, ...]
    budget: float
    loose: float
    """What it may cost where the words around it are clear beyond doubt."""

    @property
    def latin(self) -> bool:
        """Whether it is English."""
        return self.tokens[0].latin


@dataclass(frozen=True, slots=True)
class Frame:
    """Words that a network puts before or after the heart of an announcement."""

    name: str
    after: bool
    """It follows the phrase."""
    near: int
    """So many tokens may lie between it and the phrase."""
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """The heart of an announcement, in the wordings of one meaning."""

    meaning: AnnouncementMeaning
    patterns: tuple[Pattern, ...]
    beside: tuple[str, ...] = ()
    """Names of the frames, one of which must stand beside it; none: it speaks for itself."""
    mobile: bool = False
    twice: bool = False
    """It counts only where it is said twice."""
    last: bool = False
    """It counts only at the end of a message."""


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """All frames and phrases of a language."""

    frames: tuple[Frame, ...]
    phrases: tuple[Phrase, ...]


_NEAR = 12
_LOOSE_FROM = 4
_LOOSE = 0.3
_LONG = 5
"""From so many syllables on a frame may have a `share` of its own."""
_BUDGETS = (0.0, 0.15, 0.35, 0.65, 0.75, 1.05)
"""What phrases of 0 to 5 syllables may cost; from six syllables on a fifth of their number. One syllable may be missing
from five on: in a shorter one it may be the one that matters (正在通话)."""
_STRICT = (0.0, 0.15, 0.3, 0.45)
_STRICT_MOST = 0.7
"""Less than one syllable missing: a strict phrase stands there whole."""


def budget(syllables: int, *, strict: bool = False) -> float:
    """Return what a phrase of so many syllables may cost (costs of `sip.progress.syllables.distance`)."""
    if strict:
        return _STRICT[syllables] if syllables < len(_STRICT) else _STRICT_MOST
    return _BUDGETS[syllables] if syllables < len(_BUDGETS) else 0.2 * syllables


@functools.cache
def phrase_book() -> PhraseBook:
    """Return the book that ships."""
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    frames = tuple(
        Frame(name, bool(f["after"]), int(f.get("near", _NEAR)), _patterns(f["phrases"], f))
        for name, f in content["frames"].items()
    )
    phrases = tuple(
        Phrase(
            p["meaning"],
            _patterns(p["texts"], p),
            tuple(p.get("beside", ())),
            bool(p.get("mobile")),
            bool(p.get("twice")),
            bool(p.get("last")),
        )
        for p in content["phrase"]
    )
    return PhraseBook(frames, phrases)


def _patterns(texts: list[str], settings: Mapping[str, Any]) -> tuple[Pattern, ...]:
    patterns = []
    for text in texts:
        tokens = pattern_of(text)
        most = budget(len(tokens), strict=bool(settings.get("strict")))
        if len(tokens) >= _LONG:
            most = max(most, float(settings.get("share", 0.0)) * len(tokens))
        whole = bool(settings.get("strict")) or len(tokens) < _LOOSE_FROM
        patterns.append(Pattern(text, tokens, most, most if whole else most + _LOOSE))
    return tuple(patterns)
