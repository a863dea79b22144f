"""Who called, as said in the call itself: unit, name and numbers found in a transcript. Pure.

Units and people of the directory are found by sound, syllable for syllable without tones, since recognition writes
names as it likes; what is of no book is taken as it was written. All of it is for a person to check.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from app.answers.digits import SaidNumber, said_numbers
from app.answers.masking import mask
from app.transcripts.search_words import plain
from app.transcripts.word_times import word_time
from sip.progress.syllables import Token, tokens_of
from sip.progress.transcript import Transcript, Utterance

SPEAKERS: Mapping[str, str] = {"us": "我方", "them": "来电人"}
ONE_CHANNEL = "通话"
"""Both sides stand in one channel: who speaks is not known."""
_LEAST_UNIT = 3
"""Syllables of the shortest name of a unit, or end of one, that is looked for."""
_LEAST_NUMBER = 7
_PLACE = re.compile(r"^.{1,6}?(?:省|自治区|市|州|县|区|旗)(?=.{3,})")
_ENDS = "局|办公室|政府办|政府|办|委员会|委|镇|乡|街道|街道办|中心|医院|学校|公司|站|院|队|所|部|村|社区"
_UNIT = re.compile(rf"我?(?:这里|这边|们)?是((?:(?!我是|这里|值班员)[\u4e00-\u9fff]){{1,16}}?(?:{_ENDS}))")
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟"
    "谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易"
    "乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴"
    "蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边"
    "卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝"
)
_NAME = re.compile(
    rf"(?:我叫|我的名字叫|姓名是?|值班员(?:是|叫)?|我是(?:[\u4e00-\u9fff]{{0,16}}?的)?)"
    rf"([{_SURNAMES}][\u4e00-\u9fff]{{1,2}})(?=[，。、；！？,.\s]|$)"
)
_CONTACT = re.compile(r"(?:联系|手机|打|回电|找我)[^，。]{0,8}$")


@dataclass(frozen=True, slots=True)
class Books:
    """What the directory has to say."""

    units: Mapping[int, str]
    people: Mapping[int, Sequence[str]]
    """Names by unit."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One field's content, and where it was said."""

    value: str
    start_ms: float
    end_ms: float
    heard: str
    """As it stands in the transcript."""

    def told(self) -> dict[str, Any]:
        """As the form keeps it."""
        return {"value": self.value, "start_ms": self.start_ms, "end_ms": self.end_ms, "heard": self.heard}


def hear(
    channels: Mapping[str, Transcript], books: Books, keys: Collection[str]
) -> tuple[dict[str, Heard], int | None]:
    """Return by field what was heard, and the unit of the directory that called, where exactly one is named.

    `keys`: numbers of answer keys, which are masked everywhere.
    """
    theirs = (
        [replace(one, text=plain(one.text)) for one in channels["them"].utterances]
        if "them" in channels
        else []
    )
    found: dict[str, Heard] = {}
    unit = _known_unit(theirs, books)
    unit_id = unit[0] if unit else None
    if unit:
        found["unit"] = unit[1]
    elif other := next(_matches(_UNIT, theirs), None):
        found["unit"] = other
    person = _known_person(theirs, books.people.get(unit_id, ())) if unit_id is not None else None
    person = person or next(_matches(_NAME, theirs), None)
    if person:
        found["person"] = person
    found |= _numbers(theirs, keys)
    content = conversation(channels, keys)
    if content:
        found["content"] = content
    return found, unit_id


def conversation(channels: Mapping[str, Transcript], keys: Collection[str]) -> Heard | None:
    """All that was said, a line for each utterance: `[00:06] 来电人：……`; None where nothing was."""
    both = "us" in channels and bool(channels["us"].utterances)
    said = sorted(
        (utterance.start_ms, utterance.end_ms, SPEAKERS[name] if both else ONE_CHANNEL, utterance.text)
        for name in SPEAKERS
        if name in channels
        for utterance in channels[name].utterances
        if utterance.text.strip()
    )
    if not said:
        return None
    lines = [f"[{_clock(start)}] {who}：{mask(text.strip(), keys)}" for start, _, who, text in said]
    return Heard("\n".join(lines), said[0][0], max(end for _, end, _, _ in said), "")


def _clock(at_ms: float) -> str:
    seconds = int(at_ms // 1000)
    return f"{seconds // 60:02}:{seconds % 60:02}"


def _at(utterance: Utterance, value: str, start: int, end: int) -> Heard:
    times = word_time(utterance, start), word_time(utterance, end - 1, end=True)
    return Heard(value, *times, utterance.text[start:end])


def _matches(pattern: re.Pattern[str], utterances: Sequence[Utterance]) -> Iterator[Heard]:
    for utterance in utterances:
        for match in pattern.finditer(utterance.text):
            yield _at(utterance, match[1], *match.span(1))


def _known_unit(utterances: Sequence[Utterance], books: Books) -> tuple[int, Heard] | None:
    """The unit with the longest name said; None where two are as long, or none is said."""
    forms = _forms(tuple(sorted(books.units.items())))
    best: tuple[int, int, Heard] | None = None
    for utterance in utterances:
        tokens = tokens_of(utterance.text)
        for length in sorted({len(form) for form in forms}, reverse=True):
            if best is not None and length <= best[0]:
                break
            for first in range(len(tokens) - length + 1):
                units = forms.get(_sounds(tokens[first : first + length]), ())
                if len(units) == 1:
                    span = tokens[first].start, tokens[first + length - 1].end
                    best = length, units[0], _at(utterance, books.units[units[0]], *span)
                    break
    return None if best is None else (best[1], best[2])


@lru_cache(maxsize=4)
def _forms(units: tuple[tuple[int, str], ...]) -> Mapping[tuple[str, ...], tuple[int, ...]]:
    """By sound the units that are called so: by their whole name, or without the place ahead of it."""
    found: dict[tuple[str, ...], tuple[int, ...]] = {}
    for key, name in units:
        for form in {name, _PLACE.sub("", name)}:
            sounds = _sounds(tokens_of(form))
            if len(sounds) >= _LEAST_UNIT and key not in found.get(sounds, ()):
                found[sounds] = (*found.get(sounds, ()), key)
    return found


def _known_person(utterances: Sequence[Utterance], names: Sequence[str]) -> Heard | None:
    """A person of the unit by sound. Names that sound alike: as it was written, for a person to choose."""
    wanted: dict[tuple[str, ...], set[str]] = {}
    for name in names:
        wanted.setdefault(_sounds(tokens_of(name)), set()).add(name)
    for utterance in utterances:
        tokens = tokens_of(utterance.text)
        for first in range(len(tokens)):
            for length in (4, 3, 2):
                found = wanted.get(_sounds(tokens[first : first + length]), set())
                if found and first + length <= len(tokens):
                    start, end = tokens[first].start, tokens[first + length - 1].end
                    value = found.pop() if len(found) == 1 else utterance.text[start:end]
                    return _at(utterance, value, start, end)
    return None


def _sounds(tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(token.sound for token in tokens)


def _numbers(utterances: Sequence[Utterance], keys: Collection[str]) -> dict[str, Heard]:
    found: dict[str, Heard] = {}
    for utterance in utterances:
        text = mask(utterance.text, keys)
        for said in said_numbers(text):
            if len(said.digits) < _LEAST_NUMBER:
                continue
            heard = _at(utterance, _printed(said), said.start, said.end)
            found.setdefault("phone" if _CONTACT.search(text[: said.start]) else "number", heard)
    return found


def _printed(said: SaidNumber) -> str:
    return said.digits + (f"转{said.extension}" if said.extension else "")
