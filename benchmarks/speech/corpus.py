"""Answers as duty officers give them, made up from a seed: what is said, and what must be found in it.

Names come from the commonest surnames and from characters that given names use, units and numbers are invented. The
same seed gives the same corpus on every machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

SEED: Final = 20261126
ROSTER_SIZE: Final = 500
VOICES: Final = ("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zm_yunjian", "zm_yunxi")
Kind = Literal["name", "stranger", "number"]

_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏"
    "付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常汤"
)
_GIVEN: Final = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英华玉兰建国志宏海波晓东云飞文斌鹏辉红梅春燕秀珍小雪佳怡欣宇浩然子轩思远立新永康家豪"
    "德胜金龙少峰景瑞兴旺世昌振庭凯琳雅婷雨萌慧颖诗涵俊博睿哲嘉乐成林福全光耀宝山长青继先安民"
)
_PLACES: Final = (
    "清河",
    "望江",
    "南坪",
    "石桥",
    "白塔",
    "云岭",
    "东湖",
    "大柳",
    "青山",
    "龙泉",
    "长岭",
    "双溪",
)
_OFFICES: Final = (
    "县政府",
    "镇政府",
    "县水利局",
    "县应急管理局",
    "县教育局",
    "街道办事处",
    "县卫健局",
    "乡政府",
    "县交通局",
)
_OPENINGS: Final = (
    "您好，这里是{unit}值班室，我是值班员{name}。",
    "你好，{unit}值班室，我叫{name}，请讲。",
    "喂，您好，{unit}，今天是我值班，我叫{name}。",
    "您好，{unit}值班室，我是{name}，请问您是哪里？",
    "{unit}值班室，值班员{name}，今天带班领导不在办公室。",
)
_NUMBER_WORDS: Final = (
    "带班领导的电话是{digits}。",
    "您记一下，号码是{digits}。",
    "我们值班室的传真是{digits}。",
    "值班室座机{digits}，手机也可以打。",
)
_DIGITS: Final = "零一二三四五六七八九"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to be spoken."""

    key: str
    kind: Kind
    voice: str
    text: str
    expected: str
    """The roster's name, the stranger's name (not in the roster), or the digits of the number."""


def roster(seed: int = SEED) -> tuple[str, ...]:
    """Return the names of everybody who may be on duty, each once."""
    return _names(random.Random(seed), ROSTER_SIZE, frozenset())


def answers(names: int = 200, strangers: int = 60, numbers: int = 60, seed: int = SEED) -> tuple[Answer, ...]:
    """Return the answers, kinds and voices mixed throughout, so that the first n are a fair sample."""
    source = random.Random(seed + 1)
    known = roster(seed)
    said = [("name", name) for name in source.sample(known, names)]
    said += [("stranger", name) for name in _names(source, strangers, frozenset(known))]
    said += [("number", _number(source)) for _ in range(numbers)]
    source.shuffle(said)
    return tuple(_answer(source, at, kind, expected) for at, (kind, expected) in enumerate(said))


def _answer(source: random.Random, at: int, kind: str, expected: str) -> Answer:
    voice = VOICES[at % len(VOICES)]
    if kind == "number":
        text = source.choice(_NUMBER_WORDS).format(digits=_spoken(source, expected))
        return Answer(f"{at:04}", "number", voice, text, expected)
    unit = source.choice(_PLACES) + source.choice(_OFFICES)
    text = source.choice(_OPENINGS).format(unit=unit, name=expected)
    return Answer(f"{at:04}", "name" if kind == "name" else "stranger", voice, text, expected)


def _names(source: random.Random, count: int, taken: frozenset[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    while len(found) < count:
        length = source.choices((1, 2), (1, 4))[0]
        name = source.choice(_SURNAMES) + "".join(source.choice(_GIVEN) for _ in range(length))
        if name not in taken:
            found.setdefault(name)
    return tuple(found)


def _number(source: random.Random) -> str:
    rest = "".join(source.choice("0123456789") for _ in range(8))
    return (
        source.choice(("13", "15", "18")) + source.choice("0123456789") + rest
        if source.random() < 0.4
        else (source.choice(("2", "3", "6", "8")) + rest[:6])
    )


def _spoken(source: random.Random, digits: str) -> str:
    """Write a number as it is said: one by one, 一 as 幺 by most, in groups by some."""
    one = "幺" if source.random() < 0.7 else "一"
    words = [one if digit == "1" else _DIGITS[int(digit)] for digit in digits]
    if source.random() < 0.5:
        return "".join(words)
    groups = (3, 4, 4) if len(words) == 11 else (3, 4)
    parts, at = [], 0
    for size in groups:
        parts.append("".join(words[at : at + size]))
        at += size
    return "，".join(parts)
