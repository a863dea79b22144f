"""Reads the cells of one kind of column. Each reader raises `WrongValueError`, and tells doubts through `tell`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from app.checks.guard import NeverDialledError, TargetError, check_target
from app.imports.findings import WrongValueError
from app.imports.grid import Odd, Value
from app.imports.moments import DAY, read_clock, read_day
from sip.numbers import NumberError, parse_number, split_extension

Tell = Callable[[str], None]
"""Called with the code of a doubt."""
_LIST = re.compile(r"[,，、;；/\n]+")
_MOST_EXACT = 2**53
_LEAST_DIGITS = 7
"""Of a number that a network gives; shorter ones are area codes and extensions."""
_TRUE = frozenset(("是", "启用", "在用", "有", "1", "true", "yes", "y", "√", "✓", "对"))
_FALSE = frozenset(("否", "停用", "未启用", "无", "0", "false", "no", "n", "×", "错", "不"))
_URI = re.compile(r"sips?:", re.IGNORECASE)


class Reader(Protocol):
    """Turns what a cell holds into the value of its column."""

    def __call__(self, value: Value, tell: Tell) -> Any: ...


def plain(text: str, *, long: bool = False) -> str:
    """Return text without invisible signs and needless space; a long one keeps its lines.

    Raises `WrongValueError` for control signs.
    """
    kept = []
    for sign in text.replace("\r\n", "\n").replace("\r", "\n").replace("\xa0", " "):
        category = unicodedata.category(sign)
        if category == "Cs" or (category in ("Cc", "Cn") and sign not in "\n\t"):
            raise WrongValueError("signs")
        if category != "Cf":
            kept.append(sign)
    joined = "".join(kept)
    if long:
        return "\n".join(" ".join(line.split()) for line in joined.strip().split("\n"))
    return " ".join(joined.split())


def as_text(value: Value) -> str:
    """Return what a cell shows as text. Raises `WrongValueError` for a faulty cell."""
    if isinstance(value, Odd):
        raise WrongValueError(value.kind, into=value.shown)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _MOST_EXACT else repr(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00")
    if isinstance(value, date | time):
        return value.isoformat()
    return value


def text(most: int, *, long: bool = False) -> Reader:
    """A text of at most so many signs."""

    def read(value: Value, tell: Tell) -> str:
        found = plain(as_text(value), long=long)
        if len(found) > most:
            raise WrongValueError("too_long", most=most)
        return found

    return read


def code(most: int) -> Reader:
    """A code: text in one width, so that A01 and Ａ０１ are one."""
    read_text = text(most)

    def read(value: Value, tell: Tell) -> str:
        found = unicodedata.normalize("NFKC", str(read_text(value, tell)))
        if len(found) > most:
            raise WrongValueError("too_long", most=most)
        return found

    return read


def choice(words: Mapping[str, str]) -> Reader:
    """One of some words; `words` maps what is written to what is meant, the first of each is the usual one."""
    usual = "、".join(dict.fromkeys(first_word(words, meant) for meant in words.values()))
    by_plain = {_folded(word): meant for word, meant in words.items()}

    def read(value: Value, tell: Tell) -> str:
        found = by_plain.get(_folded(as_text(value)))
        if found is None:
            raise WrongValueError("bad_choice", choices=usual)
        return found

    return read


def first_word(words: Mapping[str, str], meant: str) -> str:
    """Return the word that is written for a meaning."""
    return next(word for word, meaning in words.items() if meaning == meant)


def _folded(word: str) -> str:
    return "".join(unicodedata.normalize("NFKC", plain(word)).lower().split())


def yes_or_no(value: Value, tell: Tell) -> bool:
    """是 or 否."""
    if isinstance(value, bool):
        return value
    word = _folded(as_text(value))
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise WrongValueError("bad_choice", choices="是、否")


def day(value: Value, tell: Tell) -> date:
    """A day."""
    _refuse_odd(value)
    return read_day(value)


def moment(value: Value, tell: Tell) -> date | datetime:
    """A day, or a day with a time."""
    _refuse_odd(value)
    if isinstance(value, datetime):
        return value if value.time() != time() else read_day(value)
    if isinstance(value, str) and ":" in unicodedata.normalize("NFKC", value):
        found = read_clock(value)
        if isinstance(found, datetime):
            return found
    return read_day(value)


def clock(value: Value, tell: Tell) -> timedelta | datetime:
    """A time of day, or a moment."""
    _refuse_odd(value)
    return read_clock(value)


def clocks(value: Value, tell: Tell) -> tuple[str, ...]:
    """Several times of day, as `HH:MM`, in order."""
    _refuse_odd(value)
    pieces = _LIST.split(value) if isinstance(value, str) else [value]
    found = set()
    for piece in pieces:
        if isinstance(piece, str) and not piece.strip():
            continue
        passed = read_clock(piece)
        if isinstance(passed, datetime) or passed > DAY:
            raise WrongValueError("bad_time")
        minutes = int(passed.total_seconds()) // 60 % (24 * 60)
        found.add(f"{minutes // 60:02}:{minutes % 60:02}")
    return tuple(sorted(found))


def codes(value: Value, tell: Tell) -> tuple[str, ...]:
    """Several codes or names, in order, each once."""
    pieces = (unicodedata.normalize("NFKC", plain(piece)) for piece in _LIST.split(as_text(value)))
    return tuple(sorted({piece for piece in pieces if piece}))


def names(value: Value, tell: Tell) -> tuple[str, ...]:
    """Several names, as they stand."""
    pieces = [plain(piece) for piece in _LIST.split(as_text(value))]
    found = tuple(piece for piece in pieces if piece)
    if any(len(name) > 80 for name in found):
        raise WrongValueError("too_long", most=80)
    return found


def numbers(value: Value, tell: Tell) -> tuple[str, ...]:
    """Several telephone numbers that are not dialled, such as pilot numbers."""
    found = {}
    for piece in _LIST.split(number_text(value, tell)):
        if plain(piece):
            try:
                found[parse_number(piece).key] = plain(piece)[:40]
            except NumberError:
                raise WrongValueError("bad_number", **_why(piece)) from None
    return tuple(sorted(found.values()))


def phone(value: Value, tell: Tell) -> str:
    """The telephone of a person: never dialled by us, so what looks odd is a doubt only."""
    found = plain(number_text(value, tell))
    if len(found) > 40:
        raise WrongValueError("too_long", most=40)
    for piece in _LIST.split(found):
        try:
            parse_number(split_extension(piece)[0])
        except NumberError:
            tell("odd_phone")
            break
    return found


def printed_number(value: Value, tell: Tell) -> str:
    """The number of a line as the directory prints it; whether it can be dialled is seen with the row."""
    found = plain(number_text(value, tell))
    found = unicodedata.normalize("NFKC", found)
    if len(found) > 40:
        raise WrongValueError("several_numbers" if len(_LIST.split(found)) > 1 else "too_long", most=40)
    return found


def dialled(value: Value, tell: Tell) -> str:
    """What is dialled: a number, an extension behind it perhaps, or a SIP URI."""
    found = plain(number_text(value, tell))
    if len(found) > 255:
        raise WrongValueError("too_long", most=255)
    return check_number(found)


def check_number(found: str) -> str:
    """Return a number in the form in which it is dialled. Raises `WrongValueError`."""
    try:
        return check_target(found)
    except NeverDialledError:
        raise WrongValueError("emergency") from None
    except TargetError:
        pieces = [piece for piece in _LIST.split(found) if piece.strip()]
        if len(pieces) > 1 and all(_is_number(piece) for piece in pieces):
            raise WrongValueError("several_numbers") from None
        raise WrongValueError("bad_number", **_why(found)) from None


def number_text(value: Value, tell: Tell) -> str:
    """Return a number's text; where it was stored as a number, see whether it lost anything."""
    if isinstance(value, float):
        if not value.is_integer() or abs(value) >= _MOST_EXACT or value < 0:
            raise WrongValueError("scientific")
        digits = str(int(value))
        # 9173262000: an area code without its 0. A mobile or service number has none to lose.
        if len(digits) in (9, 10, 11) and not _complete(digits):
            tell("zero_lost")
        return digits
    found = as_text(value)
    if isinstance(value, bool | date | time):
        raise WrongValueError(
            "bad_number", why="是日期、时间或是否", why_en="it is a day, a time, or yes or no"
        )
    if isinstance(value, str) and re.fullmatch(r"\s*\d(\.\d+)?[eE]\+?\d+\s*", found, re.ASCII):
        raise WrongValueError("scientific")
    return re.sub(r"^(\s*\d{3,15})\.0+\s*$", r"\1", found)


