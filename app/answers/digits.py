"""Telephone numbers as they are said: digit words, groups, repeats, extensions, self-corrections. Pure.

People say 三二六，幺零九八, 六十二, 两千, 三个八, 区号零五一二, 转八零幺二, and put themselves right: 不对，是三二七.
Operators say 洞 for 0, 幺 for 1, 两 for 2, 拐 for 7, 勾 for 9. Recognition writes any of it in words, digits or both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

SHORTEST: Final = 3
LONGEST: Final = 12
"""Digits of a number, its area code included and its extension left out."""
COMPLETE: Final = 7
"""Digits from which on what was said may stand for a number by itself."""

WORDS: Final = {
    "零": "0",
    "〇": "0",
    "○": "0",
    "洞": "0",
    "一": "1",
    "壹": "1",
    "幺": "1",
    "二": "2",
    "贰": "2",
    "两": "2",
    "兩": "2",
    "三": "3",
    "叁": "3",
    "四": "4",
    "肆": "4",
    "五": "5",
    "伍": "5",
    "六": "6",
    "陆": "6",
    "七": "7",
    "柒": "7",
    "拐": "7",
    "八": "8",
    "捌": "8",
    "九": "9",
    "玖": "9",
    "勾": "9",
    "钩": "9",
}
"""Words of single digits."""
_ONE = f"[0-9０-９{''.join(WORDS)}]"
_UNIT = "[一二两三四五六七八九]"
_WORTH: Final = {"千": 1000, "百": 100, "十": 10}
_ATOM = re.compile(
    rf"(?P<repeat>[两二三四五六七八]个{_ONE})"
    rf"|(?P<numeral>{_UNIT}千(?:零?{_UNIT}百)?(?:零?{_UNIT}?十)?零?{_UNIT}?"
    rf"|{_UNIT}百(?:零?{_UNIT}?十)?零?{_UNIT}?|{_UNIT}?十{_UNIT}?)"
    rf"|(?P<one>{_ONE})"
)
_JOIN = re.compile(r"(?:[\s\-—－–‐·.．,，、:：;；/()（）…～~]|呃|嗯|啊|哦|哎|欸|这个|那个|就是|然后|杠)*")
_PAUSE = re.compile(rf"(?:{_JOIN.pattern}|[。！!])*")
_EXTENSION = re.compile(
    rf"{_JOIN.pattern}(?:总机)?(?:转|轉|分机|内线)(?:分机|内线)?(?:号码?)?[是为:：]?{_JOIN.pattern}"
)
_CORRECTION = re.compile(r"不对|不是|错了|说错|更正|纠正|应该是|重说|重新说|再说一遍")
_MOST_BETWEEN = 16
"""Characters between a number and its correction."""
_AREA_BEFORE = re.compile(r"区号[是为:：]?[\s，,]*$")
_AFTER_AREA = re.compile(r"[\s，,。、]*(?:然后|再)?(?:电话|号码|座机|固话)?(?:号码)?[是为:：]?[\s，,]*")
_MEASURE = re.compile(r"\s*(?:年|月|日|点|时|分|秒|楼|层|岁|元|块|米|人|名|位|个|次|度|%|％|天|周)")
"""What follows makes it a date, a time or a count."""


@dataclass(frozen=True, slots=True)
class Atom:
    """The least stretch of text that stands for digits."""

    digits: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SaidNumber:
    """A number that was said."""

    digits: str
    start: int
    end: int
    """Where it stands in the text, in characters."""
    extension: str = ""
    corrected: bool = False
    """The speaker put it right; the digits are those that were said last."""
    area_said: bool = False
    """It was said that its first digits are the area code."""


def atoms_of(text: str, *, literal: bool = False) -> Iterator[Atom]:
    """Yield what stands for digits. `literal` takes each character by itself: 三个八 is then 3 and 8, 六十 is 6."""
    if literal:
        for at, sign in enumerate(text):
            digit = _digit(sign)
            if digit:
                yield Atom(digit, at, at + 1)
        return
    for match in _ATOM.finditer(text):
        found = match[0]
        if match["repeat"]:
            times, of = WORDS[found[0]], _digit(found[-1])
            yield Atom(of * int(times), *match.span())
        elif match["numeral"]:
            yield Atom(str(_value(found)), *match.span())
        else:
            yield Atom(_digit(found), *match.span())


def _digit(sign: str) -> str:
    if sign in WORDS:
        return WORDS[sign]
    return str(unicodedata.digit(sign)) if sign.isdecimal() else ""


def _value(words: str) -> int:
    """The value of a numeral below ten thousand; 两千三 is 2300 and 两千零三 is 2003."""
    total, worth, unit = 0, 1, 0
    for sign in words:
        if sign in _WORTH:
            worth = _WORTH[sign]
            total, unit = total + (unit or 1) * worth, 0
        elif sign == "零":
            worth = 1
        else:
            unit = int(WORDS[sign])
    return total + unit * (worth // 10 if worth >= 100 else 1)


def said_numbers(text: str) -> tuple[SaidNumber, ...]:
    """Return the telephone numbers of a text, of 3 to 12 digits, in order; dates, times and counts are left out."""
    numbers: list[SaidNumber] = []
    for run in _runs(text):
        before = numbers[-1] if numbers else None
        joined = None if before is None else _joined(text, before, run)
        if joined is None:
            numbers.append(run)
        else:
            numbers[-1] = joined
    return tuple(
        number
        for number in numbers
        if SHORTEST <= len(number.digits) <= LONGEST and not _counts(text, number)
    )


def _runs(text: str) -> Iterator[SaidNumber]:
    """Digits with nothing but commas, spaces and hesitation between them."""
    run: SaidNumber | None = None
    for atom in atoms_of(text):
        if run is not None and _JOIN.fullmatch(text, run.end, atom.start):
            run = replace(run, digits=run.digits + atom.digits, end=atom.end)
            continue
        if run is not None:
            yield run
        run = SaidNumber(atom.digits, atom.start, atom.end)
    if run is not None:
        yield run


def _joined(text: str, before: SaidNumber, run: SaidNumber) -> SaidNumber | None:
    """The two as one number, where what stands between them says so."""
    between = text[before.end : run.start]
    if _EXTENSION.fullmatch(between) and len(before.digits) >= SHORTEST and len(run.digits) <= 6:
        return replace(before, extension=run.digits, end=run.end)
    if len(between) <= _MOST_BETWEEN and _CORRECTION.search(between):
        return _corrected(before, run)
    if _is_area(text, before) and _AFTER_AREA.fullmatch(between) and len(run.digits) >= SHORTEST:
        return replace(run, digits=before.digits + run.digits, start=before.start, area_said=True)
    fits = len(before.digits) < COMPLETE and len(before.digits + run.digits) <= LONGEST
    if fits and not before.extension and len(run.digits) >= 2 and _PAUSE.fullmatch(between):
        return replace(before, digits=before.digits + run.digits, end=run.end)
    return None


def _corrected(before: SaidNumber, run: SaidNumber) -> SaidNumber | None:
    """What was said last counts; a shorter correction replaces as many digits at the end."""
    if len(run.digits) < 2:
        return None
    if len(run.digits) >= len(before.digits):
        return replace(run, start=before.start, corrected=True)
    digits = before.digits[: -len(run.digits)] + run.digits
    return replace(before, digits=digits, end=run.end, corrected=True)


def _is_area(text: str, run: SaidNumber) -> bool:
    """Whether the text says that this is an area code."""
    return 2 <= len(run.digits) <= 4 and bool(_AREA_BEFORE.search(text, 0, run.start))


def _counts(text: str, number: SaidNumber) -> bool:
    return len(number.digits) < COMPLETE and bool(_MEASURE.match(text, number.end))
