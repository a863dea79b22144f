"""Names of units as people say them: whole, without the county ahead, or short (应急局, 卫健委, 城关镇政府). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from app.answers.names import Likeness
from sip.progress.syllables import Token, find, tokens_of

LIMIT: Final = 0.3
"""Cost for each syllable up to which a unit's name counts as said."""
_SHORTEST: Final = 3
"""Syllables of a form that may be looked for."""
_AHEAD: Final = re.compile(
    r"^(?:.{2,5}?(?:省|自治区))?(?:.{2,6}?(?:市|州|盟|地区))?(?:.{1,6}?(?:县|区|旗))?(?=..)"
)
_SHORT_FORMS: Final = (
    ("人民政府办公室", "政府办"),
    ("人民政府办公室", "府办"),
    ("人民政府", "政府"),
    ("人民政府", ""),
    ("镇", "镇政府"),
    ("乡", "乡政府"),
    ("街道办事处", "街道"),
    ("街道办事处", "街道办"),
    ("街道", "街道办事处"),
    ("委员会办公室", "委办"),
    ("应急管理", "应急"),
    ("卫生健康委员会", "卫健委"),
    ("卫生健康", "卫健"),
    ("人力资源和社会保障", "人社"),
    ("发展和改革委员会", "发改委"),
    ("发展和改革", "发改"),
    ("住房和城乡建设", "住建"),
    ("市场监督管理", "市监"),
    ("市场监督管理", "市场监管"),
    ("农业农村", "农业"),
    ("交通运输", "交通"),
    ("自然资源和规划", "自规"),
    ("自然资源", "资源"),
    ("生态环境", "环保"),
    ("退役军人事务", "退役军人"),
    ("文化广电和旅游", "文旅"),
    ("文化和旅游", "文旅"),
    ("工业和信息化", "工信"),
    ("城市管理综合执法", "城管"),
    ("城市管理", "城管"),
    ("行政审批服务", "审批"),
    ("综合行政执法", "执法"),
    ("医疗保障", "医保"),
    ("林业和草原", "林草"),
    ("乡村振兴", "振兴"),
    ("管理委员会", "管委会"),
    ("委员会", "委"),
)
"""Long and short; a name may take several of them."""
_AT_THE_END: Final = frozenset(
    {("人民政府", ""), ("镇", "镇政府"), ("乡", "乡政府"), ("街道", "街道办事处"), ("委员会", "委")}
)


@lru_cache(maxsize=8192)
def forms_of(name: str) -> tuple[str, ...]:
    """Return the ways in which a unit's name is said, the whole name first."""
    forms = dict.fromkeys((name, *_without_places(name)))
    for form in tuple(forms):
        for long, short in _SHORT_FORMS:
            if form.endswith(long) if (long, short) in _AT_THE_END else long in form:
                forms.setdefault(form.replace(long, short))
    return tuple(form for form in forms if len(tokens_of(form)) >= _SHORTEST)


def _without_places(name: str) -> Iterable[str]:
    """The name without the county or city ahead of it."""
    matched = _AHEAD.match(name)
    if matched and 0 < matched.end() < len(name):
        yield name[matched.end() :]
        # 云溪县应急管理局 says 县应急管理局 of itself.
        yield name[matched.end() - 1 :]


def said_unit(text: str, tokens: tuple[Token, ...], name: str) -> Likeness | None:
    """Return where a unit's name, in any of its forms, is likest said; None where it is not."""
    best: Likeness | None = None
    for form in forms_of(name):
        pattern = tokens_of(form)
        for hit in find(pattern, tokens, LIMIT * len(pattern)):
            # Of two forms that are as like, the longer says more.
            distance = hit.cost / len(pattern)
            start, end = tokens[hit.first].start, tokens[hit.after - 1].end
            like = Likeness(name, " ".join(token.sound for token in pattern), distance, start, end, form)
            if best is None or (distance, -len(form)) < (best.distance, -len(best.cue)):
                best = like
    return best
