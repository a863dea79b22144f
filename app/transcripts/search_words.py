"""Texts and queries as tokens, so that both kinds of database find the same. Pure.

A text becomes tokens of ASCII letters and digits alone, whatever its language: neither database's locale, tokeniser or
stemmer then has a say. Each character of a script that is written without spaces is a token (`x` and its code point in
hex), each digit is one (`n` and the digit), each other word is one (`w` and its letters). Punctuation is nothing:
您好，我是 reads as 您好我是. Letters are small, and of one width (NFKC). Traditional and simplified characters stay
different.

Numbers are spoken in words (幺洞拐). Where three or more digits or digit words stand together, the text is found by the
digits too: a second reading of it stands behind the first, parted from it by a token that no query has. A query is
read in both ways likewise, so that 幺幺零 finds 110 and 110 finds 幺幺零.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from types import MappingProxyType

from app.errors import BadInputError, Fault

MOST_SIGNS = 200
"""Of a query."""
MOST_PHRASES = 8
MOST_PHRASE_TOKENS = 60
LEAST_RUN = 3
"""Digits and digit words that must stand together to be read as a number."""
MOST_TOKENS = 20_000
"""Of one text: the rest is not found. An utterance has some dozens."""
BARRIER = "zz"
"""Between the two readings of a text; no token of a text reads so."""
_PLAIN_QUOTES = str.maketrans("“”„‟＂", '"""""')
PAIRS = "yy"
"""Before the pairs of neighbours; no token of a text reads so either."""
_LONGEST_WORD = 60
_DIGIT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        sign: str(digit)
        for digit, signs in enumerate(
            ("零〇洞", "一幺壹", "二两贰", "三叁", "四肆", "五伍", "六陆", "七拐柒", "八捌", "九勾玖")
        )
        for sign in signs
    }
)


