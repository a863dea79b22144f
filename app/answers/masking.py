"""Answer keys (numbers of superior duty offices) made unreadable in what was said, however they are written. Pure.

A key is looked for in the digits of the text read in three ways: character by character, with 三个八 and 六十二 worked
out, and by sound, as recognition writes 三二六 散而溜 at times. Of a number of seven digits and more anything short may
stand between its digits; a short one must stand by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Final

from app.answers.digits import Atom, atoms_of
from sip.numbers import NumberError, PhoneNumber, parse_number, split_extension
from sip.progress.syllables import tokens_of

MASK: Final = "＊"
LONG: Final = 7
"""Digits from which on a number is found whatever stands between them and around it."""
_MIDDLE: Final = 5
_MOST_BETWEEN: Final = 8
"""Characters between two digits of a long number."""
_THIN = re.compile(r"[\s\-—－–‐·.．,，、。:：;；/()（）+＋…]*")
_SOUNDS: Final = {
    "ling": "0",
    "dong": "0",
    "yi": "1",
    "yao": "1",
    "er": "2",
    "liang": "2",
    "san": "3",
    "si": "4",
    "shi": "4",
    "wu": "5",
    "liu": "6",
    "qi": "7",
    "guai": "7",
    "ba": "8",
    "jiu": "9",
    "gou": "9",
}


def mask(text: str, keys: Collection[str]) -> str:
    """Return the text with every digit of an answer key replaced by ＊; its length stays.

    `keys` are numbers as people write them; each is found with and without its area code, 0 and 86. One that is no
    telephone number is looked for by its digits.
    """
    if not keys or not text:
        return text
    hidden: set[int] = set()
    for wanted in map(_wanted, sorted(keys)):
        for atoms in _readings(text, len(wanted.core)):
            hidden.update(_found(text, atoms, wanted))
    return "".join(MASK if at in hidden else sign for at, sign in enumerate(text))


def says_key(digits: str, keys: Collection[str]) -> bool:
    """Tell whether digits that were said are an answer key's number, with or without its prefixes."""
    return any(digits in written_ways(key) for key in keys)


def written_ways(number: str) -> frozenset[str]:
    """Return the digits of a number as they may be said: with and without area code, 0, 86 and extension."""
    wanted = _wanted(number)
    plain = {wanted.core, *(prefix + wanted.core for prefix in wanted.prefixes)} if wanted.core else set()
    return frozenset({*plain, *(way + wanted.extension for way in plain)})


class _Wanted:
    """What to look for of one key."""

    def __init__(self, core: str, prefixes: Sequence[str], extension: str) -> None:
        self.core = core
        self.prefixes = tuple(sorted(prefixes, key=len, reverse=True))
        """What may stand before it, the longest first."""
        self.extension = extension


@lru_cache(maxsize=1024)
def _wanted(key: str) -> _Wanted:
    main, extension = split_extension(key)
    try:
        number = parse_number(main)
    except NumberError:
        return _Wanted("".join(atom.digits for atom in atoms_of(key, literal=True)), (), "")
    return _Wanted(_core(number), _prefixes(number), extension or "")


def _core(number: PhoneNumber) -> str:
    return "".join(sign for sign in (number.subscriber or number.national) if sign.isdigit())


def _prefixes(number: PhoneNumber) -> list[str]:
    area = number.area
    within = [area, f"0{area}"] if area else [""]
    country = number.country or "86"
    abroad = [f"{code}{part}" for code in (country, f"00{country}") for part in within]
    return [prefix for prefix in (*within, "0", *abroad) if prefix]


def _readings(text: str, length: int) -> Iterator[Sequence[Atom]]:
    yield tuple(atoms_of(text, literal=True))
    yield tuple(atoms_of(text))
    if length >= LONG:
        yield tuple(_by_sound(text))


def _by_sound(text: str) -> Iterator[Atom]:
    for token in tokens_of(text):
        digit = None if token.latin else _SOUNDS.get(token.sound)
        if digit is not None:
            yield Atom(digit, token.start, token.end)


def _found(text: str, atoms: Sequence[Atom], wanted: _Wanted) -> Iterator[int]:
    """Where the characters of the key's digits stand in the text."""
    digits = "".join(atom.digits for atom in atoms)
    owners = [at for at, atom in enumerate(atoms) for _ in atom.digits]
    begin = digits.find(wanted.core) if wanted.core else -1
    while begin >= 0:
        after = begin + len(wanted.core)
        first, last = owners[begin], owners[after - 1]
        if _near(text, atoms, first, last, len(wanted.core)):
            start = _with_prefix(text, digits, begin, wanted)
            end = _with_extension(digits, after, wanted)
            if len(wanted.core) >= _MIDDLE or _alone(text, atoms, owners[start], owners[end - 1]):
                for owner in sorted(set(owners[start:end])):
                    yield from range(atoms[owner].start, atoms[owner].end)
        begin = digits.find(wanted.core, begin + 1)


def _near(text: str, atoms: Sequence[Atom], first: int, last: int, length: int) -> bool:
    """Whether the digits are near enough to each other to be one number."""
    for one, other in zip(atoms[first:last], atoms[first + 1 : last + 1], strict=True):
        is_thin = bool(_THIN.fullmatch(text, one.end, other.start))
        if not is_thin and (length < LONG or other.start - one.end > _MOST_BETWEEN):
            return False
    return True


def _alone(text: str, atoms: Sequence[Atom], first: int, last: int) -> bool:
    """Whether no further digit touches a short number."""
    before = first > 0 and _THIN.fullmatch(text, atoms[first - 1].end, atoms[first].start)
    after = last + 1 < len(atoms) and _THIN.fullmatch(text, atoms[last].end, atoms[last + 1].start)
    return not before and not after


def _with_prefix(text: str, digits: str, begin: int, wanted: _Wanted) -> int:
    for prefix in wanted.prefixes:
        if digits[:begin].endswith(prefix):
            return begin - len(prefix)
    return begin


def _with_extension(digits: str, after: int, wanted: _Wanted) -> int:
    is_there = bool(wanted.extension) and digits.startswith(wanted.extension, after)
    return after + len(wanted.extension) if is_there else after