def _complete(digits: str) -> bool:
    return parse_number(digits).kind in ("mobile", "service", "short")


def is_bare_extension(found: str) -> bool:
    """Whether a number is the extension alone (-806, 转8012): the unit's switchboard completes it."""
    return (
        re.fullmatch(r"(总机)?\s*([转轉]|分机|内线|[-—#]|ext\.?)\s*\d{1,8}", found, re.IGNORECASE) is not None
    )


def is_mobile_number(found: str) -> bool:
    """Whether a mobile telephone is dialled."""
    try:
        return parse_number(split_extension(found)[0]).kind == "mobile"
    except NumberError:
        return False


def _is_number(piece: str) -> bool:
    try:
        check_target(piece)
    except ValueError:
        return False
    return True


def _why(found: str) -> dict[str, str]:
    """Name the sign that no number has, in both languages."""
    plain_text = split_extension(found)[0] if not _URI.match(found) else found
    odd = next((sign for sign in plain_text if not (sign.isdigit() or sign in "+-.() ")), None)
    count = sum(sign.isdigit() for sign in found)
    if odd:
        return {"why": f"含有“{odd}”", "why_en": f"it holds {odd!r}"}
    return {"why": f"有 {count} 位数字", "why_en": f"it has {count} digits"}


def _refuse_odd(value: Value) -> None:
    if isinstance(value, Odd):
        raise WrongValueError(value.kind, into=value.shown)


def numbers_to_dial(value: Value, tell: Tell) -> tuple[str, ...]:
    """Several numbers of lines in one cell, as lists for people have them."""
    found = unicodedata.normalize("NFKC", plain(number_text(value, tell), long=True))
    if not found:
        return ()
    whole = plain(found)
    pieces = tuple(plain(piece) for piece in _LIST.split(found) if piece.strip())
    # 0917/3262000 and 3212345,8012 are one number each.
    are_several = all(sum(sign.isdigit() for sign in piece) >= _LEAST_DIGITS for piece in pieces)
    if not are_several and len(whole) <= 40 and _is_number(whole):
        return (whole,)
    for piece in pieces:
        if len(piece) > 40:
            raise WrongValueError("too_long", most=40)
    return pieces