@dataclass(frozen=True, slots=True)
class Token:
    """What is compared, and where it stands in the text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """Tokens that must follow each other, in the readings of the query that differ."""

    readings: tuple[tuple[str, ...], ...]

    @property
    def contained(self) -> tuple[str, ...]:
        """What stands in `sought` of a text that has the phrase: one of these."""
        return tuple(f" {' '.join(reading)} " for reading in self.readings)


def plain(text: str) -> str:
    """Return the text as its spans count: composed (NFC)."""
    return unicodedata.normalize("NFC", text)


def sought(text: str) -> str:
    """Return what is stored of a text to be found by: its tokens, a space before and after each; empty for none."""
    first, second = _readings(text)
    tokens = [token.text for token in first]
    if second != first:
        tokens += [BARRIER, *(token.text for token in second)]
    return f" {' '.join(tokens)} " if tokens else ""


def with_pairs(stored: str) -> str:
    """Return what is stored of a text for an index without positions: behind the tokens each two neighbours as one.

    PostgreSQL's GIN keeps no positions: 您是值 would otherwise lead to every call in which these three signs occur.
    """
    found = {one + other for one, other in pairwise(stored.split()) if BARRIER not in (one, other)}
    return f"{stored}{PAIRS} {' '.join(sorted(found))} " if found else stored


def read_query(query: str) -> tuple[Phrase, ...]:
    """Read a query: phrases parted by spaces, or in quotes. A text must have all of them.

    Raises `BadInputError` for one that has no word at all, or too many.
    """
    if len(query) > MOST_SIGNS:
        raise _bad(
            f"查询不得超过 {MOST_SIGNS} 个字 (the query is too long)", f"takes at most {MOST_SIGNS} signs"
        )
    phrases = tuple(dict.fromkeys(filter(None, map(_phrase, _parts(query)))))
    if not phrases:
        raise _bad("请输入要查找的字词 (the query has no word)", "has no word in it")
    longest = max(len(reading) for phrase in phrases for reading in phrase.readings)
    if len(phrases) > MOST_PHRASES or longest > MOST_PHRASE_TOKENS:
        raise _bad(
            f"最多 {MOST_PHRASES} 个词组，每个不超过 {MOST_PHRASE_TOKENS} 个字 (too many phrases, or one too long)",
            f"takes at most {MOST_PHRASES} phrases of {MOST_PHRASE_TOKENS} words",
        )
    return phrases


def find(phrase: Phrase, text: str) -> tuple[tuple[int, int], ...]:
    """Return the spans of `plain(text)` in which the phrase stands, in order; they do not overlap."""
    spans: set[tuple[int, int]] = set()
    for tokens in _readings(text):
        texts = [token.text for token in tokens]
        for reading in phrase.readings:
            spans.update(
                (tokens[place].start, tokens[place + len(reading) - 1].end)
                for place in _places(reading, texts)
            )
    return _apart(sorted(spans))


def merged(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return spans in order, those that touch made one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def digits_of(phrase: Phrase) -> str:
    """Return the digits in a phrase, digit words read as digits."""
    return "".join(digit for token in phrase.readings[0] if (digit := _digit(token)))


def _bad(detail: str, message: str) -> BadInputError:
    return BadInputError(detail, [Fault("q", message)])


def _parts(query: str) -> Iterator[str]:
    """What stands in quotes whole, the rest word by word; a quote that is never closed goes to the end."""
    for place, part in enumerate(query.translate(_PLAIN_QUOTES).split('"')):
        if place % 2:
            yield part
        else:
            yield from part.split()


def _phrase(part: str) -> Phrase | None:
    readings = tuple(dict.fromkeys(tuple(token.text for token in tokens) for tokens in _readings(part)))
    return Phrase(readings) if readings[0] else None


def _readings(text: str) -> tuple[Sequence[Token], Sequence[Token]]:
    """The tokens of a text, and the same with numbers in digits."""
    first = list(_tokens(plain(text)))[:MOST_TOKENS]
    second: list[Token] = []
    for together, run in groupby(first, key=lambda token: _digit(token.text) is not None):
        tokens = list(run)
        if together and len(tokens) >= LEAST_RUN:
            tokens = [replace(token, text=f"n{_digit(token.text)}") for token in tokens]
        second += tokens
    return first, second


def _tokens(text: str) -> Iterator[Token]:
    for word, run in groupby(enumerate(text), key=lambda item: _in_word(item[1])):
        signs = list(run)
        if word:
            start, end = signs[0][0], signs[-1][0] + 1
            yield from _word(_folded(text[start:end]), start, end)
        else:
            for place, sign in signs:
                for part in _folded(sign):
                    yield from _sign(part, place)


def _word(folded: str, start: int, end: int) -> Iterator[Token]:
    """One token, unless folding brought something else than letters in."""
    for word, run in groupby(folded, key=_in_word):
        letters = "".join(run)
        if word:
            yield Token(_named(letters), start, end)
        else:
            for sign in letters:
                yield from _sign(sign, start, end)


def _named(letters: str) -> str:
    if letters.isascii() and len(letters) <= _LONGEST_WORD:
        return f"w{letters}"
    # Marks and letters beyond ASCII, and what no index takes as one word.
    code = letters.encode()
    return f"u{code.hex()}" if len(code) <= _LONGEST_WORD else f"h{hashlib.sha256(code).hexdigest()}"


def _sign(sign: str, start: int, end: int | None = None) -> Iterator[Token]:
    end = start + 1 if end is None else end
    if sign.isdecimal():
        yield Token(f"n{unicodedata.decimal(sign)}", start, end)
    elif _in_word(sign):
        yield Token(_named(sign), start, end)
    elif unicodedata.category(sign) in ("Lo", "Nl", "No"):
        yield Token(f"x{ord(sign):x}", start, end)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())


def _in_word(sign: str) -> bool:
    """Whether a sign is a letter of a script that parts its words by spaces, or a mark on one."""
    if "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef":
        # They choose a glyph of the character before them.
        return False
    return unicodedata.category(sign) in ("Ll", "Lu", "Lt", "Lm", "Mn", "Mc")


def _digit(token: str) -> str | None:
    """The digit that a token is or names."""
    if token[0] == "n":
        return token[1:]
    return _DIGIT_WORDS.get(chr(int(token[1:], 16))) if token[0] == "x" else None


def _places(reading: Sequence[str], texts: Sequence[str]) -> Iterator[int]:
    wanted, length = list(reading), len(reading)
    return (place for place in range(len(texts) - length + 1) if texts[place : place + length] == wanted)


def _apart(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return tuple(found)
