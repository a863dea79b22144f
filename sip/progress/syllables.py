"""Text as it sounds: toneless syllables and how easily one is taken for another.

Speech recognition writes 停机 as 听机 or 聽基: the characters differ, the sound hardly. So texts are compared as
syllables of pinyin without tones (traditional characters read like simplified ones), with the pairs that speakers and
engines confuse near each other (zh/z, ch/c, sh/s, n/l, r/l, f/h, in/ing, en/eng, an/ang, …), and English by letters.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<han>[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])|(?P<digit>[0-9０-９])|(?P<word>[A-Za-z'’]+)"
)
_INITIALS = ("zh", "ch", "sh", *"bpmfdtnlgkhjqxrzcsyw")
_FOLDED_INITIALS = {"zh": "z", "ch": "c", "sh": "s", "n": "l", "r": "l", "f": "h"}
_FOLDED_FINALS = {
    "ing": "in",
    "eng": "en",
    "ang": "an",
    "iang": "ian",
    "uang": "uan",
    "ueng": "uen",
    "uo": "o",
    "v": "u",
}
_READINGS = {
    "的": "de",
    "地": "de",
    "得": "de",
    "你": "nin",
    "妳": "nin",
    "您": "nin",
    "〇": "ling",
    "两": "er",
}
"""Particles and polite forms that recognition exchanges freely: one reading for all of them."""
_DIGITS = ("ling", "yi", "er", "san", "si", "wu", "liu", "qi", "ba", "jiu")
_KEYS = frozenset({*_DIGITS, "yao", "jing", "xin"})
_KEY_CHARACTERS = frozenset("零〇一二两三四五六七八九幺井星")
_SPLIT_WORDS = {
    "cannot": ("can", "not"),
    "can't": ("can", "not"),
    "isn't": ("is", "not"),
    "doesn't": ("does", "not"),
    "dialled": ("dialed",),
    "didn't": ("did", "not"),
}

TWIN = 0.15
"""Cost of a syllable for its fuzzy twin."""
SAME_FINAL = 0.5
SAME_INITIAL = 0.6
_HEARD_AS_KEY = 0.3
MISSING = 0.8
"""Cost of a syllable too many or too few."""
DOUBLED = 0.25
"""Cost of a syllable that only repeats the one before it."""


@dataclass(frozen=True, slots=True)
class Token:
    """One syllable, digit or English word of a text."""

    sound: str
    """Pinyin without tone, or the word in small letters; `#` in a phrase is any key of the telephone."""
    latin: bool = False
    key: bool = False
    """A digit, 井 or 星, as written."""
    start: int = 0
    end: int = 0
    """Where it stands in the text, in characters."""


def tokens_of(text: str) -> tuple[Token, ...]:
    """Return the tokens of a text; punctuation, spaces and every other script are left out."""
    found = list(_TOKEN.finditer(text))
    readings = iter(_readings("".join(m["han"] for m in found if m["han"])))
    tokens: list[Token] = []
    for match in found:
        start, end = match.span()
        if match["han"]:
            character = match["han"]
            tokens.append(Token(next(readings), False, character in _KEY_CHARACTERS, start, end))
        elif match["digit"]:
            tokens.append(Token(_DIGITS[int(match["digit"])], False, True, start, end))
        else:
            word = match["word"].lower().replace("’", "'").strip("'")
            tokens += [
                Token(part, True, False, start, end) for part in _SPLIT_WORDS.get(word, (word,)) if part
            ]
    return tuple(tokens)


def pattern_of(text: str) -> tuple[Token, ...]:
    """Return the tokens of a phrase, in which `#` stands for any key of the telephone."""
    tokens: list[Token] = []
    for at, part in enumerate(text.split("#")):
        tokens += [Token("#")] if at else []
        tokens += tokens_of(part)
    return tuple(tokens)


def _readings(characters: str) -> list[str]:
    if not characters:
        return []
    # Its tables take 0.4 s and 40 MB to load: only who has words to match pays for them.
    from pypinyin import lazy_pinyin

    read = lazy_pinyin(characters)
    if len(read) != len(characters):
        # It joins neighbours that it cannot read.
        read = [lazy_pinyin(character)[0] for character in characters]
    return [_READINGS.get(char, reading) for char, reading in zip(characters, read, strict=True)]


def distance(said: Token, heard: Token) -> float:
    """Return the cost, 0 to 1, of taking `heard` for `said` of a phrase."""
    if said.sound == "#":
        return 0.0 if heard.key else _HEARD_AS_KEY if heard.sound in _KEYS else 1.0
    if said.latin != heard.latin:
        return 1.0
    return _spelling(said.sound, heard.sound) if said.latin else _sounding(said.sound, heard.sound)


@functools.lru_cache(maxsize=65_536)
def _sounding(one: str, other: str) -> float:
    if one == other:
        return 0.0
    (initial, final), (second_initial, second_final) = _folded(one), _folded(other)
    if (initial, final) == (second_initial, second_final):
        return TWIN
    if final == second_final:
        return SAME_FINAL
    return SAME_INITIAL if initial and initial == second_initial else 1.0


@functools.lru_cache(maxsize=4_096)
def _folded(syllable: str) -> tuple[str, str]:
    initial = next((i for i in _INITIALS if syllable.startswith(i)), "")
    final = syllable[len(initial) :]
    return _FOLDED_INITIALS.get(initial, initial), _FOLDED_FINALS.get(final, final)


@functools.lru_cache(maxsize=65_536)
def _spelling(one: str, other: str) -> float:
    """Return the share of letters to change; more than a third of them is another word."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, second in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != second))
    share = row[-1] / max(len(one), len(other))
    return share if share <= 0.34 else 1.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase found in a text: tokens [first, after) of it, at this cost."""

    first: int
    after: int
    cost: float


class Nearest:
    """The least cost at which each syllable of a phrase is in a text: it rules most phrases out at once."""

    def __init__(self, text: Sequence[Token]) -> None:
        self._said = tuple({(token.sound, token.latin, token.key): token for token in text}.values())
        self._costs: dict[tuple[str, bool], float] = {}

    def may_hold(self, pattern: Sequence[Token], budget: float) -> bool:
        """Tell whether the phrase can be in the text within `budget` at all."""
        return sum(self._cost(token) for token in pattern) <= budget + 1e-9

    def _cost(self, token: Token) -> float:
        key = (token.sound, token.latin)
        if key not in self._costs:
            least = min((distance(token, heard) for heard in self._said), default=1.0)
            self._costs[key] = min(least, MISSING)
        return self._costs[key]


def find(pattern: Sequence[Token], text: Sequence[Token], budget: float) -> list[Hit]:
    """Return where the phrase stands in the text at no more than `budget`, not overlapping, in order.

    Substring matching with the edit distance of Sellers (1980), costs of `distance`, `MISSING` and `DOUBLED`.
    """
    if not pattern or not text:
        return []
    costs = [at * MISSING for at in range(len(pattern) + 1)]
    starts = [0] * (len(pattern) + 1)
    hits: list[Hit] = []
    for j, heard in enumerate(text):
        extra = DOUBLED if j and heard.sound == text[j - 1].sound else MISSING
        last_cost, last_start = costs[0], j
        costs[0], starts[0] = 0.0, j + 1
        for i, said in enumerate(pattern, 1):
            best = (last_cost + distance(said, heard), last_start)
            best = min(best, (costs[i] + extra, starts[i]), (costs[i - 1] + MISSING, starts[i - 1]))
            last_cost, last_start = costs[i], starts[i]
            costs[i], starts[i] = best
        if costs[-1] <= budget + 1e-9 and starts[-1] <= j:
            hits.append(Hit(starts[-1], j + 1, costs[-1]))
    return _apart(hits)


def _apart(hits: Sequence[Hit]) -> list[Hit]:
    """Keep the cheapest of hits that overlap."""
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.cost, h.first)):
        if all(hit.after <= other.first or hit.first >= other.after for other in kept):
            kept.append(hit)
    return sorted(kept, key=lambda h: h.first)
