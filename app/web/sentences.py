"""What the machine wrote of a call, in the language of the page: verdicts and proposals are kept as Chinese sentences.

Their English is made of the parts that the verdict and the proposal put together (`app.checks.verdict`,
`app.checks.proposal_words`): each is a message of the catalogue, with places where figures stand. Whatever is not made
of these, such as the words of a person, stays Chinese, and the page marks it as that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from markupsafe import Markup

from app.web import i18n

MESSAGES: Sequence[str] = (
    "第 %(n)s 次（%(at)s）：%(what)s",
    "响铃 %(s)s 秒接听",
    "折算限 %(s)s 秒",
    "响铃 %(s)s 秒无人接听",
    "此前响铃 %(s)s 秒",
    "不足 %(s)s 秒",
    "后转%(tone)s",
    "听到%(tone)s",
    "提示音：%(tone)s",
    "信令应答 %(code)s（%(what)s）",
    "信令应答 %(code)s",
    "转至本单位号码 %(number)s",
    "转至 %(number)s",
    "被叫返回改号应答 %(code)s",
    "接听前播放音乐 %(s)s 秒",
    "豁免期间，不作认定：%(what)s",
    "从轻情节：%(what)s（%(at)s）",
    "线路或设备维护（%(why)s）",
    "应急处置中（%(why)s）",
    "单位已于 %(at)s 报来新号码 %(number)s，拨打时尚未录入，属我方责任",
    "单位已于 %(at)s 报来停用原号码，拨打时尚未录入，属我方责任",
)
"""Sentences with places; the first that fits holds."""
_CHINESE = re.compile("[\u3400-\u9fff]")
_PLACE = re.compile(r"%\\\((\w+)\\\)s|%\((\w+)\)s")
_FREE = frozenset({"why"})
"""Places where a person's words stand: they are never translated."""
_JOINTS: Mapping[str, str] = {"；": "; ", "，": ", "}


def told(text: str) -> str:
    """Return a sentence of the machine in the language of the page; what is not known stays Chinese."""
    if i18n.language() == i18n.FIRST or not _CHINESE.search(text):
        return text
    return _english(text) or text


def marked(text: str) -> Markup:
    """Return the attribute that marks a text as Chinese on a page in another language; nothing where it needs none."""
    chinese = i18n.language() != i18n.FIRST and _CHINESE.search(text)
    return Markup(' lang="zh-CN"' if chinese else "")


def _english(text: str) -> str | None:
    """Translate a whole sentence, or all its parts; None where a part is not known."""
    if not _CHINESE.search(text):
        return text
    known = _message(text) or _filled(text)
    if known is not None:
        return known
    for joint, comma in _JOINTS.items():
        if joint in text:
            parts = [_english(part) for part in text.split(joint)]
            return comma.join(part for part in parts if part) if all(parts) else None
    return None


def _message(text: str) -> str | None:
    """Look a text up, also as the sentence that it was before it became a part of another one."""
    for form, cut in ((text, ""), (f"{text}。", ".")):
        found = i18n.gettext(form)
        if found != form:
            return found.removesuffix(cut) if cut else found
    return None


def _filled(text: str) -> str | None:
    """Translate a sentence with places."""
    for pattern, message in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            values = {
                name: value if name in _FREE else _english(value) for name, value in found.groupdict().items()
            }
            if None not in values.values():
                return i18n.gettext(message) % values
    return None


@lru_cache(maxsize=1)
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    return [(re.compile(_PLACE.sub(_group, re.escape(message)), re.DOTALL), message) for message in MESSAGES]


def _group(found: re.Match[str]) -> str:
    return f"(?P<{found[1] or found[2]}>.+?)"
