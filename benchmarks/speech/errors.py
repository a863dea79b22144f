"""Character errors (CER): texts made comparable, and the least edits from one to the other."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_DIGITS: Final = {"零": 0, "〇": 0, "洞": 0, "幺": 1, "拐": 7, "两": 2, "勾": 9} | {
    word: value for value, word in enumerate("一二三四五六七八九", 1)
}
_WORTH: Final = {"十": 10, "百": 100, "千": 1000}
_GREAT: Final = {"万": 10_000, "亿": 100_000_000}
_WORDS: Final = "".join((*_DIGITS, *_WORTH, *_GREAT))
_NUMBER = re.compile(f"[{_WORDS}]+(?:点[{''.join(_DIGITS)}]+)?")
_WRITTEN = re.compile(r"(?<=\d)[,，](?=\d{3})")


def plain(text: str) -> str:
    """Return a text without signs and spaces, in one width, numbers in digits."""
    text = _WRITTEN.sub("", unicodedata.normalize("NFKC", text)).lower()
    text = _NUMBER.sub(lambda found: _in_digits(found[0]), text)
    text = re.sub(r"(?<=\d)\.(?=\d)", "点", text)
    return "".join(letter for letter in text if letter.isalnum())


def _in_digits(words: str) -> str:
    """Return 三百二十八万一千 as 3281000, 三二六 as 326; a word that is no number stays as it is."""
    whole, _, fraction = words.partition("点")
    decimals = "点" + "".join(str(_DIGITS[word]) for word in fraction) if fraction else ""
    if not any(word in _DIGITS or word == "十" for word in whole):
        return words
    if not any(word in _WORTH or word in _GREAT for word in whole):
        return "".join(str(_DIGITS[word]) for word in whole) + decimals
    total = part = 0
    digit: int | None = None
    for word in whole:
        if word in _DIGITS:
            digit = _DIGITS[word]
        elif word in _WORTH:
            part += (1 if digit is None else digit) * _WORTH[word]
            digit = None
        else:
            below = total if word == "亿" else 0
            total += (below + part + (digit or 0)) * _GREAT[word] - below
            part, digit = 0, None
    return str(total + part + (digit or 0)) + decimals


def edits(said: str, heard: str) -> int:
    """Return the least number of characters to change, leave out and add (Levenshtein)."""
    before = list(range(len(heard) + 1))
    for row, one in enumerate(said, 1):
        now = [row]
        for column, other in enumerate(heard, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (one != other)))
        before = now
    return before[-1]
