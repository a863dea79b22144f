"""Names of the roster in what was said, by sound: pinyin without tones, fuzzy syllable by syllable. Pure.

Recognition knows no names: 何轩佳 comes out as 核選下. So the syllables of the transcript are compared with those of
each name of the books, in the places where people say a name (我是, 我叫, 值班员) and, more strictly, anywhere.
Names that sound alike (李伟, 李玮) are never told apart here: all of them are named.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from sip.progress.syllables import MISSING, Hit, Nearest, Token, distance, find, tokens_of

CUES: Final = (
    "我是值班员",
    "我是值班人员",
    "我是",
    "我叫",
    "我的名字叫",
    "名字是",
    "姓名",
    "值班员",
    "值班人员",
    "值班人",
    "值班干部",
    "带班领导是",
    "今天值班的是",
    "这边是",
)
"""What is said just before a name."""
DECOYS: Final = ("值班室", "值班是", "办公室", "直班室")
"""What sounds like a cue and is none."""
GREETINGS: Final = (
    "您好这里",
    "您好",
    "这里是",
    "请问您是哪里",
    "请问您是",
    "值班室",
    "办公室",
    "今天是我值班",
)
"""What holds no name, though it may sound like one."""
BOUNDS: Final = (
    "今天",
    "请讲",
    "请问",
    "请说",
    "带班",
    "不在",
    "有什么",
    "什么事",
    "您是",
    "你是",
    "您好",
    "你好",
    "我们",
    "值班",
    "电话",
)
"""What comes after a name."""
SURNAME_CUES: Final = ("免贵姓", "我姓", "敝姓", "姓")
"""What is said before a surname alone."""
TITLES: Final = (
    "副局长",
    "局长",
    "副主任",
    "主任",
    "副科长",
    "科长",
    "副镇长",
    "镇长",
    "副乡长",
    "乡长",
    "副县长",
    "县长",
    "副处长",
    "处长",
    "副书记",
    "书记",
    "副部长",
    "部长",
    "副院长",
    "院长",
    "副校长",
    "校长",
    "副股长",
    "股长",
    "副所长",
    "所长",
    "副站长",
    "站长",
    "副队长",
    "队长",
    "委员",
    "干事",
    "科员",
    "主席",
    "调研员",
    "值班领导",
    "带班领导",
    "值班长",
    "值班员",
)
"""职务 that stand before a name or behind a surname."""
COMPOUND: Final = frozenset(
    re.findall(
        r"..",
        "欧阳太史端木上官司马东方独孤南宫万俟闻人夏侯诸葛尉迟公羊赫连澹台皇甫宗政濮阳公冶太叔申屠公孙慕容仲孙钟离长孙"
        "宇文司徒鲜于司空令狐百里呼延东郭南门西门拓跋轩辕第五梁丘左丘完颜纳兰",
    )
)
"""复姓."""
_SURNAME_READINGS: Final = {
    "单": ("shan", "dan"),
    "曾": ("zeng",),
    "覃": ("qin", "tan"),
    "仇": ("qiu", "chou"),
    "乐": ("yue", "le"),
    "解": ("xie",),
    "查": ("zha",),
    "盖": ("ge", "gai"),
    "区": ("ou",),
    "朴": ("piao", "pu"),
    "种": ("chong", "zhong"),
    "召": ("shao", "zhao"),
    "折": ("she", "zhe"),
    "员": ("yun", "yuan"),
    "缪": ("miao", "mu"),
    "翟": ("zhai", "di"),
    "尉": ("wei", "yu"),
    "宓": ("mi", "fu"),
    "黑": ("he", "hei"),
    "冼": ("xian",),
    "洗": ("xian", "xi"),
    "华": ("hua",),
    "任": ("ren",),
    "纪": ("ji",),
    "宁": ("ning",),
    "葛": ("ge",),
    "阚": ("kan",),
    "郇": ("xun", "huan"),
    "隗": ("kui", "wei"),
    "逄": ("pang",),
    "万俟": ("mo", "qi"),
    "尉迟": ("yu", "chi"),
    "澹台": ("tan", "tai"),
}
"""Surnames that are read otherwise than as words; of 复姓 the syllables in order."""
_MOST_READINGS: Final = 2
"""Of one character of a given name: those of the dictionary that people use."""
_MOST_FORMS: Final = 12
CUE_COST: Final = 0.3
"""Most that a cue's syllable may cost on average."""
MOST_CUE_COST: Final = 0.9
"""Most that a whole cue may cost: less than a syllable that is not there."""
WINDOW: Final = 6
"""Syllables after a cue among which the name is."""
LIMIT: Final = 0.65
ANYWHERE: Final = 0.1
"""Distance up to which a name is taken where nothing says that one follows."""
UNCUED: Final = 0.2
"""What is added to it."""
BOUND_COST: Final = 0.33
LEFT_OVER: Final = 0.6
"""Cost of a syllable between the name and what follows it, and of one that the name takes from that."""
MOST_PLACES: Final = 4
"""Names that are looked for in one answer."""
MOST_LEFT: Final = 2
"""Such syllables that count; more of them are a sentence of their own."""
MOST_SKIPPED: Final = 2
SKIPPED: Final = 0.25
"""Cost of a syllable between the cue and the name."""


@dataclass(frozen=True, slots=True)
class BookName:
    """A name of the books and all the ways in which it may be read."""

    name: str
    forms: tuple[tuple[Token, ...], ...]

    @property
    def pinyin(self) -> str:
        """The likeliest reading, syllables with spaces between."""
        return " ".join(token.sound for token in self.forms[0])


@dataclass(frozen=True, slots=True)
class Place:
    """Tokens of a text among which a name is said."""

    first: int
    after: int
    end: int
    """Where something else begins: a phrase that follows names, or the end of the text."""
    cue: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like a stretch of the text is to a name."""

    name: str
    pinyin: str
    distance: float
    """Cost for each syllable of the name, 0: they sound alike; 1: nothing is alike."""
    start: int
    end: int
    """Where it stands in the text, in characters."""
    cue: str = ""
    left: int = 0
    """Syllables between the name and what follows it; negative: it takes some from that."""


@lru_cache(maxsize=8192)
def book_name(name: str) -> BookName:
    """Return a name with its readings. Marks such as 李伟（大） and spaces are left out of what is read."""
    plain = name.partition("（")[0].partition("(")[0].replace(" ", "").replace("·", "").replace("\u3000", "")
    parts = _parts(plain)
    sounds = itertools.islice(itertools.product(*parts), _MOST_FORMS)
    return BookName(name, tuple(tuple(Token(sound) for sound in form) for form in sounds))


def _parts(name: str) -> list[tuple[str, ...]]:
    """The readings of each character."""
    from pypinyin import Style, lazy_pinyin, pinyin

    surname = name[:2] if name[:2] in COMPOUND and len(name) > 2 else name[:1]
    given = name[len(surname) :]
    parts: list[tuple[str, ...]]
    if len(surname) == 2 and surname in _SURNAME_READINGS:
        parts = [(sound,) for sound in _SURNAME_READINGS[surname]]
    else:
        parts = [_SURNAME_READINGS.get(sign) or tuple(lazy_pinyin(sign)[:1]) for sign in surname]
    for sign in given:
        read = tuple(dict.fromkeys(pinyin(sign, style=Style.NORMAL, heteronym=True)[0]))
        parts.append(read[:_MOST_READINGS])
    return [tuple(_plain(sound) for sound in part) for part in parts]


def _plain(sound: str) -> str:
    return sound.replace("ü", "v")


def same_sound(one: str, other: str) -> bool:
    """Tell whether two names may be read alike."""
    return between(one, other) == 0.0


@lru_cache(maxsize=65_536)
def between(one: str, other: str) -> float:
    """Return the distance of two names, 0 to 1; it is the same both ways."""
    return min(_apart(form, second) for form in book_name(one).forms for second in book_name(other).forms)


def _apart(one: Sequence[Token], other: Sequence[Token]) -> float:
    if len(one) != len(other):
        return 1.0
    return sum(distance(a, b) for a, b in zip(one, other, strict=True)) / max(len(one), 1)


def places(tokens: Sequence[Token]) -> tuple[Place, ...]:
    """Return where a name may be said: the syllables after each cue, in order; cues themselves are found fuzzily."""
    found: dict[int, tuple[float, Place]] = {}
    decoys = [hit for decoy in _patterns(DECOYS) for hit in find(decoy, tokens, CUE_COST * len(decoy))]
    bounds = _bounds(tokens)
    for cue, pattern in zip(CUES, _patterns(CUES), strict=True):
        for hit in find(pattern, tokens, min(CUE_COST * len(pattern), MOST_CUE_COST)):
            known = found.get(hit.after)
            if hit.after >= len(tokens) or (known is not None and known[0] <= hit.cost):
                continue
            if any(hit.first < d.after and d.first < hit.after and d.cost <= hit.cost for d in decoys):
                continue
            end = next((at for at in bounds if at > hit.after), len(tokens))
            after = min(hit.after + WINDOW, len(tokens))
            found[hit.after] = (hit.cost, Place(hit.after, after, end, cue))
    return tuple(place for _, (_, place) in sorted(found.items()))


def _bounds(tokens: Sequence[Token]) -> list[int]:
    """Where something begins that is said after names."""
    return sorted(
        hit.first for bound in _patterns(BOUNDS) for hit in find(bound, tokens, BOUND_COST * len(bound))
    )


@lru_cache(maxsize=8)
def _patterns(phrases: tuple[str, ...]) -> tuple[tuple[Token, ...], ...]:
    return tuple(tokens_of(phrase) for phrase in phrases)


def likenesses(text: str, names: Iterable[str], limit: float = LIMIT) -> tuple[Likeness, ...]:
    """Return for each name every stretch that is like it, in each place, no farther than `limit`.

    Places after a cue count in full; anywhere else `ANYWHERE` is the limit, for names of three syllables and more.
    """
    tokens = tokens_of(text)
    spots = places(tokens)
    windows = [(spot, tokens[spot.first : spot.after]) for spot in spots]
    tests = [Nearest(window) for _, window in windows]
    anywhere = Nearest(tokens)
    greetings = [
        hit for phrase in _patterns(GREETINGS) for hit in find(phrase, tokens, CUE_COST * len(phrase))
    ]
    found: list[Likeness] = []
    for name in names:
        known = book_name(name)
        for form in known.forms:
            for (spot, window), test in zip(windows, tests, strict=True):
                if form and test.may_hold(form, limit * len(form)):
                    found += _in_place(known, form, spot, window, limit)
            if len(form) > 2 and anywhere.may_hold(form, ANYWHERE * len(form)):
                found += [
                    _likeness(known, tokens, hit, hit.cost / len(form) + UNCUED, "")
                    for hit in find(form, tokens, ANYWHERE * len(form))
                    if not any(hit.first < other.after and other.first < hit.after for other in greetings)
                ]
    return tuple(found)


def nearest(text: str, names: Iterable[str], limit: float = LIMIT) -> tuple[tuple[Likeness, ...], ...]:
    """Return for each stretch in which a name is said the names that are like it, the likest first.

    The stretch of the likest name of all comes first; each name stands once in a stretch.
    """
    left = sorted(likenesses(text, names, limit), key=lambda like: (like.distance, like.start, like.name))
    groups: list[tuple[Likeness, ...]] = []
    while left and len(groups) < MOST_PLACES:
        best = left[0]
        here = [like for like in left if like.start < best.end and best.start < like.end]
        likest = {like.name: like for like in reversed(here)}
        groups.append(tuple(sorted(likest.values(), key=lambda like: (like.distance, like.name))))
        left = [like for like in left if like.end <= best.start or best.end <= like.start]
    return tuple(groups)


def _in_place(
    name: BookName, form: Sequence[Token], spot: Place, window: Sequence[Token], limit: float
) -> Iterator[Likeness]:
    """Where the name is likest in a place; syllables left over before and behind it cost."""
    best, where = limit * len(form) + 1e-9, Hit(0, 0, 0.0)
    for first in range(min(MOST_SKIPPED, len(window) - 1) + 1):
        for length, cost in enumerate(_endings(form, window[first:])):
            after = first + length
            # More syllables before the next phrase than people leave there are a sentence of their own.
            left = spot.end - (spot.first + after)
            over = LEFT_OVER * abs(left) if left <= MOST_LEFT else 0.0
            whole = cost + SKIPPED * first + over
            if length and whole < best:
                best, where = whole, Hit(first, after, whole)
    if where.after:
        left = spot.end - (spot.first + where.after)
        like = _likeness(name, window, where, where.cost / len(form), spot.cue)
        yield replace(like, left=left if left <= MOST_LEFT else 0)


def _endings(form: Sequence[Token], heard: Sequence[Token]) -> list[float]:
    """The cost of the whole name for the first n syllables, by n."""
    row = [MISSING * at for at in range(len(heard) + 1)]
    for said in form:
        before, row[0] = row[0], row[0] + MISSING
        for at, other in enumerate(heard, 1):
            least = min(before + distance(said, other), row[at] + MISSING, row[at - 1] + MISSING)
            before, row[at] = row[at], least
    return row


def _likeness(name: BookName, tokens: Sequence[Token], hit: Hit, cost: float, cue: str) -> Likeness:
    first, last = tokens[hit.first], tokens[hit.after - 1]
    return Likeness(name.name, name.pinyin, cost, first.start, last.end, cue)
